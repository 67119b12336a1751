"""`quantgate nightly`: what it refuses, and its options."""

import json
from pathlib import Path

import pytest

from quantgate import nightly
from quantgate.cli import main
from quantgate.nightly import Asked, Night


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """What a night was asked, in a folder with a pytest.ini; every night is red and over at once."""
    found = list[Asked]()

    def run_night(asked: Asked, say: object) -> Night:  # noqa: ARG001 (the other's signature)
        found.append(asked)
        return Night(run="r", started="s", records="d", exit_code=1, failed=["fail: a/b c: worse"])

    monkeypatch.setattr(nightly, "run_night", run_night)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pytest.ini").touch()
    return found


def test_its_options_and_what_stands_behind_them(asked: list[Asked], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nightly", "--gpu=0,1", "--family=all", "--hours=8", "--records=r", "--", "--must-run", "--stop-early"]) == 1
    (one,) = asked
    assert (one.gpu, one.families, one.hours, one.records, one.more) == ("0,1", "all", 8.0, tmp_path / "r", ("--must-run", "--stop-early"))
    assert (one.models, one.baselines, one.project) == (tmp_path / "models.toml", str(tmp_path / "baselines"), tmp_path)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "quantgate nightly: fail: a/b c: worse"
    assert said[-1] == "quantgate nightly: exit code 1: a verdict or a test failed"


def test_one_json_document(asked: list[Asked], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setattr(sys, "stderr", open(sys.stderr.fileno(), "w", closefd=False))  # noqa: SIM115 (as a terminal has it)
    assert main(["nightly", "--json"]) == 1
    assert json.loads(capfd.readouterr().out)["failed"] == ["fail: a/b c: worse"]
    assert asked[0].output is not None


def test_what_is_no_project_is_usage_as_pytest_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["nightly"]) == 4
    assert "has no conftest.py or pytest.ini: go to quantgate's checkout, or run `quantgate init` here" in capsys.readouterr().err
    (tmp_path / "conftest.py").touch()
    assert main(["nightly", "--hours=0"]) == 4
    assert "--hours=0: give hours, more than 0" in capsys.readouterr().err
    assert main(["nightly"]) == 4
    assert "models.toml" in capsys.readouterr().err


def test_behind_dashes_other_commands_take_what_begins_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suites", "--", "-x"]) == 2
    assert "there is no suite -x" in capsys.readouterr().err
