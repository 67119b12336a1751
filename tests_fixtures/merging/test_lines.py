"""The history of what was merged: a line for each record, under one run's name, none twice."""

import hashlib
from pathlib import Path

import msgspec
import pytest

from quantgate.history import Line, line_of, read
from quantgate.records import OUTCOMES, write_outcomes
from tests_fixtures.doubles.sharded import Matrix, ended, entries_of, reshard


@pytest.fixture
def small(tmp_path: Path) -> Matrix:
    return Matrix(tmp_path, ("ada", "fermi"))


def lines_in(folder: Path) -> list[Line]:
    return [line for file in sorted(folder.rglob("history.jsonl")) for line in read(file).lines]


def test_there_is_a_line_for_each_record_with_its_merged_verdict_and_its_host(small: Matrix) -> None:
    got = small.merge(small.shards(2))
    lines = {(line.family, line.checkpoint, line.suite): line for line in lines_in(Path(got.into))}
    assert (len(lines), got.lines) == (16, 16)
    one = lines["fermi", "nvfp4", "q-a"]
    assert (one.verdict, one.host, one.device_class) == ("fail", "host-2", "cpu")
    assert one.record_sha256 == hashlib.sha256((Path(got.into) / "fermi" / "nvfp4" / "q-a.json").read_bytes()).hexdigest()
    runs = {line.run for line in lines.values()}
    assert len(runs) == 1
    assert runs.pop().startswith("20260501T010000Z-")


def test_they_go_into_a_history_once_however_often_they_are_merged(small: Matrix) -> None:
    folders, history = small.shards(2), small.root / "kept"
    first = small.merge(folders, history=history)
    assert [Path(file).parent.name for file in first.histories] == ["ada", "fermi"]
    before = lines_in(history)
    assert len(before) == 16
    again = small.merge([Path(first.into)], "again", history=history)
    assert (again.histories, lines_in(history)) == ([], before)
    part = small.merge(folders[:1], "part", partial=True)
    reshard(Path(part.into), matrix=entries_of("ada"), mine=entries_of("ada"))
    reshard(folders[1], index=1, count=1, cut=[["fermi"]], matrix=entries_of("fermi"))
    both = lines_in(Path(small.merge([Path(part.into), folders[1]], "both").into))
    assert {line.run for line in both if line.family == "ada"} == {line.run for line in lines_in(Path(part.into))}
    assert len({line.run for line in both}) == 2


def test_a_night_s_lines_keep_their_run_and_what_its_boot_took(small: Matrix) -> None:
    folders = small.shards(2)
    night = [
        msgspec.structs.replace(line_of(file, "20260501T000000Z-beef", boot_seconds=41.5), host="night-host")
        for file in sorted((folders[0] / "ada" / "nvfp4").glob("*.json"))
        if not file.name.endswith(".verdict.json")
    ]
    unmeasured = msgspec.structs.replace(night[0], suite="q-z", value=None, verdict="error", record_sha256=None)
    (folders[0] / "night.json").write_bytes(msgspec.json.encode({"run": "20260501T000000Z-beef", "lines": [*night, unmeasured]}))
    lines = {(line.family, line.checkpoint, line.suite): line for line in lines_in(Path(small.merge(folders).into))}
    one = lines["ada", "nvfp4", "q-a"]
    assert (one.run, one.boot_seconds, one.host) == ("20260501T000000Z-beef", 41.5, "night-host")
    assert lines["ada", "nvfp4", "q-z"].verdict == "error"
    assert lines["fermi", "nvfp4", "q-a"].run != one.run


def test_a_boot_that_failed_has_its_line(small: Matrix) -> None:
    folders = small.shards(2)
    for file in (folders[0] / "ada" / "nvfp4").glob("text.*"):
        file.unlink()
    write_outcomes(folders[0] / OUTCOMES, [ended("ada", "nvfp4", "text", "vLLM ended while it booted")])
    got = small.merge(folders)
    one = next(line for line in lines_in(Path(got.into)) if (line.family, line.checkpoint, line.suite) == ("ada", "nvfp4", "text"))
    assert (one.verdict, one.reason, one.host, one.record_sha256) == ("error", "vLLM ended while it booted", "host-1", None)
    assert (one.precision, one.run) == ("nvfp4", next(line.run for line in lines_in(Path(got.into)) if line.record_sha256))
    again = small.merge([Path(got.into)], "again")
    assert lines_in(Path(again.into)) == lines_in(Path(got.into))


def test_a_history_that_cannot_be_written_is_told_and_the_rest_is_there(small: Matrix) -> None:
    got = small.merge(small.shards(2), history=small.models)
    assert got.unjudged == [f"the history in {small.models} cannot be written: Not a directory; the lines are in {got.into}/history.jsonl"]
    assert got.records == 16
