"""A night of one shard: its families, and `shard.json` beside its records when it begins and when it has ended."""

import datetime
import hashlib
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from quantgate import __version__
from quantgate.history import Line
from quantgate.matrix import cut, shard_of, units
from quantgate.nightly.asked import Asked
from quantgate.records import Shard, write_shard
from quantgate.registry import Family, Registry
from quantgate.suites import Catalogue


def part_of(asked: Asked, loaded: Registry, families: Sequence[Family], known: Catalogue, lines: Iterable[Line]) -> Shard | None:
    """Which part of the matrix this night is, as `pytest --shard` cuts it; None where it is all of it. Raises ConfigurationError for a
    shard that there is not."""
    if asked.shard is None:
        return None
    place = shard_of(asked.shard, os.environ)
    every = units(loaded, families, known, lines, asked.tp)
    parts = cut(every, place.count)
    own = parts[place.index - 1]
    return Shard(
        index=place.index,
        count=place.count,
        matrix=sorted(key for one in every for key in one.keys),
        mine=sorted(key for one in every if one.family in own for key in one.keys),
        cut=parts,
        models_sha256=hashlib.sha256(asked.models.read_bytes()).hexdigest(),
        device_class="",
        inconclusive=asked.inconclusive,
        must_run="--must-run" in asked.more,
        host=platform.node(),
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        quantgate=__version__,
    )


def end(records: Path, part: Shard, exit_code: int, device_class: str) -> None:
    """Write that it has ended. Raises RecordError where that cannot be written."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    write_shard(records, msgspec.structs.replace(part, ended=now, exit_code=exit_code, device_class=device_class))
