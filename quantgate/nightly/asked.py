"""What is asked of a night, and the command lines that come of it."""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from quantgate.baselines import folder_of
from quantgate.nightly.cases import Case, Phase
from quantgate.registry import marked

PYTEST = (sys.executable, "-m", "pytest")
REPORT = (sys.executable, "-m", "quantgate", "report")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """`project`: where conftest.py or pytest.ini is; `baselines`: folders and URLs, as `--baselines` takes them; `families`, `gpu`, `tp`,
    `inconclusive` as pytest's options of these names; `hours`: until when all has to be over; `shard`: as pytest's --shard; `more`: further
    arguments for pytest. `records` and `report` are folders, None for one of the night's own below `.quantgate/nights`, and for `report/`
    in it. `program`, `reporter`: what is run; `output`: a descriptor for what pytest says, None for this process's own.
    """

    project: Path
    models: Path
    baselines: str
    families: str | None = None
    gpu: str = "auto"
    tp: int | None = None
    data_dir: Path | None = None
    records: Path | None = None
    report: Path | None = None
    hours: float | None = None
    shard: str | None = None
    inconclusive: str = "warn"
    more: tuple[str, ...] = ()
    program: tuple[str, ...] = PYTEST
    reporter: tuple[str, ...] = REPORT
    output: int | None = None

    @property
    def history(self) -> Path:
        """The folder that the history is kept in: the first of `baselines`; the project's own where those are in a store alone."""
        return folder_of(self.baselines) or self.project / "baselines"


def options_of(asked: Asked, family: str, records: Path) -> list[str]:
    """What every pytest of this night and family is told."""
    given = {"gpu": asked.gpu, "tp": asked.tp, "family": family, "models": asked.models, "baselines": asked.baselines, "records": records}
    given |= {"data-dir": asked.data_dir, "inconclusive": asked.inconclusive}
    return [f"--{name}={value}" for name, value in given.items() if value is not None]


def collecting(asked: Asked, family: str, records: Path) -> list[str]:
    """Every gate of a family."""
    return [*_gates(asked, family, records), "--collect-only", "-q"]


def running(asked: Asked, cases: Sequence[Case], every: Sequence[Case], records: Path, junit: Path, slots: int) -> list[str]:
    """These tests of `every` one that was collected of a family; side by side over the slots where that is allowed.

    The others are deselected, since pytest takes ids for that which it does not take for places of tests (where those come with a
    package, as in a folder that `quantgate init` has made).
    """
    checkpoints, wanted = {case.checkpoint for case in cases}, {case.node for case in cases}
    workers = min(slots, len(checkpoints)) if cases[0].phase is Phase.ACCURACY else 1
    aside = [f"-n{workers}"] if workers > 1 else []
    others = [f"--deselect={case.node}" for case in every if case.node not in wanted]
    return [*_gates(asked, cases[0].family, records), f"--junitxml={junit}", *aside, *others]


def _gates(asked: Asked, family: str, records: Path) -> list[str]:
    return [*asked.program, *options_of(asked, family, records), *marked(asked.more)]
