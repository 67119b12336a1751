"""What cannot be one whole: a sentence for each reason, with both places and what to do."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from quantgate.merging.parts import Found, Key, Part, said

SPEED = "throughput"
"""The kind of a record of speed."""


def of_places(folders: Sequence[Path], into: Path) -> Iterator[str]:
    """An output that is, holds or lies in an input: it would be replaced while it is read, or be read the next time."""
    if into.exists() and not into.is_dir():
        yield f"-o {into} is a file: name a folder"
    for folder in folders:
        one, other = folder.resolve(), into.resolve()
        if one == other:
            yield f"-o {into} is {folder}, one of the folders that are merged: name another folder, since what went in stays as it is"
        elif one.is_relative_to(other) or other.is_relative_to(one):
            how = "lies in" if one.is_relative_to(other) else "holds"
            yield f"{folder}, which is merged, {how} -o {into}: name a folder beside it"


def of_shards(parts: Sequence[Part]) -> Iterator[str]:
    """Shards that are none of one matrix, cut or models.toml."""
    shards = [part for part in parts if part.shard is not None]
    cut = [part for part in shards if part.shard is not None and part.shard.count > 1]
    first = next(iter(shards), None)
    for part in shards:
        assert first is not None
        assert first.shard is not None
        assert part.shard is not None
        if part.shard.models_sha256 != first.shard.models_sha256:
            two = f"{first.name} ({first.shard.models_sha256[:12]}) and {part.name} ({part.shard.models_sha256[:12]})"
            yield f"{two} were run with different models.toml: run both with one, or merge those of one alone"
            return
    for part in cut:
        one, other = cut[0].shard, part.shard
        assert one is not None
        assert other is not None
        two = f"{cut[0].name} and {part.name}"
        if sorted(one.matrix) != sorted(other.matrix):
            differing = sorted(set(one.matrix) ^ set(other.matrix))
            example = f" ({differing[0]} is in one alone)" if differing else ""
            yield f"{two} are of different matrices{example}: run every shard with the same options (--family, --suites, -m)"
            return
        if one.count != other.count or one.cut != other.cut:
            yield f"{two} are of different cuts: run every shard with the same N in --shard=I/N, and with the same history beside it"
            return
    alone = next((part for part in parts if part.shard is None), None)
    if cut and alone is not None:
        yield f"{cut[0].name} is part of a matrix, and {alone.folder} has no shard.json: give one or the other"


def missing(parts: Sequence[Part]) -> Iterator[str]:
    """Shards that nobody gave, and those that began and never ended."""
    cut = [part for part in parts if part.shard is not None and part.shard.count > 1]
    if cut and (first := cut[0].shard) is not None:
        given = {part.shard.index for part in cut if part.shard is not None}
        for index, families in enumerate(first.cut, 1):
            if families and index not in given:
                there = " and ".join(part.name for part in cut)
                what = f"shard {index} of {first.count} ({', '.join(families)}) is missing beside {there}"
                yield f"{what}: give its folder, or measure it with pytest --shard={index}/{first.count}"
    for part in parts:
        if part.shard is not None and not part.has_ended and not any(_ended_for(other, part) for other in parts):
            what = f"{part.name} on {part.shard.host}, begun {part.shard.started}, never ended"
            others = f" ({', '.join(one.name for one in parts if one is not part)} did)" if len(parts) > 1 else ""
            yield f"{what}{others}: run it again, with --reuse into the same folder so that what is whole there is not measured twice"


def _ended_for(other: Part, part: Part) -> bool:
    """Whether it is the same shard, run again somewhere else until it ended."""
    one, two = other.shard, part.shard
    if one is None or two is None or one.ended is None:
        return False
    return (one.index, one.count, one.cut, set(one.mine)) == (two.index, two.count, two.cut, set(two.mine))


def of_records(candidates: Mapping[Key, Sequence[tuple[Part, Found]]]) -> Iterator[str]:
    """Two different records for one key."""
    for key, found in sorted(candidates.items()):
        (part, first), *rest = found
        for other, record in rest:
            if record.sha256 == first.sha256:
                continue
            two = f"{part.name} has one from {first.started}, {other.name} one from {record.started}"
            twice = part.shard is not None and other.shard is not None and part.shard.count > 1 and part.shard.index == other.shard.index
            what = f"one shard is given twice, with different records of {said(key)}" if twice else f"two different records of {said(key)}"
            yield f"{what}: {two}; leave one of the folders out, or take the record that does not count away"
            break


def of_speeds(chosen: Sequence[Found]) -> Iterator[str]:
    """Speeds of one family, from two folders, of two device classes: nothing that compares them may be said."""
    speeds = sorted((one for one in chosen if one.kind == SPEED), key=lambda one: one.key)
    for family, own in groupby(speeds, key=lambda one: one.key[0]):
        first, *rest = own
        other = next((one for one in rest if _device(one) != _device(first) and one.folder != first.folder), None)
        if other is not None:
            two = f"{first.name} on {first.device_class} ({first.folder}) and {other.name} on {other.device_class} ({other.folder})"
            yield f"speeds of two device classes in {family}'s verdicts: {two}; merge the folders of each device class by themselves"


def _device(record: Found) -> str:
    """Its device class without the number of devices, which a family's checkpoints may differ in on one host."""
    head, _, last = record.device_class.rpartition(" ")
    return head if head and last.startswith("tp") and last[2:].isdigit() else record.device_class


def of_output(there: Mapping[Key, Found], chosen: Mapping[Key, Found], into: Path) -> Iterator[str]:
    """Records in the output folder that are others than those that go there."""
    for key, record in sorted(there.items()):
        new = chosen.get(key)
        if new is None:
            yield f"-o {into} holds a record of {said(key)} ({record.file}), which no folder that is merged has: name a new folder"
        elif new.sha256 != record.sha256:
            two = f"{record.file} from {record.started}, {new.file} from {new.started}"
            yield f"-o {into} holds another record of {said(key)}: {two}; name a new folder, or take the old one away"
