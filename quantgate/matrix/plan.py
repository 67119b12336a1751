"""What a matrix will take, before anything of it runs: what is done already, minutes and where they are known from, what each suite can
decide, whether BF16 has been measured; and over so many hosts who does what until when. Nothing boots, nothing is fetched."""

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from quantgate.errors import BaselineError, QuantgateError
from quantgate.history import Line
from quantgate.judgement import Approved, Case, foreseen, has_no_verdict
from quantgate.matrix.cost import Key, Source, SuiteCost, class_with, costs, suites_of
from quantgate.matrix.cut import cut, ends_of, lower_bound
from quantgate.matrix.reuse import NO_RECORD, done
from quantgate.matrix.unit import units
from quantgate.matrix.weights import weights_bytes
from quantgate.records import Measurement
from quantgate.registry import REFERENCE_PRECISION, Checkpoint, Family, Registry, here_alone
from quantgate.suites import Catalogue, LoadSuite, Suite


class PlannedSuite(msgspec.Struct, frozen=True, kw_only=True):
    """`seconds`: what it will take, 0 where it is `done` (when it was measured); `why`: why it is to be measured; `decides`: in words, None
    where nobody can tell before it has run; `baseline`: of what class BF16's is that it is judged by, "" where there is none yet, None
    where it needs none."""

    suite: str
    seconds: float
    source: Source
    done: str | None
    why: str | None
    decides: str | None
    baseline: str | None


class PlannedUnit(msgspec.Struct, frozen=True, kw_only=True):
    """One checkpoint on one class of devices; `boots`: 1, or 0 where all of it is done; `seconds`: boot and all."""

    family: str
    checkpoint: str
    precision: str
    device_class: str
    devices: int
    suites: list[PlannedSuite]
    boots: int
    boot_seconds: float
    seconds: float
    source: Source
    weights_bytes: int | None
    is_reference: bool


class PlannedShard(msgspec.Struct, frozen=True, kw_only=True):
    index: int
    families: list[str]
    seconds: float


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`device_hours`: devices times hours; `makespan_seconds`: when the last of the shards has ended, each on one host with one slot of the
    class; `lower_bound_seconds`: no cut by family ends sooner; `idle`: the share of the hosts' time until then in which they have nothing
    to do. `bf16_first`: what has to be measured and approved before the others can be judged."""

    device_class: str
    units: list[PlannedUnit]
    boots: int
    device_hours: float
    seconds: float
    shards: list[PlannedShard]
    makespan_seconds: float
    lower_bound_seconds: float
    idle: float
    bf16_first: list[str]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is planned for. `families`: with the suites that are asked of them, and `--tp` in the place of their own devices
    (`tensor_parallel`); `checkpoints`: these names alone; `records`: what may be done already, None to measure all again; `hosts`: shards.
    """

    registry: Registry
    families: Sequence[Family]
    catalogue: Catalogue
    lines: Sequence[Line]
    approved: Approved
    hosts: int = 1
    records: Path | None = None
    data: Path | None = None
    tensor_parallel: int | None = None
    checkpoints: Sequence[str] | None = None


def plan(asked: Asked, device_class: str) -> Plan:
    """Of this class of devices (of one: "NVIDIA H200")."""
    prices = costs(asked.registry, asked.families, asked.catalogue, asked.lines, asked.tensor_parallel, device_class, here=True)
    known = _Suites(asked.catalogue, asked.data)
    approved = _Remembered(asked.approved)
    everything = units(asked.registry, asked.families, asked.catalogue, asked.lines, asked.tensor_parallel, checkpoints=asked.checkpoints)
    by_name = {family.name: family for family in asked.families}
    found = []
    with here_alone():
        for unit in everything:
            family = by_name[unit.family]
            checkpoint = next(one for one in family.checkpoint if one.name == unit.checkpoint)
            if (one := _unit(asked, family, checkpoint, prices, known, approved, device_class)) is not None:
                found.append(one)
    seconds: dict[str, float] = {family.name: 0.0 for family in asked.families}
    for one in found:
        seconds[one.family] += one.seconds
    shards = cut(everything, asked.hosts)
    ends = ends_of(shards, seconds)
    makespan, total = max(ends, default=0.0), sum(ends)
    return Plan(
        device_class=device_class,
        units=found,
        boots=sum(one.boots for one in found),
        device_hours=sum(one.devices * one.seconds for one in found) / 3600,
        seconds=total,
        shards=[PlannedShard(index=n, families=own, seconds=end) for n, (own, end) in enumerate(zip(shards, ends, strict=True), 1)],
        makespan_seconds=makespan,
        lower_bound_seconds=lower_bound(seconds.values(), asked.hosts),
        idle=1 - total / (makespan * asked.hosts) if makespan else 0.0,
        bf16_first=_bf16_first(found, by_name),
    )


