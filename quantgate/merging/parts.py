"""What went in: folders of records, each a shard, a whole run, or a folder alone, read without judging anything."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from quantgate.errors import ConfigurationError, MeasurementError
from quantgate.history import FILE, Line, read
from quantgate.records import OUTCOMES, VERDICT, Outcome, Shard, decode, read_outcomes, read_shard

NIGHT = "night.json"
"""What `quantgate nightly` leaves in its records."""
Key = tuple[str, str, str]
"""Family, checkpoint, suite: what there is one record of."""


class _Made(msgspec.Struct, frozen=True):
    device_class: str
    started: str


class _Head(msgspec.Struct, frozen=True):
    """Of a record, what merging has to know before it is judged; the rest is only looked through."""

    kind: str
    family: str
    checkpoint: str
    precision: str
    suite: str
    provenance: _Made


class _Night(msgspec.Struct, frozen=True):
    lines: list[Line] = []


class Found(NamedTuple):
    """A record as it lies; `sha256`: of the file's bytes, by which two are the same."""

    key: Key
    file: Path
    sha256: str
    kind: str
    precision: str
    device_class: str
    started: str

    @property
    def name(self) -> str:
        return said(self.key)

    @property
    def folder(self) -> Path:
        """Of the records that it lies in."""
        return self.file.parents[2]


class Part(NamedTuple):
    """One folder. `lines`: of the history, that a night or an earlier merge has left there; `unreadable`: a sentence for each file that
    stands where a record should and is none."""

    folder: Path
    shard: Shard | None
    records: dict[Key, Found]
    outcomes: list[Outcome]
    lines: list[Line]
    unreadable: list[str]

    @property
    def name(self) -> str:
        """As sentences have it."""
        if self.shard is None or self.shard.count == 1:
            return str(self.folder)
        return f"shard {self.shard.index} of {self.shard.count} ({self.folder})"

    @property
    def matrix(self) -> set[Key]:
        """All that was selected when it was run; of a folder without shard.json, what lies in it."""
        return set(self.records) if self.shard is None else {key_of(entry) for entry in self.shard.matrix}

    @property
    def mine(self) -> set[Key]:
        """What of that this folder was to measure."""
        return set(self.records) if self.shard is None else {key_of(entry) for entry in self.shard.mine}

    @property
    def has_ended(self) -> bool:
        return self.shard is None or self.shard.ended is not None


def key_of(entry: str) -> Key:
    """Of "family/checkpoint:suite"."""
    whose, _, suite = entry.partition(":")
    family, _, checkpoint = whose.partition("/")
    return family, checkpoint, suite


def entry_of(key: Key) -> str:
    return f"{key[0]}/{key[1]}:{key[2]}"


def said(key: Key) -> str:
    """As sentences have it."""
    return f"{key[0]}/{key[1]} {key[2]}"


def read_parts(folders: Sequence[Path]) -> list[Part]:
    """One for each folder, a folder that is named twice once, in an order that is not that of the arguments.

    Raises ConfigurationError for what is no folder, or one with nothing of ours in it; RecordError for a shard.json that is none.
    """
    for folder in folders:
        if not folder.is_dir():
            raise ConfigurationError(f"{folder} is no folder; name those that pytest wrote its records to (--records)")
    parts = [_part(folder) for folder in {folder.resolve(): folder for folder in folders}.values()]
    for part in parts:
        if part.shard is None and not part.records and not part.outcomes and not part.unreadable:
            raise ConfigurationError(f"{part.folder} holds neither shard.json nor a record; name a folder that pytest wrote to (--records)")
    return sorted(parts, key=lambda part: (part.shard.index if part.shard is not None else 0, str(part.folder)))


def _part(folder: Path) -> Part:
    unreadable: list[str] = []
    records = records_in(folder, unreadable)
    return Part(folder, read_shard(folder), records, read_outcomes(folder / OUTCOMES), _lines(folder, unreadable), unreadable)


def records_in(folder: Path, unreadable: list[str]) -> dict[Key, Found]:
    """Every record of a folder; a sentence goes into `unreadable` for each file in a record's place that is none."""
    records = {}
    for file in sorted(folder.glob("*/*/*.json")):
        if file.name.startswith(".") or file.name.endswith(VERDICT) or not file.is_file():
            continue
        try:
            found = _found(file)
        except (MeasurementError, OSError) as error:
            unreadable.append(str(error))
        else:
            records[found.key] = found
    return records


def _found(file: Path) -> Found:
    content = file.read_bytes()
    head = decode(content, _Head, str(file))
    key = (head.family, head.checkpoint, head.suite)
    if (place := (file.parent.parent.name, file.parent.name, file.name.removesuffix(".json"))) != key:
        raise MeasurementError(f"{file} holds {said(key)}, which is not what its place says ({said(place)}); put it where it belongs")
    digest = hashlib.sha256(content).hexdigest()
    return Found(key, file, digest, head.kind, head.precision, head.provenance.device_class, head.provenance.started)


def _lines(folder: Path, unreadable: list[str]) -> list[Line]:
    lines: list[Line] = []
    if (file := folder / FILE).is_file():
        whole = read(file)
        lines += whole.lines
        unreadable += whole.told
    if (file := folder / NIGHT).is_file():
        try:
            lines += decode(file.read_bytes(), _Night, str(file)).lines
        except (MeasurementError, OSError) as error:
            unreadable.append(str(error))
    return lines
