"""Two runs become two records that may be judged: items paired by id and by content, what one side alone tells taken out and told.

The same id with another question is an error, with both shown. An item that one side lacks is one too, unless `common` asks for what
both have; then the note counts what was left out.
"""

from collections import Counter
from typing import NamedTuple

import msgspec

from quantgate import fingerprint
from quantgate.errors import MeasurementError
from quantgate.measure.adopt.run import UNKNOWN, Run
from quantgate.records import Answers

TEMPLATE = "chat_template_fingerprint"


class Pair(NamedTuple):
    """`note`: what the verdict's line has to say of where these come from."""

    baseline: Answers
    candidate: Answers
    note: str


def pair(baseline: Run, candidate: Run, *, common: bool = False, paired: bool = True) -> Pair:
    """Raises MeasurementError where items do not pair; without `paired` that is not asked."""
    if baseline.harness != candidate.harness:
        raise MeasurementError(f"{baseline.path} is {baseline.harness}'s, {candidate.path} {candidate.harness}'s: give two of a kind")
    notes = [_figure(baseline, candidate)]
    if paired:
        shared = [name for name in baseline.asked if name in candidate.asked]
        notes.append(_missing(baseline, candidate, len(shared), common=common))
        for name in shared:
            _same_content(name, baseline, candidate)
        for one in (baseline, candidate):
            _keep(one, set(shared))
    else:
        for one in (baseline, candidate):
            _release_lone(one)
    notes += [f"{one.remark} ({whose})" for one, whose in ((candidate, "here"), (baseline, "baseline")) if one.remark]
    notes += [_ways(baseline, candidate), _told_once(baseline, candidate), _no_content(baseline, candidate)]
    if baseline.is_graded != candidate.is_graded:
        for one in (baseline, candidate):
            one.items = [msgspec.structs.replace(item, score=item.worth) for item in one.items]
    elif baseline.is_graded:
        for one in (baseline, candidate):
            one.items = [item if item.score is not None else msgspec.structs.replace(item, score=item.worth) for item in one.items]
    suites = [one.suite or candidate.path.name.partition(".")[0] for one in (baseline, candidate)]
    names = _names(baseline, candidate)
    before, now = (one.record(suite, name, print_of(one)) for one, suite, name in zip((baseline, candidate), suites, names, strict=True))
    return Pair(before, now, "; ".join(note for note in notes if note))


def _names(baseline: Run, candidate: Run) -> list[str]:
    """The models'; where these are not told, or the same on both sides, what the paths differ by."""
    parts = [one.path.with_name(one.path.name.partition(".")[0]).parts[::-1] for one in (baseline, candidate)]
    apart = next((list(pair) for pair in zip(*parts, strict=False) if pair[0] != pair[1]), None)
    if apart is None:  # one file that holds both
        stem, is_one = parts[0][0], baseline.items == candidate.items
        apart = [stem, stem] if is_one else [f"{stem} (baseline)", f"{stem} (candidate)"]
    told = [one.model for one in (baseline, candidate)]
    if told[0] == told[1]:
        return [f"{model} in {part}" if model else part for model, part in zip(told, apart, strict=True)]
    return [model or part for model, part in zip(told, apart, strict=True)]


def _figure(baseline: Run, candidate: Run) -> str:
    said = f"{candidate.harness}'s {candidate.figure}" if candidate.figure else f"from {candidate.harness}'s files"
    if baseline.figure != candidate.figure:
        raise MeasurementError(
            f"{baseline.path} has {baseline.figure or 'no figure by name'}, {candidate.path} {candidate.figure or 'no figure by name'}: "
            "choose one that both have (--filter, --metric)"
        )
    return said


