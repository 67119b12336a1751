"""What pytest would run of a family, by the ids that it collects: which phase each test belongs to, and what it is about."""

import re
from collections.abc import Iterable
from enum import Enum

import msgspec

from quantgate.registry import Family
from quantgate.suites import Catalogue, LoadSuite

PARAMETERS = re.compile(r"\[(?P<checkpoint>[\w.+-]+/[\w.+-]+)(?::(?P<suite>[^\]]+))?\]$")
"""As `fixtures/parametrization.py` writes them: `family/checkpoint:suite`, or a checkpoint alone, of whose files the test is."""


class Phase(Enum):
    """In this order."""

    STRUCTURE = "structure"
    ACCURACY = "accuracy"
    THROUGHPUT = "throughput"


class Case(msgspec.Struct, frozen=True):
    """One test; `checkpoint` and `suite` are "" where it is about none. `is_measured`: a record comes of it."""

    node: str
    family: str
    checkpoint: str
    suite: str
    precision: str
    phase: Phase
    is_measured: bool

    @property
    def name(self) -> str:
        return f"{self.family}/{self.checkpoint} {self.suite}"


def cases_of(ids: Iterable[str], family: Family, known: Catalogue) -> list[Case]:
    """One for each id, in their order."""
    return [_case_of(node, family, known) for node in ids]


def _case_of(node: str, family: Family, known: Catalogue) -> Case:
    found = PARAMETERS.search(node)
    checkpoint = found["checkpoint"].partition("/")[2] if found else ""
    suite = (found["suite"] or "") if found else ""
    precision = next((one.precision for one in family.checkpoint if one.name == checkpoint), "")
    is_measured = suite in family.suites
    is_speed = is_measured and known[suite][0] is LoadSuite
    phase = Phase.THROUGHPUT if is_speed else Phase.ACCURACY if suite else Phase.STRUCTURE
    return Case(node, family.name, checkpoint, suite, precision, phase, is_measured)
