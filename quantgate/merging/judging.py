"""Judged again: every checkpoint with the p-values of all its suites, by the judge that pytest has.

In pytest a suite is judged when it is measured, and those to come are taken to show nothing; here all have come. So everything is
weighed first, decided once, so that every p-value is known, and then decided for good: the order of suites plays no part.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from quantgate.baselines import open_baselines
from quantgate.errors import BaselineError, ConfigurationError, MeasurementError
from quantgate.judgement import Approved, Case, Judge, Weighed, read_record, weights_here
from quantgate.merging.parts import Found, Key, said
from quantgate.records import Verdict
from quantgate.registry import Checkpoint, Family, Registry
from quantgate.suites import Catalogue, LoadSuite


class Judged(NamedTuple):
    """Of one record. `verdicts`: with whether each is on what moved since the approval, and over how many suites it was corrected;
    `not_compared`: why a question was not asked, which is no failure; `why_not`: why nothing could be judged, None where it was;
    `is_usable`: whether the file is a record at all."""

    key: Key
    verdicts: list[tuple[Verdict, bool, int]]
    not_compared: list[str]
    why_not: str | None = None
    is_usable: bool = True


class Bench(NamedTuple):
    """What everything is judged by: the families with the suites that were asked of them, and their baselines."""

    registry: Registry
    catalogue: Catalogue
    approved: Approved
    models: Path
    options: tuple[str, ...] = ()


def open_approved(where: str) -> Approved:
    """The approved measurements that --baselines names."""
    return open_baselines(where)


def judge_all(records: Mapping[Key, Found], asked: Iterable[Key], bench: Bench) -> dict[Key, Judged]:
    """Every record; `asked` is all that was selected of each family, measured or not, which the correction over suites counts."""
    suites: dict[str, set[str]] = {}
    for family, _, suite in asked:
        suites.setdefault(family, set()).add(suite)
    groups: dict[tuple[str, str], list[Found]] = {}
    for key, record in sorted(records.items()):
        groups.setdefault(key[:2], []).append(record)
    judged, weights = dict[Key, Judged](), _Weights(records)
    for (family, checkpoint), own in groups.items():
        known = next((one for one in bench.registry.family if one.name == family), None)
        if known is None:
            lacks = f"{bench.models} has no family {family}: give the models.toml that it was measured with (--models)"
            judged |= {one.key: _cannot(one, lacks) for one in own}
            continue
        chosen = msgspec.structs.replace(known, suites=sorted(suites.get(family, ())))
        judged |= _judge_checkpoint(chosen, checkpoint, own, bench, weights)
    return judged


def is_idle(key: Key, bench: Bench) -> bool:
    """Whether it is a load of which no verdict could come on a CPU."""
    family = next((one for one in bench.registry.family if one.name == key[0]), None)
    checkpoint = next((one for one in family.checkpoint if one.name == key[1]), None) if family is not None else None
    if family is None or checkpoint is None or key[2] not in bench.catalogue:
        return False
    case = Case(family, checkpoint, key[2], bench.registry.tolerance_of(family, checkpoint), bench.registry.drift_of(family))
    return bench.catalogue[key[2]][0] is LoadSuite and case.required_speedup("cpu") is None


class _Weights:
    """BF16's weights as this matrix measured them, where it did: this machine may hold none, or others."""

    def __init__(self, records: Mapping[Key, Found]) -> None:
        self._records = {key[:2]: record for key, record in sorted(records.items(), reverse=True)}
        self._kept: dict[str, str | None] = {}

    def __call__(self, checkpoint: Checkpoint) -> str | None:
        name = str(checkpoint)
        if name not in self._kept:
            record = self._records.get((checkpoint.family, checkpoint.name))
            self._kept[name] = weights_here(checkpoint) if record is None else _fingerprint(record)
        return self._kept[name]


def _fingerprint(record: Found) -> str | None:
    try:
        return read_record(record.file).provenance.checkpoint_fingerprint
    except MeasurementError:
        return None


class _Waiting(NamedTuple):
    """What was weighed of one record, for each question."""

    key: Key
    judge: Judge
    questions: list[tuple[bool, list[Weighed | Verdict | str]]]


def _judge_checkpoint(family: Family, name: str, own: Sequence[Found], bench: Bench, weights: _Weights) -> dict[Key, Judged]:
    checkpoint = next((one for one in family.checkpoint if one.name == name), None)
    if checkpoint is None:
        lacks = f"{bench.models} has no checkpoint {family.name}/{name}: give the models.toml that it was measured with (--models)"
        return {one.key: _cannot(one, lacks) for one in own}
    tolerance, drift = bench.registry.tolerance_of(family, checkpoint), bench.registry.drift_of(family)
    loads = frozenset(suite for suite in family.suites if suite in bench.catalogue and bench.catalogue[suite][0] is LoadSuite)
    p_values: dict[str, dict[str, float]] = {}
    judged, waiting = dict[Key, Judged](), list[_Waiting]()
    for record in own:
        case = Case(family, checkpoint, record.key[2], tolerance, drift)
        judge = Judge(case, bench.approved, p_values, weights_of=weights, loads=loads, options=bench.options)
        try:
            measured = read_record(record.file)
        except MeasurementError as error:
            judged[record.key] = Judged(record.key, [], [], str(error), is_usable=False)
            continue
        try:
            if (stranger := judge.of_another(measured)) is not None:
                raise ConfigurationError(stranger)
            weighed = [(False, judge.weigh_quality(measured)), (True, judge.weigh_drift(measured))]
        except (BaselineError, ConfigurationError) as error:
            judged[record.key] = _cannot(record, str(error))
        else:
            waiting.append(_Waiting(record.key, judge, weighed))
    for one in waiting:
        for _, found in one.questions:
            one.judge.decided(found)
    return judged | {one.key: _decided(one) for one in waiting}


def _decided(one: _Waiting) -> Judged:
    verdicts, not_compared = list[tuple[Verdict, bool, int]](), list[str]()
    for is_drift, found in one.questions:
        for weighed, judged in zip(found, one.judge.decided(found), strict=True):
            if isinstance(judged, str):
                not_compared.append(judged)
            else:
                suites = one.judge.others(weighed).suites if isinstance(weighed, Weighed) else 1
                verdicts.append((judged, is_drift, suites))
    return Judged(one.key, verdicts, not_compared)


def _cannot(record: Found, why: str) -> Judged:
    return Judged(record.key, [], [], f"{said(record.key)} is not judged: {why}")
