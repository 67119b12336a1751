"""The history's lines of what was merged: one for each record, as a night makes them, under one run's name."""

import datetime
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from quantgate.history import Line, line_of, line_without_a_record
from quantgate.merging.judging import Judged
from quantgate.merging.parts import Found, Key, Part
from quantgate.records import Outcome
from quantgate.registry import Registry


def run_of(records: Sequence[Found]) -> str:
    """A name as a night has it, the same whenever the same records are merged: when the first began, and four digits of all."""
    first = datetime.datetime.fromisoformat(min(one.started for one in records)).astimezone(datetime.UTC)
    digest = hashlib.sha256("".join(sorted(one.sha256 for one in records)).encode()).hexdigest()
    return f"{first:%Y%m%dT%H%M%SZ}-{digest[:4]}"


def lines_of(
    tree: Path,
    parts: Sequence[Part],
    records: Mapping[Key, Found],
    judged: Mapping[Key, Judged],
    outcomes: Sequence[Outcome],
    registry: Registry,
) -> list[Line]:
    """By time. `tree`: where the records and their verdicts are by now. A record that a night or an earlier merge has a line of keeps its
    run, its host and what its boot took; what else they have lines of, such as a boot that failed, stays."""
    held: dict[str, Line] = {}
    others: dict[bytes, Line] = {}
    shas = {one.sha256 for one in records.values()}
    for line in (line for part in parts for line in part.lines):
        if line.record_sha256 in shas:
            assert line.record_sha256 is not None
            held[line.record_sha256] = min(line, held.get(line.record_sha256, line), key=lambda one: (one.run, one.host))
        else:
            others[msgspec.json.encode(line)] = line
    new = [one for one in records.values() if one.sha256 not in held]
    run = run_of(new) if new else ""
    hosts = {part.folder: part.shard.host for part in parts if part.shard is not None}
    made = list(others.values())
    for key, record in records.items():
        known = held.get(record.sha256)
        failed = judged[key].why_not if key in judged else None
        boot = known.boot_seconds if known is not None else None
        line = line_of(_place(tree, key), known.run if known is not None else run, boot_seconds=boot, failed=failed)
        made.append(msgspec.structs.replace(line, host=known.host if known is not None else hosts.get(record.folder, line.host)))
    made += _broken(parts, outcomes, records, registry, list(others.values()), run)
    return sorted(made, key=lambda line: (line.at, line.run, line.family, line.checkpoint, line.suite, line.device_class))


def _broken(
    parts: Sequence[Part], outcomes: Sequence[Outcome], records: Mapping[Key, Found], registry: Registry, there: Sequence[Line], run: str
) -> Iterator[Line]:
    """A line for each suite whose test failed before there was a record."""
    precisions = {(family.name, one.name): one.precision for family in registry.family for one in family.checkpoint}
    has_line = {(line.family, line.checkpoint, line.suite) for line in there}
    for one in outcomes:
        key = (one.family, one.checkpoint, one.suite)
        part = next((part for part in parts if part.shard is not None and key in part.mine), None)
        if one.outcome != "failed" or key in records or key in has_line or part is None or part.shard is None:
            continue
        where, name = (part.shard.device_class, *key), run or f"{one.at}-merged"
        line = line_without_a_record(where, precisions.get(key[:2], ""), at=one.at, run=name, verdict="error", reason=one.why)
        yield msgspec.structs.replace(line, host=part.shard.host)


def _place(tree: Path, key: Key) -> Path:
    family, checkpoint, suite = key
    return tree / family / checkpoint / f"{suite}.json"
