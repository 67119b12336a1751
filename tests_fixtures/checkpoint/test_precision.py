"""The precision that models.toml declares is checked against the files."""

from pathlib import Path

import pytest

from quantgate.checkpoint import inspect_checkpoint, precisions_of
from tests_fixtures.doubles.gated_project import ROOT

REFERENCE = ROOT / "fixtures" / "reference"


@pytest.mark.parametrize("precision", ["bf16", "fp8", "nvfp4"])
def test_the_reference_family_is_what_it_says(precision: str) -> None:
    assert precisions_of(REFERENCE / precision) == {precision}
    assert wrong(REFERENCE / precision, precision) == []


def wrong(folder: Path, declared: str, *args: str) -> list[str]:
    found = inspect_checkpoint(folder, declared=declared, serve_args=args).of("error")
    return [f"{one.where}: {one.value}: {one.meaning}" for one in found if one.check == "precision"]


def test_another_precision_is_an_error_that_names_both() -> None:
    (said,) = wrong(REFERENCE / "fp8", "nvfp4")
    assert said.startswith("config.json: files of precision fp8 (FP8")
    assert said.endswith('models.toml says precision = "nvfp4": name the other folder, or write what this one is')
    assert len(wrong(REFERENCE / "nvfp4", "bf16")) == 1
    assert len(wrong(REFERENCE / "bf16", "fp8")) == 1


def test_what_the_engine_quantizes_as_it_loads_may_be_declared_as_anything() -> None:
    assert wrong(REFERENCE / "bf16", "fp8", "--quantization=fp8") == []
    assert wrong(REFERENCE / "bf16", "fp8", "-q", "fp8") == []
    assert len(wrong(REFERENCE / "fp8", "nvfp4", "--quantization=fp8")) == 1


def test_nobody_asked_and_nothing_is_said() -> None:
    assert inspect_checkpoint(REFERENCE / "fp8").of("error") == []
