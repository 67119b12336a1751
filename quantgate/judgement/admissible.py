"""What may be judged at all: the one place that puts the checks together. Each gives the first thing that stands in the way as a
sentence, or None.

A record by itself is looked at in `wellformed.py`: whether a run can have produced it, and whether it tells anything.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import get_args, get_type_hints

import msgspec

from quantgate.judgement import early
from quantgate.judgement.failed import unfit
from quantgate.judgement.sides import UNKNOWN
from quantgate.judgement.wellformed import malformed, reads_likeliest, void
from quantgate.records import Answer, Answers, DocumentLoss, Measurement, TextLoss, Throughput

MIX = 0.05
"""How far a group's share of the items may differ between two sides that are compared unpaired."""


def between_texts(measured: TextLoss, baseline: TextLoss) -> str | None:
    """Why these two losses cannot be compared document by document, or None."""
    return (
        _incomparable(measured, baseline)
        or not_finite(measured, baseline)
        or _unpaired(measured.documents, baseline.documents, "document")
        or _other_tokens(measured, baseline)
        or reads_likeliest(measured, "measurement")
        or reads_likeliest(baseline, "baseline")
    )


def between_answers(measured: Answers, baseline: Answers, unanswered: float | None = None) -> str | None:
    """Why these answers cannot be compared item by item, or None; `unanswered` is the tolerance's. The measurement's own voids are left
    to the verdict: a loss that is proven in spite of them is a loss."""
    return (
        _incomparable(measured, baseline)
        or not_finite(measured, baseline)
        or early.obstacle(measured, baseline)
        or _unpaired(measured.items, early.asked_of(baseline, measured).items, "item")
        or _meant_otherwise(measured, baseline)
        or _graded_otherwise(measured, baseline)
        or void(baseline, "baseline", unanswered)
    )


def between_unpaired_answers(measured: Answers, baseline: Answers, unanswered: float | None = None) -> str | None:
    """Why two accuracies cannot be compared where the items do not pair, or None."""
    found = _incomparable(measured, baseline, but="suite_fingerprint") or not_finite(measured, baseline)
    if found is None and not (measured.items and baseline.items):
        found = "one side has no items: measure again"
    found = found or void(baseline, "baseline", unanswered) or void(measured, may=unanswered)
    if found is None and (one := measured.stopped or baseline.stopped) is not None:
        found = f"{early.how_far(one)}, and what was stopped early is compared in pairs only"
    both = (*measured.items, *baseline.items)
    if found is None and "category" in (measured.mean, baseline.mean):
        found = "the mean by category is compared in pairs only"
    if found is None and any(item.worth not in (0, 1) for item in both):
        found = "graded answers are compared in pairs only"
    if found is None and (inside := next((item for item in both if item.cluster is not None), None)) is not None:
        found = f"item {inside.id!r} belongs to a cluster ({inside.cluster!r}), and what belongs together is compared in pairs only"
    alike = measured.provenance.suite_fingerprint == baseline.provenance.suite_fingerprint
    if found is None and alike and {item.id for item in measured.items} == {item.id for item in baseline.items}:
        found = f"these {len(measured.items)} items pair, and pairs show far more: leave --unpaired out"
    return found


def unpaired_doubts(measured: Answers, baseline: Answers) -> list[str]:
    """What to think of before two accuracies are compared that may not be of the same questions."""
    found = []
    now, before = measured.provenance.suite_fingerprint, baseline.provenance.suite_fingerprint
    if now != before:
        found.append(f"the suite is another ({before or 'unknown'} and {now or 'unknown'})")
    shared = len({item.id for item in measured.items} & {item.id for item in baseline.items})
    if shared and now == before:
        found.append(f"{shared} ids are on both sides, and pairs show far more: compare these alone, without --unpaired")
    sides = [Counter(item.group for item in one.items) for one in (measured, baseline)]
    mixes = [{group: count / one.total() for group, count in one.items()} for one in sides]
    if (apart := max((abs(mixes[0].get(group, 0) - mixes[1].get(group, 0)) for group in sides[0] | sides[1]), default=0.0)) > MIX:
        found.append(f"the groups stand in other proportions on either side (by up to {100 * apart:.0f} points): look at each by itself")
    return found


