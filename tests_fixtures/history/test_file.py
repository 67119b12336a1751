"""The history's file: whole lines are added, whoever adds, and nothing is ever written anew."""

import fcntl
import json
import subprocess
import sys
from pathlib import Path

import pytest

from quantgate.history import append, files, history_file, read
from tests_fixtures.doubles.nights import night

ADDING = """
import sys
from pathlib import Path
from quantgate.history import append
from tests_fixtures.doubles.nights import night
for number in range(40):
    append(Path(sys.argv[1]), [night(number, run=f"{sys.argv[2]}-{number}", reason="x" * 20000)] * 2)
"""


def test_a_line_lies_beside_the_baselines_and_comes_back(tmp_path: Path) -> None:
    lines = [night(0), night(1, family="other", device_class="cpu"), night(2)]
    assert append(tmp_path, lines) == [tmp_path / "NVIDIA H200/reference/history.jsonl", tmp_path / "cpu/other/history.jsonl"]
    assert read(tmp_path / "NVIDIA H200/reference/history.jsonl") == ([lines[0], lines[2]], [])
    assert files(tmp_path, ["other"]) == [tmp_path / "cpu/other/history.jsonl"]
    assert len(files(tmp_path)) == 2


def test_it_is_only_added_to(tmp_path: Path) -> None:
    append(tmp_path, [night(0)])
    file = history_file(tmp_path, "NVIDIA H200", "reference")
    before, inode = file.read_bytes(), file.stat().st_ino
    append(tmp_path, [night(1)])
    assert file.read_bytes().startswith(before)
    assert file.stat().st_ino == inode
    assert [json.loads(row)["run"] for row in file.read_text(encoding="utf-8").splitlines()] == ["night-0", "night-1"]


def test_a_line_that_was_cut_off_is_told_left_as_it_is_and_not_glued_to_the_next(tmp_path: Path) -> None:
    append(tmp_path, [night(0)])
    file = history_file(tmp_path, "NVIDIA H200", "reference")
    torn = file.read_bytes() + b'{"at": "2026-01-02T0'
    file.write_bytes(torn)
    lines, told = read(file)
    assert (lines, len(told)) == ([night(0)], 1)
    assert "line 2 was cut off" in told[0]
    append(tmp_path, [night(2)])
    assert file.read_bytes().startswith(torn + b"\n")
    lines, told = read(file)
    assert (lines, len(told)) == ([night(0), night(2)], 1)


@pytest.mark.parametrize("row", [b"\xff\xfe", b"[" * 100_000, b'{"at": 3}', b"null"])
def test_what_is_no_line_is_told_and_the_others_count(tmp_path: Path, row: bytes) -> None:
    append(tmp_path, [night(0)])
    file = history_file(tmp_path, "NVIDIA H200", "reference")
    file.write_bytes(row + b"\n" + file.read_bytes())
    lines, told = read(file)
    assert (lines, len(told)) == ([night(0)], 1)


def test_two_writers_leave_every_line_whole(tmp_path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", ADDING, str(tmp_path), name]) for name in ("a", "b")]
    assert [one.wait() for one in writers] == [0, 0]
    lines, told = read(history_file(tmp_path, "NVIDIA H200", "reference"))
    runs = [line.run for line in lines]
    assert told == []
    assert runs[::2] == runs[1::2]  # what is added at once stays together
    assert sorted(set(runs)) == sorted(f"{name}-{number}" for name in "ab" for number in range(40))
    assert len(runs) == 160


def test_what_another_writer_leaves_while_it_is_waited_for_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(tmp_path, [night(0)])
    path = history_file(tmp_path, "NVIDIA H200", "reference")

    def dies_in_the_middle(descriptor: int, operation: int) -> None:  # noqa: ARG001 (the lock's signature)
        with path.open("ab") as other:
            other.write(b'{"at": "2026')

    monkeypatch.setattr(fcntl, "flock", dies_in_the_middle)
    append(tmp_path, [night(1)])
    lines, told = read(path)
    assert (lines, len(told)) == ([night(0), night(1)], 1)
