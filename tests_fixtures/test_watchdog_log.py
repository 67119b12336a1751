"""A server's log stays small, keeps what one looks for, and never holds the server up; a server keeps to its cores."""

import os
import sys
from pathlib import Path

import pytest

from fixtures import watchdog
from fixtures.process import Process
from fixtures.watchdog import Log

PATIENCE_SECONDS = 20.0
LINE = b"%09d\n"
TALKS = """
import os
os.write(1, b"the beginning\\n")
for _ in range(20): os.write(1, (b"x" * 1023 + b"\\n") * 1024)
os.write(2, b"the end\\n")
"""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LOG_BYTES", 1000)
    monkeypatch.setattr(watchdog, "KEPT_BYTES", 200)


@pytest.mark.usefixtures("small")
def test_a_long_log_keeps_its_first_and_its_last_lines(tmp_path: Path) -> None:
    log = Log(str(tmp_path / "server.log"))
    for number in range(1000):
        log.write(LINE % number)
        assert log.path.stat().st_size <= 1000
    lines = log.path.read_bytes().splitlines(keepends=True)
    assert lines[:20] == [LINE % number for number in range(20)]
    assert lines[-20:] == [LINE % number for number in range(980, 1000)]
    assert b"[... left out ...]\n" in lines
    assert list(tmp_path.iterdir()) == [log.path]


@pytest.mark.usefixtures("small")
def test_a_log_of_just_its_bound_is_left_alone(tmp_path: Path) -> None:
    log = Log(str(tmp_path / "server.log"))
    log.write(b"x" * 1000)
    assert log.path.read_bytes() == b"x" * 1000
    log.write(b"y")
    assert log.path.read_bytes() == b"x" * 200 + b"\n[... left out ...]\n" + b"x" * 199 + b"y"


@pytest.mark.usefixtures("small")
def test_a_disk_that_is_full_when_the_log_is_trimmed_costs_no_descriptors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(str(tmp_path / "server.log"))
    write = os.write

    def full_for_another_file(file: int, data: bytes) -> int:
        if file != log._file:
            raise OSError(28, "No space left on device")
        return write(file, data)

    monkeypatch.setattr(os, "write", full_for_another_file)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        log.write(b"x" * 600)
    monkeypatch.undo()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert [file.name for file in tmp_path.iterdir()] == ["server.log"]


def test_a_server_that_never_stops_talking_leaves_time_for_everything_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = object.__new__(watchdog.Watch)
    watch._output, watch.log = 0, Log(str(tmp_path / "server.log"))
    left = iter([b"x"] * 10_000)
    monkeypatch.setattr(os, "read", lambda *_: next(left))
    watch._drain()
    assert len(list(left)) > 0


def run(program: str, log: Path, scratch: Path, cores: tuple[int, ...] = ()) -> Process:
    server = Process([sys.executable, "-ISc", program], dict(os.environ), log, scratch, cores)
    assert server.wait_for_end(PATIENCE_SECONDS)
    return server


def test_all_of_a_server_s_output_goes_there_both_streams_in_order(tmp_path: Path) -> None:
    assert run(TALKS.replace("range(20)", "range(1)"), tmp_path / "server.log", tmp_path / "none").stop().code == 0
    text = (tmp_path / "server.log").read_text()
    assert text.startswith("the beginning\nxxx")
    assert text.endswith("xxx\nthe end\n")
    assert len(text) == len("the beginning\n") + (1 << 20) + len("the end\n")


def test_twenty_mebibytes_of_output_make_a_log_below_its_bound_with_both_ends(tmp_path: Path) -> None:
    assert run(TALKS, tmp_path / "server.log", tmp_path / "none").stop().code == 0
    kept = (tmp_path / "server.log").read_bytes()
    assert len(kept) <= watchdog.LOG_BYTES + (1 << 16)
    assert kept.startswith(b"the beginning\nxxx")
    assert kept.endswith(b"xxx\nthe end\n")


def test_a_full_disk_loses_lines_and_not_the_server(tmp_path: Path) -> None:
    program = TALKS + f"open({str(tmp_path / 'done')!r}, 'w').close()"
    assert run(program, Path("/dev/full"), tmp_path / "none").stop().code == 0
    assert (tmp_path / "done").exists()


def test_the_server_keeps_to_its_cores(tmp_path: Path) -> None:
    core = max(os.sched_getaffinity(0))
    assert run("import os; print(os.sched_getaffinity(0))", tmp_path / "server.log", tmp_path / "none", (core,)).stop().code == 0
    assert (tmp_path / "server.log").read_text() == f"{{{core}}}\n"