def between_speeds(measured: Throughput, baseline: Throughput) -> str | None:
    """Why a speed cannot be compared with an approved one, or None; text and answers may be across device classes, speed never."""
    found = _incomparable(measured, baseline) or not_finite(measured, baseline)
    for name in ("concurrency", "requests", "max_tokens"):
        found = found or _changed(f"the load's {name}", getattr(baseline, name), getattr(measured, name))
    found = found or _changed("the device class", baseline.provenance.device_class, measured.provenance.device_class)
    for name, record in (("measurement", measured), ("baseline", baseline)):
        found = found or _stopped([one.decode_tps for one in record.rounds], f"the {name}")
    return found


def in_speedup(measured: Throughput) -> str | None:
    """Why a speed says nothing against BF16's in the same run, or None."""
    found = not_finite(measured)
    if measured.log_speedup_over_bf16:
        return found
    if found is None and not measured.bf16_decode_tps:
        found = "no round has its speed-up over BF16: measure the BF16 checkpoint in the same run"
    return found or _stopped([one.decode_tps for one in measured.rounds], "the measurement") or _stopped(measured.bf16_decode_tps, "BF16")


def unfit_to_approve(measured: Measurement, unanswered: float | None = None) -> str | None:
    """Why this measurement can be no baseline, whatever it says, or None; `unanswered` is the tolerance's."""
    found = not_finite(measured) or malformed(measured)
    if isinstance(measured, TextLoss):
        found = found or reads_likeliest(measured, "measurement")
    if isinstance(measured, Answers):
        found = found or void(measured, may=unanswered) or unfit(measured)
        if found is None and measured.stopped is not None:
            found = f"{early.how_far(measured.stopped)}, and a baseline holds all of them: measure it without --stop-early"
    if isinstance(measured, Throughput) and measured.health is not None and measured.health.trouble is not None:
        found = found or f"{measured.health.trouble}; measure again on a device that is well and free"
    return found


def _incomparable(measured: Measurement, baseline: Measurement, but: str = "") -> str | None:
    """The first thing that must be the same on both sides and is not; `but`: a fingerprint that need not be."""
    now, before = measured.provenance, baseline.provenance
    found = _changed("the suite", baseline.suite, measured.suite)
    for name in ("suite", "tokenizer", "chat_template"):
        field = f"{name}_fingerprint"
        if field == but:
            continue
        was, has = getattr(before, field), getattr(now, field)
        if not {was, has} <= UNKNOWN:  # of which the verdict's line says that nobody knows
            found = found or _changed(f"the {field.replace('_', ' ')}", was, has)
    for key in sorted(before.sampling.keys() | now.sampling.keys()):
        found = found or _changed(f"the sampling's {key}", before.sampling.get(key), now.sampling.get(key))
    return found


def _changed(name: str, before: object, now: object) -> str | None:
    return None if before == now else f"{name} changed from {before!r} to {now!r}: measure both alike again"


def _unpaired(measured: Sequence[DocumentLoss | Answer], baseline: Sequence[DocumentLoss | Answer], noun: str) -> str | None:
    """The first item that does not stand exactly once on either side."""
    now, before = Counter(item.id for item in measured), Counter(item.id for item in baseline)
    for name, ids in (("measurement", now), ("baseline", before)):
        if not ids:
            return f"the {name} has no {noun}s: measure again"
        if (twice := next((item for item, times in ids.items() if times > 1), None)) is not None:
            return f"{noun} {twice!r} stands {ids[twice]} times in the {name}: measure again"
    for item in (*before, *now) if before.keys() != now.keys() else ():
        if item not in now or item not in before:
            where = "missing from the measurement" if item not in now else "not in the baseline"
            return f"{noun} {item!r} is {where} ({len(now)} {noun}s measured, {len(before)} in the baseline): measure both alike again"
    return None


