"""What lies in a folder of records: measurements with their verdicts, how tests ended of which no verdict came, what `inspect` found."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from quantgate.baselines import BaselineFolder, Baselines, is_unchanged
from quantgate.errors import BaselineError, MeasurementError
from quantgate.judgement import malformed
from quantgate.records import INSPECTION, OUTCOMES, VERDICT, Measurement, Outcome, Verdict, decode, read_measurement, read_outcomes
from quantgate.registry import REFERENCE_PRECISION

Whose = tuple[str, str]


class SeenFidelity(msgspec.Struct, frozen=True):
    """As `quantgate/checkpoint/fidelity.py` has it; None for what was no number."""

    sqnr_db: float | None
    expected_db: float | None
    bad_rows: int
    rows: int


class SeenLayer(msgspec.Struct, frozen=True):
    name: str
    fidelity: SeenFidelity


class Seen(msgspec.Struct, frozen=True):
    """Of an inspection's report, what the page shows."""

    formats: list[str]
    worst: list[SeenLayer]


class Measured(NamedTuple):
    """One record; `against`: the approved BF16 measurement of the suite, or the run's own where none is approved; `own`: the checkpoint's
    own approved one; each None where there is none."""

    record: Measurement
    file: Path
    verdicts: list[Verdict]
    against: Measurement | None
    own: Measurement | None

    @property
    def whose(self) -> Whose:
        return self.record.family, self.record.checkpoint

    @property
    def is_reference(self) -> bool:
        return self.record.precision == REFERENCE_PRECISION

    @property
    def baseline(self) -> Measurement | None:
        """What this record is held against: its own approval for BF16, else BF16's."""
        return self.own if self.is_reference else self.against

    @property
    def has_news(self) -> bool:
        """Whether anything differs from that: of a record that has just been approved nothing does."""
        return self.baseline is not None and not is_unchanged(self.baseline, self.record)


class Found(NamedTuple):
    """`unreadable`: files that are no records, each with the reason; `inspected`: by checkpoint."""

    records: Path
    measured: list[Measured]
    outcomes: list[Outcome]
    inspected: dict[Whose, Seen]
    unreadable: list[str]


def find(records: Path, baselines: BaselineFolder | Baselines | None) -> Found:
    """Everything below `records`; a file that cannot be read is told, and hides no other."""
    unreadable: list[str] = []
    measured = list(_measurements(records, unreadable))
    verdicts = _verdicts(records, unreadable)
    references = {(one.family, one.suite): one for one, _ in measured if one.precision == REFERENCE_PRECISION}
    approved = _Approved(baselines, unreadable)
    found = []
    for record, file in measured:
        against = approved.reference(record, references) or references.get((record.family, record.suite))
        own = approved.of(record.provenance.device_class, record.family, record.checkpoint, record.suite)
        found.append(Measured(record, file, verdicts[record.family, record.checkpoint, record.suite], against, own))
    inspected = {}
    for file in sorted(records.glob(f"*/*/{INSPECTION}")):
        try:
            inspected[file.parent.parent.name, file.parent.name] = decode(file.read_bytes(), Seen, str(file))
        except (MeasurementError, OSError) as error:
            unreadable.append(str(error))
    return Found(records, found, _open(read_outcomes(records / OUTCOMES), found), inspected, unreadable)


def _measurements(records: Path, unreadable: list[str]) -> Iterator[tuple[Measurement, Path]]:
    for file in sorted(records.glob("*/*/*.json")):
        if file.name.endswith(VERDICT):
            continue
        try:
            record = read_measurement(file)
        except (MeasurementError, OSError) as error:
            unreadable.append(str(error))
            continue
        if (wrong := malformed(record)) is not None:
            unreadable.append(f"{file} was not written by a measurement: {wrong}")
        else:
            yield record, file


def _verdicts(records: Path, unreadable: list[str]) -> defaultdict[tuple[str, str, str], list[Verdict]]:
    found: defaultdict[tuple[str, str, str], list[Verdict]] = defaultdict(list)
    for file in sorted(records.glob(f"*/*/*{VERDICT}")):
        try:
            judged = decode(file.read_bytes(), Verdict, str(file))
        except (MeasurementError, OSError) as error:
            unreadable.append(str(error))
        else:
            found[judged.family, judged.checkpoint, judged.suite].append(judged)
    return found


def _open(outcomes: list[Outcome], measured: list[Measured]) -> list[Outcome]:
    """Those that no later record has answered: a boot that failed yesterday is none of today's news."""
    since = {(*one.whose, one.record.suite): one.record.provenance.started for one in measured}
    return [one for one in outcomes if one.outcome == "skipped" or since.get((one.family, one.checkpoint, one.suite), "") <= one.at]


class _Approved:
    """Approved measurements, each read once."""

    def __init__(self, folder: BaselineFolder | Baselines | None, unreadable: list[str]) -> None:
        self._folder, self._unreadable = folder, unreadable
        self._read: dict[tuple[str, str, str, str], Measurement | None] = {}

    def of(self, device_class: str, family: str, checkpoint: str, suite: str) -> Measurement | None:
        key = (device_class, family, checkpoint, suite)
        if self._folder is not None and key not in self._read:
            try:
                self._read[key] = self._folder.load(*key)
            except (BaselineError, OSError) as error:
                self._unreadable.append(str(error))
                self._read[key] = None
        return self._read.get(key)

    def reference(self, record: Measurement, references: dict[tuple[str, str], Measurement]) -> Measurement | None:
        """BF16's of the suite, on this device class or, as for a verdict, on another."""
        if self._folder is None:
            return None
        named = references.get((record.family, record.suite))
        here = record.provenance.device_class
        for device_class in (here, *(one for one in self._folder.device_classes() if one != here)):
            names = [named.checkpoint] if named is not None else self._checkpoints(device_class, record.family)
            for checkpoint in names:
                one = self.of(device_class, record.family, checkpoint, record.suite)
                if one is not None and one.precision == REFERENCE_PRECISION:
                    return one
        return None

    def _checkpoints(self, device_class: str, family: str) -> list[str]:
        assert self._folder is not None
        there = self._folder.checkpoints(device_class, family)
        return sorted(there, key=lambda name: (name != REFERENCE_PRECISION, name))
