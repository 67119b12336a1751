"""`quantgate report`: files, one JSON document, exit codes, and a mistake in one sentence."""

import json
from pathlib import Path

import pytest

from quantgate.cli import main
from quantgate.records import Outcome, write_outcomes, write_record
from tests_fixtures.doubles.examples import MIXED, speed
from tests_fixtures.doubles.reported import Reported, answered, three_ways, worse


def report(made: Reported, into: Path, *more: str) -> int:
    return main(["report", str(made.records), "-o", str(into), "--baselines", str(made.baselines), *more])


def test_a_fail_is_exit_code_1_and_the_page_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(three_ways(tmp_path), tmp_path / "out") == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("fail: 1 of 3 verdicts fail. reference/nvfp4 reference-text")
    assert said[1] == f"report: {tmp_path / 'out' / 'index.html'}"
    assert (tmp_path / "out" / "report.md").read_text(encoding="utf-8").startswith("# 🟥 quantgate: reference: fail\n")


def test_passes_and_what_is_inconclusive_are_exit_code_0(tmp_path: Path) -> None:
    made = Reported(tmp_path)
    made.judged(*worse(0.05, "fp8"))
    made.judged(answered("-" * 6 + MIXED[6:], "fp8"), answered(MIXED, "bf16"))
    assert report(made, tmp_path / "out") == 0


def test_an_error_or_nothing_judged_is_exit_code_2(tmp_path: Path) -> None:
    made = Reported(tmp_path)
    write_record(made.records, speed([90.0, 100.0]))
    assert report(made, tmp_path / "out") == 2
    made.judged(*worse(0.05, "fp8"))
    assert report(made, tmp_path / "out") == 0
    failed = Outcome(at="2027-01-01T00:00:00+00:00", test="t", outcome="failed", why="no boot", family="reference", checkpoint="int4")
    write_outcomes(made.records / "outcomes.jsonl", [failed])
    assert report(made, tmp_path / "out") == 2


def test_json_is_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report(three_ways(tmp_path), tmp_path / "out", "--json", "--title", "Tonight")
    page = json.loads(capsys.readouterr().out)
    assert (page["title"], page["word"], len(page["rows"])) == ("Tonight", "fail", 3)


def test_a_mistake_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "nowhere"), "-o", str(tmp_path / "out")]) == 2
    assert "nowhere is no folder; name the one that pytest wrote its records to" in capsys.readouterr().err
    made = three_ways(tmp_path)
    (tmp_path / "file").touch()
    assert report(made, tmp_path / "file" / "below") == 2
    assert "name another folder" in capsys.readouterr().err