def _other_tokens(measured: TextLoss, baseline: TextLoss) -> str | None:
    before = {document.id: document for document in baseline.documents}
    for document in measured.documents:
        other = before[document.id]
        if document.tokens != other.tokens or document.tokens < 1:
            return f"document {document.id!r} has {document.tokens} scored tokens, {other.tokens} in the baseline: encode both alike"
        if document.cluster != other.cluster:
            return _other_cluster("document", document, other)
    return None


def _other_cluster(noun: str, now: DocumentLoss | Answer, before: DocumentLoss | Answer) -> str:
    return f"{noun} {now.id!r} is in cluster {now.cluster!r}, in the baseline in {before.cluster!r}: measure both alike again"


def _graded_otherwise(measured: Answers, baseline: Answers) -> str | None:
    """Answers that are graded, or belong together, on one side and not on the other; call it on items that pair."""
    before = {item.id: item for item in baseline.items}
    for item in measured.items:
        other = before[item.id]
        if item.cluster != other.cluster:
            return _other_cluster("item", item, other)
        if item.group != other.group:
            return f"item {item.id!r} is in group {item.group!r}, in the baseline in {other.group!r}: measure both alike again"
        if item.task != other.task:
            return f"item {item.id!r} is of task {item.task!r}, in the baseline of {other.task!r}: measure both alike again"
        if (item.score is None) != (other.score is None):
            return f"item {item.id!r} is graded on one side and right or wrong on the other: measure both alike again"
    return None


def _meant_otherwise(measured: Answers, baseline: Answers) -> str | None:
    return _changed("the mean that is judged", baseline.mean, measured.mean)


def not_finite(*records: Measurement) -> str | None:
    for name, record in zip(("measurement", "baseline"), records, strict=False):
        for place, number in _floats(record, ""):
            if not math.isfinite(number):
                return f"{place.lstrip('.')} is {number} in the {name}: nothing can be concluded from it"
    return None


def _floats(value: object, place: str) -> Iterator[tuple[str, float]]:
    """Every float below `value` with its place; a list's entry is named by its id, else by its number from 1."""
    if isinstance(value, float):
        yield place, value
    elif isinstance(value, msgspec.Struct):
        for name in _with_numbers(type(value)):
            if (part := getattr(value, name)) is not None:
                yield from _floats(part, f"{place}.{name}")
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _floats(part, f"{place}.{key}")
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value, 1):
            if isinstance(part, float):
                if not math.isfinite(part):
                    yield f"{place}[{number}]", part
            elif not _is_finite(part):
                yield from _floats(part, f"{place}[{repr(part.id) if hasattr(part, 'id') else number}]")


def _is_finite(value: object) -> bool:
    """Whether no float below `value` is none: as a place costs more than a look, it is made up for those that have one."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, msgspec.Struct):
        return all(_is_finite(getattr(value, name)) for name in _with_numbers(type(value)))
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return not isinstance(value, list | tuple) or all(map(_is_finite, value))


@lru_cache
def _with_numbers(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields that may hold a float anywhere: of a hundred thousand answers this leaves one of a dozen to look at."""
    return tuple(name for name, hint in get_type_hints(kind).items() if name in kind.__struct_fields__ and not _is_plain(hint))


def _is_plain(hint: object) -> bool:
    inner = get_args(hint)
    return all(map(_is_plain, inner)) if inner else hint in (str, int, bool, type(None))


def _stopped(decode_tps: Sequence[float], name: str) -> str | None:
    """Why these rounds have no logarithm, or None."""
    stopped = next((number for number, one in enumerate(decode_tps, 1) if one <= 0), None)
    if decode_tps and stopped is None:
        return None
    return f"{name} has no speed in {'any round' if stopped is None else f'round {stopped}'}: measure again"
