"""A small project with a pytest of its own: two checkpoints, one suite, measurements by hand, baselines to approve."""

from pathlib import Path

import msgspec
import pytest

from quantgate.records import Measurement, decode, write_record

ROOT = Path(__file__).parents[2]
PYPROJECT = """
[tool.pytest.ini_options]
pythonpath = ["{root}"]
addopts = ["--import-mode=importlib", "--gpu=cpu", "-p", "no:benchmark", "-p", "no:cacheprovider"]
filterwarnings = ["error"]
"""
MODELS = """
[tolerance]
nvfp4 = {{ perplexity_ratio = 1.05 }}
bf16 = {{ perplexity_ratio = 1.05 }}
[[family]]
name = "reference"
suites = ["reference-text"]
checkpoint = [
    {{ name = "bf16", precision = "bf16", path = "{reference}/bf16" }},
    {{ name = "nvfp4", precision = "nvfp4", path = "{reference}/nvfp4" }},
]
"""
BEGINNING = """
import math, os, pathlib, pytest
from fixtures.snapshots import store_baseline
from quantgate.baselines import open_baselines
from tests_fixtures.doubles.examples import PROVENANCE, answers, provenance_of, text_loss
"""
GATE = """
def test_it(case, text_suite, gate):
    gate(text_loss(case.checkpoint.name))
"""


class GatedProject:
    """A project that gates with quantgate's plugin; `stored` are the files below its baselines/."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester, self.root = pytester, pytester.path
        pytester.makepyprojecttoml(PYPROJECT.format(root=ROOT))
        pytester.makeconftest('pytest_plugins = ["fixtures.plugin"]')
        (self.root / "models.toml").write_text(MODELS.format(reference=ROOT / "fixtures" / "reference"), encoding="utf-8")

    def test(self, content: str, name: str = "test_inner") -> None:
        """Write a test file of this content, behind the usual imports."""
        self.pytester.makepyfile(**{name: BEGINNING + content})

    def store(self, *measured: Measurement) -> None:
        """Approve these, without a test."""
        for one in measured:
            write_record(self.root / "baselines" / "cpu", one)

    @property
    def stored(self) -> dict[str, bytes]:
        """Every file below baselines/ and its content."""
        folder = self.root / "baselines"
        return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}

    @property
    def measured(self) -> dict[str, Measurement]:
        """What is stored, without its history and what it answers for."""
        return {name: msgspec.structs.replace(read(content), history=[], oldest=None) for name, content in self.stored.items()}

    def run(self, *arguments: str) -> pytest.RunResult:
        """A pytest of its own, in this process."""
        return self.pytester.runpytest_inprocess(*arguments)


def read(content: bytes) -> Measurement:
    """A stored baseline."""
    return decode(content, Measurement, "a baseline")  # type: ignore[arg-type]  # a union is no type to mypy


BF16, NVFP4 = "cpu/reference/bf16/reference-text.json", "cpu/reference/nvfp4/reference-text.json"
