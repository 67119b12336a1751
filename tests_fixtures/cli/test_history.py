"""`quantgate history`: what drifted, since when, and its exit codes."""

import json
from pathlib import Path

import pytest

from quantgate.cli import main
from quantgate.history import append, history_file
from tests_fixtures.doubles.nights import night
from tests_fixtures.history.test_changes import slowed


def test_a_change_is_dated_with_what_moved_and_fails_nothing_by_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    append(tmp_path, [*slowed(), night(60, None, verdict="error")])
    assert main(["history", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "reference/nvfp4 decode-16x64 on NVIDIA H200: 60 nights (1 broken left out); last 2026-03-01" in said
    assert "another since 2026-02-06 (run night-36)" in said
    assert "2026-02-06: vLLM 0.31.0 -> 0.32.0" in said


def test_a_drift_is_exit_code_1_and_stands_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    append(tmp_path, [night(0, suite="a"), night(0, suite="b", since_approval="fail")])
    assert main(["history", str(tmp_path)]) == 1
    assert capsys.readouterr().out.startswith("drift: reference/nvfp4 b ")


def test_one_json_document_and_what_was_cut_off_beside_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    append(tmp_path, slowed())
    with history_file(tmp_path, "NVIDIA H200", "reference").open("a", encoding="utf-8") as file:
        file.write('{"at"')
    assert main(["history", str(tmp_path), "--family=reference", "--json"]) == 0
    said = capsys.readouterr()
    (series,) = json.loads(said.out)["series"]
    assert (series["nights"], series["changes"][0]["place"], len(series["values"])) == (60, 36, 60)
    assert "line 61 was cut off" in said.err


def test_without_a_history_it_says_what_writes_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    append(tmp_path, [night(0)])
    assert main(["history", str(tmp_path), "--family=other"]) == 2
    assert "has no history of other yet (history.jsonl); `quantgate nightly` writes it" in capsys.readouterr().err


def test_what_a_file_says_does_not_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    append(tmp_path, [night(0, suite="a\x1b[2J\u202eb")])
    assert main(["history", str(tmp_path)]) == 0
    assert "a?[2J?b" in capsys.readouterr().out
