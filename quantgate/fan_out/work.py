"""What is to be done: a unit of the matrix at a device class, what it needs of a node, what it waits for, and what became of it."""

from pathlib import Path
from typing import Literal

import msgspec

from quantgate.fan_out.engine import Need

NO_TESTS = 5
"""Pytest's exit code where it has selected none."""
State = Literal["waits", "queued", "asked", "runs", "ended", "lost", "stopped", "left"]
"""waits: for another unit; asked: the cluster has it and no node yet; lost: nodes died under it once too often; left: never run."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """`name`: family/checkpoint, with the class before it where there are several; `seconds` that it is expected to take; `after`: the name
    of the work that has to have ended before; `folder`: where what it measures comes together here."""

    name: str
    family: str
    checkpoint: str
    suites: tuple[str, ...]
    seconds: float
    need: Need
    folder: Path
    after: str | None = None
    group: str = ""

    @property
    def keys(self) -> list[str]:
        return [f"{self.family}/{self.checkpoint}:{suite}" for suite in self.suites]


class Course(msgspec.Struct, kw_only=True):
    """How far a work has come: `host` it runs on, `suite` that it is at, `began` on the monotonic clock; `codes` of its pytests; `why` of a
    state that is not what one would want; `attempts`: how often it was begun."""

    work: Work
    state: State = "queued"
    host: str = ""
    suite: str = ""
    done: int = 0
    began: float | None = None
    seconds: float = 0.0
    codes: list[int] = []
    why: str = ""
    attempts: int = 0

    @property
    def selected_nothing(self) -> bool:
        """Whether a `-m`, `-k` or path left none of its tests."""
        return self.state == "ended" and self.codes[-1:] == [NO_TESTS]

    @property
    def is_over(self) -> bool:
        return self.state in ("ended", "lost", "stopped", "left")


def in_order(works: list[Work]) -> list[Work]:
    """What others wait for first, by how long it and the longest of those take; then the longest, ties by name."""
    behind: dict[str, float] = {}
    for work in works:
        if work.after is not None:
            behind[work.after] = max(behind.get(work.after, 0.0), work.seconds)
    return sorted(works, key=lambda work: (work.name not in behind, -work.seconds - behind.get(work.name, 0.0), work.name))
