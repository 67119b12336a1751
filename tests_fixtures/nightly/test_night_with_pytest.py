"""Nights of the real pytest on a small project, whose measurements are made by hand: what each exit code takes."""

import sys
from pathlib import Path

import pytest

from quantgate.history import Line, files, read
from quantgate.nightly import Asked, Night, run_night, told
from quantgate.records import write_record
from tests_fixtures.doubles.examples import text_loss, with_provenance
from tests_fixtures.doubles.gated_project import MODELS, PYPROJECT, ROOT
from tests_fixtures.doubles.little_night import WRITES_A_PAGE

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("no_worker")]

INNER = """
import datetime, os, pathlib, signal
import pytest
from quantgate.errors import ServerError
from tests_fixtures.doubles.examples import text_loss, with_provenance

LOSSES = {"green": [1.0] * 6, "red": [1.2] * 6, "inconclusive": [1.1, 0.92, 1.1, 0.92, 1.1, 0.92]}
BEFORE = (20.0, 31.0, 39.0, 52.0, 58.0, 71.0)

@pytest.fixture
def server(case):
    if pathlib.Path("how").read_text() == "boot" and case.checkpoint.name == "nvfp4":
        raise ServerError("reference/nvfp4: vLLM did not boot: out of memory")

def test_it(case, text_suite, server, gate):
    how = pathlib.Path("how").read_text()
    if how == "skipped":
        pytest.skip("the data set is gated")
    if how == "hangs" and case.checkpoint.name == "nvfp4":
        signal.pause()
    times = LOSSES.get(how, LOSSES["green"]) if case.checkpoint.name == "nvfp4" else LOSSES["green"]
    measured = text_loss(case.checkpoint.name, [nll * by for nll, by in zip(BEFORE, times)])
    gate(with_provenance(measured, started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")))
"""


def run(folder: Path, how: str, **changes: object) -> tuple[Night, list[Line]]:
    """A night of two checkpoints, of which NVFP4's comes out so; and the history."""
    (folder / "pyproject.toml").write_text(PYPROJECT.format(root=ROOT), encoding="utf-8")
    (folder / "conftest.py").write_text('pytest_plugins = ["fixtures.plugin"]\n', encoding="utf-8")
    (folder / "models.toml").write_text(MODELS.format(reference=ROOT / "fixtures" / "reference"), encoding="utf-8")
    (folder / "test_inner.py").write_text(INNER, encoding="utf-8")
    (folder / "how").write_text(how, encoding="utf-8")
    write_record(folder / "baselines" / "cpu", with_provenance(text_loss(), started="2026-01-01T00:00:00+00:00"))
    fields = {
        "project": folder,
        "models": folder / "models.toml",
        "baselines": str(folder / "baselines"),
        "gpu": "cpu",
        "more": ("--gpu-wait=120",),
        "reporter": (sys.executable, "-c", WRITES_A_PAGE),
        **changes,
    }
    night = run_night(Asked(**fields), print)  # type: ignore[arg-type]
    print(*told(night), sep="\n")
    return night, [line for file in files(folder / "baselines") for line in read(file).lines]


@pytest.mark.parametrize(
    ("how", "code", "verdicts"),
    [
        ("green", 0, ["pass", "pass"]),
        ("red", 1, ["pass", "fail"]),
        ("inconclusive", 0, ["pass", "inconclusive"]),
        ("skipped", 5, []),
        ("boot", 1, ["pass", "error"]),
    ],
)
def test_exit_code_history_and_page(tmp_path: Path, how: str, code: int, verdicts: list[str]) -> None:
    night, lines = run(tmp_path, how)
    assert (night.exit_code, [line.verdict for line in lines]) == (code, verdicts)
    assert [line.checkpoint for line in lines] == ["bf16", "nvfp4"][: len(verdicts)]
    assert night.report is not None
    if how == "inconclusive":
        assert night.inconclusive
    if how == "boot":
        assert "out of memory" in lines[1].reason


def test_inconclusive_fails_where_that_is_asked(tmp_path: Path) -> None:
    assert run(tmp_path, "inconclusive", inconclusive="fail")[0].exit_code == 1


def test_at_the_deadline_pytest_is_stopped_and_what_was_measured_is_kept(tmp_path: Path) -> None:
    night, lines = run(tmp_path, "hangs", hours=40 / 3600)
    assert (night.exit_code, night.was_late) == (2, True)
    assert lines[-1].verdict == "interrupted"
    assert lines[-1].reason == "the deadline came first"
    assert night.report is not None
