"""The keeper, a program: what it runs and tells, and that its end, whatever brought it about, leaves neither a process nor a folder."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantgate.fan_out.wire import Job, News, Piece, frames, pack, unpack_news

WRITES = (
    "import pathlib, sys, time; folder = pathlib.Path(sys.argv[1]);"
    "(folder / 'records' / 'seen.json').write_bytes((folder / 'records' / 'shipped.json').read_bytes()); print('said')"
)
SLEEPS = "import pathlib, os, sys, time; pathlib.Path(sys.argv[1], 'records', 'pid.json').write_text(str(os.getpid())); time.sleep(600)"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where units have their folders."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def start(job: Job) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([sys.executable, "-m", "quantgate.fan_out.keeper"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(pack(job))
    process.stdin.flush()
    return process


def heard(process: "subprocess.Popen[bytes]") -> Iterator[News]:
    """Its news until it has ended; then nothing of it is open any more."""
    assert process.stdout is not None
    assert process.stdin is not None
    for content in frames(process.stdout.fileno()):
        yield unpack_news(content)
    process.stdin.close()
    process.stdout.close()
    process.wait()


def test_commands_run_one_after_the_other_and_the_folder_is_gone_before_the_end_is_told(temporary: Path) -> None:
    commands = [["{python}", "-c", WRITES, "{folder}"], ["{python}", "-c", "raise SystemExit(5)"]]
    process, pieces, there = start(Job(commands=commands, pieces=[Piece("records/shipped.json", b"42")])), dict[str, bytes](), True
    for news in heard(process):
        pieces |= {piece.path: piece.data for piece in news.pieces}
        if news.kind == "ended":
            there = any(temporary.iterdir())
            codes, was_stopped = news.codes, news.was_stopped
    assert (codes, was_stopped, there) == ([0, 5], False, False)
    assert pieces == {"records/seen.json": b"42", "pytest.log": b"said\n"}


@pytest.mark.thorough
def test_the_end_of_its_input_stops_what_runs(temporary: Path) -> None:
    process = start(Job(commands=[["{python}", "-c", SLEEPS, "{folder}"], ["{python}", "-c", "never"]]))
    pid, ended = 0, News()
    assert process.stdin is not None
    for news in heard(process):
        for piece in news.pieces:
            if piece.path == "records/pid.json" and piece.data:
                pid = int(piece.data)
                process.stdin.close()
        ended = news
    assert (ended.kind, ended.was_stopped) == ("ended", True)
    assert pid
    assert not Path(f"/proc/{pid}").exists()
    assert not any(temporary.iterdir())


@pytest.mark.thorough
def test_time_that_is_over_stops_what_runs(temporary: Path) -> None:
    *_, ended = heard(start(Job(commands=[["{python}", "-c", SLEEPS, "{folder}"]], seconds=0.5)))
    assert (ended.kind, ended.was_stopped, len(ended.codes)) == ("ended", True, 1)
    assert not any(temporary.iterdir())


def test_what_is_not_there_is_told_and_no_traceback(temporary: Path) -> None:
    *_, ended = heard(start(Job(commands=[["/no/such/program"]])))
    assert (ended.kind, ended.trouble) == ("ended", "/no/such/program: No such file or directory")
    assert not any(temporary.iterdir())


@pytest.mark.thorough
def test_whoever_closes_its_input_at_the_end_leaves_no_folder(temporary: Path) -> None:
    for _ in range(3):
        process = start(Job(commands=[["{python}", "-c", "pass"]]))
        assert process.stdin is not None
        for news in heard(process):
            if news.kind == "ended":
                process.stdin.close()
        until = time.monotonic() + 20.0
        while any(temporary.iterdir()) and time.monotonic() < until:
            time.sleep(0.05)
        assert not any(temporary.iterdir())
