"""What one pytest has left: its JUnit file and records → sentences for the night, and lines for the history."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from quantgate.devices import Slot
from quantgate.errors import MeasurementError
from quantgate.history import Line, line_of, line_without_a_record
from quantgate.nightly.cases import Case, Phase
from quantgate.nightly.junit import Outcome, read_junit
from quantgate.nightly.outcome import Night
from quantgate.nightly.running import Ended
from quantgate.registry import Family

LOUD = {
    "fail": "failed",
    "error": "failed",
    "inconclusive": "inconclusive",
    "warning": "warnings",
    "not compared": "warnings",
    "reused": "reused",
}
"""Word of a line that pytest published → where the night keeps it."""


class Batch(msgspec.Struct):
    """One pytest: its family and slots, how it ended (None where the night was interrupted in it), and the cases that it was not asked,
    since their checkpoints' files are unsound; `tensor_parallel` in the place of each checkpoint's own."""

    family: Family
    slots: list[Slot]
    records: Path
    night: Night
    unsound: Mapping[Case, str]
    tensor_parallel: int | None = None
    ended: Ended | None = None


def take(batch: Batch, cases: Sequence[Case], junit: Path | None) -> tuple[list[Line], dict[tuple[str, str], str]]:
    """The lines, and by family and checkpoint what is wrong with its files; sentences go into the night."""
    found = read_junit(junit) if junit is not None else []
    outcomes: dict[str, list[Outcome]] = {}
    for outcome in found or []:
        outcomes.setdefault(outcome.parameters, []).append(outcome)
    _tell(batch, found)
    lines = list(_lines(batch, cases, outcomes))
    unsound = {
        (case.family, case.checkpoint): bad.why
        for case in cases
        if case.phase is Phase.STRUCTURE and case.checkpoint
        for bad in outcomes.get(f"{case.family}/{case.checkpoint}", ())
        if bad.ended == "failed"
    }
    return lines, unsound


def _tell(batch: Batch, found: Sequence[Outcome] | None) -> None:
    night, ended = batch.night, batch.ended
    for outcome in found or []:
        night.passed += outcome.ended == "passed"
        told = [(LOUD[word], line) for word, line in outcome.lines if word in LOUD]
        for kind, line in told:
            getattr(night, kind).append(line)
        if outcome.ended == "failed" and not any(kind == "failed" for kind, _ in told):
            night.failed.append(f"{outcome.parameters}: {outcome.why}")
        if outcome.ended == "skipped":
            night.skipped.append(f"{outcome.parameters}: {outcome.why}")
    if ended is None:
        return
    night.was_late |= ended.was_stopped
    if ended.was_stopped:
        night.warnings.append(f"{batch.family.name}: pytest was stopped after {ended.seconds:.0f} s, at the deadline")
    elif ended.code == 4:
        night.usage.append(f"{batch.family.name}: pytest refused what it was asked; its own sentence stands above")
    elif ended.code not in (0, 1, 5) or found is None:
        how = f"was killed by signal {-ended.code}" if ended.code < 0 else f"ended with exit code {ended.code}"
        night.internal.append(f"{batch.family.name}: pytest {how}")


def _lines(batch: Batch, cases: Sequence[Case], outcomes: Mapping[str, list[Outcome]]) -> Iterator[Line]:
    files = {case: batch.records / case.family / case.checkpoint / f"{case.suite}.json" for case in cases if case.is_measured}
    made = {case: line for case, file in files.items() if (line := _of_this_night(batch, file)) is not None}
    boot = _boot_seconds(batch, list(made.values()))
    for case, file in files.items():
        outcome = next(iter(outcomes.get(f"{case.family}/{case.checkpoint}:{case.suite}", ())), None)
        failed = outcome.why if outcome is not None and outcome.ended == "failed" else None
        if case in made:
            yield line_of(file, batch.night.run, boot_seconds=boot, failed=failed)
        elif case in batch.unsound:
            yield _broken(batch, case, "error", f"not served, since its files are unsound: {batch.unsound[case]}")
        elif failed is not None:
            yield _broken(batch, case, "error", failed)
        elif outcome is None and batch.ended is not None and batch.ended.was_stopped:
            yield _broken(batch, case, "interrupted", "the deadline came first")
        elif outcome is None:
            yield _broken(batch, case, "interrupted", "pytest ended before it")


def _of_this_night(batch: Batch, file: Path) -> Line | None:
    """The record's line, where this night made it."""
    try:
        line = line_of(file, batch.night.run)
    except (OSError, MeasurementError):
        return None
    return line if line.at >= batch.night.started else None


def _boot_seconds(batch: Batch, lines: Sequence[Line]) -> float | None:
    """What a checkpoint took beside its suites, on average of those of this pytest; None where it did not end by itself."""
    if batch.ended is None or batch.ended.was_stopped or not lines:
        return None
    checkpoints = len({line.checkpoint for line in lines})
    side_by_side = min(max(1, len(batch.slots)), checkpoints)
    beside = batch.ended.seconds * side_by_side - sum(line.seconds or 0.0 for line in lines)
    return round(max(0.0, beside) / checkpoints, 1)


def _broken(batch: Batch, case: Case, verdict: Literal["error", "interrupted"], reason: str) -> Line:
    checkpoint = next(one for one in batch.family.checkpoint if one.name == case.checkpoint)
    device_class = batch.slots[0].first(batch.tensor_parallel or checkpoint.serve.tensor_parallel).device_class
    at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    where = (device_class, case.family, case.checkpoint, case.suite)
    return line_without_a_record(where, case.precision, at=at, run=batch.night.run, verdict=verdict, reason=reason)