def _unit(
    asked: Asked,
    family: Family,
    checkpoint: Checkpoint,
    prices: dict[Key, SuiteCost],
    known: "_Suites",
    approved: Approved,
    device_class: str,
) -> PlannedUnit | None:
    """None where nothing of it could be judged here."""
    count = checkpoint.serve.tensor_parallel
    where = class_with(device_class, count)
    tolerances = asked.registry.tolerance_of(family, checkpoint), asked.registry.drift_of(family)
    suites = []
    for name in suites_of(family, checkpoint, asked.catalogue):
        case = Case(family, checkpoint, name, *tolerances)
        if not has_no_verdict(case, asked.catalogue[name][0], where):
            suites.append(_suite(asked, case, known, approved, where, prices[family.name, checkpoint.name, name]))
    if not suites:
        return None
    left = [one for one in suites if one.done is None]
    boot = max((prices[family.name, checkpoint.name, one.suite].boot_seconds or 0.0 for one in left), default=0.0)
    return PlannedUnit(
        family=family.name,
        checkpoint=checkpoint.name,
        precision=checkpoint.precision,
        device_class=where,
        devices=count,
        suites=suites,
        boots=int(bool(left)),
        boot_seconds=boot,
        seconds=boot + sum(one.seconds for one in left),
        source="history" if all(one.source == "history" for one in left) else "estimate",
        weights_bytes=weights_bytes(family, checkpoint, here=True),
        is_reference=checkpoint.precision == REFERENCE_PRECISION,
    )


def _suite(asked: Asked, case: Case, known: "_Suites", approved: Approved, where: str, price: SuiteCost) -> PlannedSuite:
    suite = known.of(case.suite)
    if asked.records is None:
        found: Measurement | str = "all is measured again"
    elif isinstance(suite, str):
        file = asked.records / case.family.name / case.checkpoint.name / f"{case.suite}.json"
        found = suite if file.exists() else NO_RECORD
    else:
        found = done(case, suite, asked.records, where)
    decides = None
    if not isinstance(suite, str):
        with contextlib.suppress(BaselineError):
            seen = foreseen(case, suite, approved, where)
            decides = None if seen is None else str(seen)
    return PlannedSuite(
        suite=case.suite,
        seconds=(price.seconds or 0.0) if isinstance(found, str) else 0.0,
        source=price.source,
        done=None if isinstance(found, str) else found.provenance.started,
        why=found if isinstance(found, str) and found != NO_RECORD else None,
        decides=decides,
        baseline=_baseline(case, asked.catalogue[case.suite][0], approved, where),
    )


def _baseline(case: Case, kind: type[Suite], approved: Approved, where: str) -> str | None:
    """The device class of BF16's approved measurement; speed is judged against its own, or BF16's of the same run."""
    reference = case.family.reference()
    if kind is LoadSuite or reference is None:
        return None
    for device_class in (where, *approved.device_classes()):
        with contextlib.suppress(BaselineError):
            if approved.load(device_class, case.family.name, reference.name, case.suite) is not None:
                return device_class
    return ""


def _bf16_first(found: Iterable[PlannedUnit], families: dict[str, Family]) -> list[str]:
    """family/checkpoint:suite of BF16's measurements that others wait for."""
    waiting: dict[str, None] = {}
    for unit in found:
        reference = families[unit.family].reference()
        for one in unit.suites:
            if one.baseline == "" and reference is not None:
                waiting[f"{reference}:{one.suite}"] = None
    return list(waiting)


class _Suites:
    """Each suite loaded once, from this machine alone, or why it cannot be."""

    def __init__(self, catalogue: Catalogue, data: Path | None) -> None:
        self._catalogue, self._data, self._loaded = catalogue, data, dict[str, Suite | str]()

    def of(self, name: str) -> Suite | str:
        if name not in self._loaded:
            try:
                self._loaded[name] = self._catalogue[name][1](self._data)
            except (QuantgateError, OSError, ImportError) as error:
                self._loaded[name] = f"its data are not here, so nobody can tell whether they are the same: {str(error).splitlines()[0]}"
        return self._loaded[name]


class _Remembered:
    """Approved measurements, each read once."""

    def __init__(self, approved: Approved) -> None:
        self._approved, self._classes = approved, approved.device_classes()
        self._read: dict[tuple[str, str, str, str], Measurement | None] = {}

    def load(self, device_class: str, family: str, checkpoint: str, suite: str) -> Measurement | None:
        key = (device_class, family, checkpoint, suite)
        if key not in self._read:
            self._read[key] = self._approved.load(*key)
        return self._read[key]

    def device_classes(self) -> list[str]:
        return self._classes
