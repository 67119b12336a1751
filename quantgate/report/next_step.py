"""What to type after a verdict that is red: the commands, exactly, with this run's folders in them."""

import shlex
from pathlib import Path
from typing import NamedTuple

from quantgate.baselines import Baselines
from quantgate.records import Measurement, Verdict
from quantgate.registry import REFERENCE_PRECISION, Family

OWN = "own"


class Places(NamedTuple):
    """Where a run has its things. `models`: a models.toml that is not the one in this folder; `options`: those of pytest that another run
    has to repeat; `family` is None where no models.toml was found, and then no command names a checkpoint's files."""

    records: Path
    baselines: Baselines | None = None
    family: Family | None = None
    models: Path | None = None
    options: tuple[str, ...] = ()


def next_commands(judged: Verdict, measured: Measurement, against: Measurement | None, places: Places) -> list[str]:
    """For a fail or an error: look at the files, see the comparison again, and, where only an approval is out of date, approve anew.
    Nothing for what is not red. `against`: the approved measurement that it was judged against, where there is one."""
    if judged.verdict not in ("fail", "error"):
        return []
    is_own = judged.against == OWN or measured.precision == REFERENCE_PRECISION
    found = [_inspect(measured, places), _compare(judged, measured, against, places)]
    if is_own and judged.verdict == "fail":
        found.append(_approve(measured, places))
    return [one for one in found if one]


def _inspect(measured: Measurement, places: Places) -> str:
    """Of the checkpoint's files, against BF16's."""
    family = places.family
    checkpoint = next((one for one in family.checkpoint if one.name == measured.checkpoint), None) if family is not None else None
    if family is None or checkpoint is None or not checkpoint.has_weights:
        return ""
    base = family.reference()
    against = ["--against", base.path] if base is not None and base is not checkpoint else []
    revision = ["--revision", checkpoint.revision] if checkpoint.revision else []
    return shlex.join(["quantgate", "inspect", checkpoint.path, *against, *revision])


def _compare(judged: Verdict, measured: Measurement, against: Measurement | None, places: Places) -> str:
    """The two records once more, item by item in the same words."""
    if places.baselines is None or against is None or judged.against == "same run" or judged.drop is None:
        return ""
    before = places.baselines.place(against)
    if before is None:
        return ""  # it stands in a store alone
    now = places.records / measured.family / measured.checkpoint / f"{measured.suite}.json"
    models = ["--models", str(places.models)] if places.models is not None else []
    return shlex.join(["quantgate", "compare", str(before), str(now), *models])


def _approve(measured: Measurement, places: Places) -> str:
    """Where the change is wanted, and somebody says why."""
    named = [f"--family={measured.family}", *places.options]
    return f'{" ".join(["pytest", "-m", measured.precision, *named])} --snapshot-update --reason "why this is right"'