def _missing(baseline: Run, candidate: Run, shared: int, *, common: bool) -> str:
    lacks = [sum(name not in other.asked for name in one.asked) for one, other in ((baseline, candidate), (candidate, baseline))]
    if not any(lacks):
        return ""
    if not shared:
        shown = " and ".join(repr(next(iter(one.asked))) for one in (baseline, candidate))
        raise MeasurementError(f"{baseline.path} and {candidate.path} share no item (the first are {shown}): these are other items")
    if common:
        return f"{shared:,} items that both sides have: {lacks[0]:,} more are missing from the candidate, {lacks[1]:,} from the baseline"
    where, one, other = ("candidate", baseline, candidate) if lacks[0] else ("baseline", candidate, baseline)
    first = next(name for name in one.asked if name not in other.asked)
    raise MeasurementError(
        f"item {first!r} is missing from the {where} ({other.path}): the candidate lacks {lacks[0]:,} that the baseline has, the baseline "
        f"{lacks[1]:,} that the candidate has; --common compares the {shared:,} that both have"
    )


def _same_content(name: str, baseline: Run, candidate: Run) -> None:
    before, now = baseline.asked[name], candidate.asked[name]
    if before.what and now.what and before.what != now.what:
        shown = f"{before.shown!r} ({baseline.at(before)}) and {now.shown!r} ({candidate.at(now)})"
        further = ", which differ further on" if before.shown == now.shown else ""
        raise MeasurementError(f"item {name!r} is another question on either side: {shown}{further}; measure both on the same data")
    if before.how and now.how and before.how != now.how:
        raise MeasurementError(
            f"item {name!r} was asked in another prompt on either side ({baseline.at(before)}, and "
            f"{candidate.at(now)}): template, examples or instruction differ; measure both alike"
        )


def _keep(one: Run, names: set[str]) -> None:
    if len(names) < len(one.asked):
        one.items = [item for item in one.items if item.id in names]
        one.failed = {name: why for name, why in one.failed.items() if name in names}
        one.asked = {name: asked for name, asked in one.asked.items() if name in names}


def _release_lone(one: Run) -> None:
    """A cluster of one is none; only pairs are compared in clusters."""
    times = Counter(item.cluster for item in one.items)
    lone = {cluster for cluster, count in times.items() if count == 1 and cluster is not None}
    one.items = [msgspec.structs.replace(item, cluster=None) if item.cluster in lone else item for item in one.items]


def _ways(baseline: Run, candidate: Run) -> str:
    """What the harness did that no figure shows, in one sentence."""
    both = [one for one in baseline.ways if one in candidate.ways]
    alone = [
        f"{one} ({whose} alone)" for run, whose in ((baseline, "baseline"), (candidate, "here")) for one in run.ways if one not in both
    ]
    return f"as {candidate.harness} ran it: {', '.join(both + alone)}" if both or alone else ""


def _told_once(baseline: Run, candidate: Run) -> str:
    """What one side's files tell and the other's do not, which is no difference; it is taken out of both, and told."""
    once = list[str]()
    if bool(baseline.sent) != bool(candidate.sent):
        once += sorted(baseline.sent | candidate.sent)
        baseline.sent = candidate.sent = {}
    if bool(baseline.setup) != bool(candidate.setup):
        once += sorted(baseline.setup | candidate.setup)
        baseline.setup = candidate.setup = {}
    if (TEMPLATE in baseline.told) != (TEMPLATE in candidate.told):
        once.append("chat template")
        for one in (baseline, candidate):
            one.told.pop(TEMPLATE, None)
    return f"told of one side alone, and not compared: {', '.join(once)}" if once else ""


def _no_content(baseline: Run, candidate: Run) -> str:
    bare = any(not one.what for run in (baseline, candidate) for one in run.asked.values())
    return "paired by id alone, the files do not tell what was asked" if bare else ""


def print_of(one: Run) -> str:
    """Over what all items ask; unknown where the files do not tell that of each."""
    contents = [(name, asked.what) for name, asked in one.asked.items()]
    return fingerprint.of(sorted(contents)) if all(what for _, what in contents) else UNKNOWN
