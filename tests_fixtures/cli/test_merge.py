"""`quantgate merge`: lines or one JSON document, an exit code over the whole, the page."""

import json
from pathlib import Path

import pytest

from quantgate.cli import main
from tests_fixtures.doubles.sharded import Matrix

Captured = pytest.CaptureFixture[str]


def run(matrix: Matrix, *more: str) -> int:
    folders = [str(one) for one in sorted((matrix.root / "of-2").iterdir())]
    places = ["-o", str(matrix.root / "merged"), f"--models={matrix.models}", f"--baselines={matrix.baselines}"]
    return main(["merge", *folders, *places, *more])


@pytest.fixture
def small(tmp_path: Path) -> Matrix:
    made = Matrix(tmp_path, ("ada", "fermi"))
    made.shards(2)
    return made


def test_the_worst_comes_first_and_the_last_line_says_the_exit_code(small: Matrix, capsys: Captured) -> None:
    assert run(small) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("fail: fermi/nvfp4 q-a: 6.25 points worse")
    assert lines[-2:] == [f"records, verdicts and history: {small.root}/merged", "exit code 1: a verdict or a test failed"]
    assert "16 records of 2 folders, 16 tests; 2 fail, 1 inconclusive, 13 pass" in lines


def test_json_is_one_document(small: Matrix, capsys: Captured) -> None:
    code = run(small, "--json", f"--history={small.root}/kept", f"--report={small.root}/page")
    found = json.loads(capsys.readouterr().out)
    assert (code, found["exit_code"], found["records"], found["verdicts"]) == (1, 1, 16, {"fail": 2, "inconclusive": 1, "pass": 13})
    assert len(found["changed"]) == 1
    assert [Path(file).is_file() for file in found["histories"]] == [True, True]


def test_what_is_refused_is_2_and_said_on_standard_error(small: Matrix, capsys: Captured) -> None:
    (small.root / "of-2" / "part-2" / "shard.json").unlink()
    assert run(small) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("quantgate merge: shard 1 of 2 (")


def test_the_page_is_over_the_whole(small: Matrix, capsys: Captured) -> None:
    run(small, f"--report={small.root}/page")
    assert f"report: {small.root}/page/index.html" in capsys.readouterr().out
    page = (small.root / "page" / "index.html").read_text()
    for name in ("ada/nvfp4", "fermi/nvfp4", "ada/bf16"):
        assert name in page


def test_a_page_that_cannot_be_written_is_told_and_no_success(tmp_path: Path, capsys: Captured) -> None:
    good = Matrix(tmp_path, ("ada", "bell"))
    good.shards(2)
    assert run(good, f"--report={good.models}/page") == 2
    assert f"could not: no report: the report cannot be written to {good.models}/page" in capsys.readouterr().out
