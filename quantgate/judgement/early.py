"""A suite that was ended early: when its verdict is certain, what is said of that, and which items a record of it must have.

Certain is what the whole suite's verdict would be (`stats/early.py`), of the drop and, before a pass, of each group: none of them may
still fail. The verdict itself is then given by `rule.py` on what was asked, as on any suite.
"""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from quantgate import stats
from quantgate.judgement.groups import limit_of
from quantgate.judgement.rule import ALPHA, Bearing, Bears, FailWhen
from quantgate.records import Answer, Answers, StoppedEarly

ERROR = ALPHA
"""Of ending with a pass a suite that, asked whole, would not pass; and as much of a fail."""


class Certainty(NamedTuple):
    """`e_value`: after the correction for all that had to be certain at once; 1/ERROR at least."""

    word: Literal["pass", "fail"]
    e_value: float


def in_order(ids: Iterable[str], seed: str) -> list[str]:
    """These ids in the random order that belongs to the suite of this fingerprint, whatever order they came in."""
    shuffled = sorted(ids)
    random.Random(seed).shuffle(shuffled)
    return shuffled


def why_not(baseline: Answers, ids: Iterable[str]) -> str | None:
    """Why a suite of these ids cannot be ended early against this baseline, or None."""
    if any(item.cluster is not None for item in baseline.items):
        return "its items stand in clusters, which are no random order of single items"
    if any(item.score is not None for item in baseline.items):
        return "its items are graded, not right or wrong"
    if baseline.mean != "question":
        return "it is judged by its mean over categories, in which items do not weigh the same"
    if baseline.stopped is not None:
        return "its baseline was stopped early itself"
    if {item.id for item in baseline.items} != set(ids):
        return "its items are not those of the baseline"
    return None


def certainty(
    items: Sequence[Answer],
    baseline: Answers,
    *,
    accuracy_points: float,
    group_points: float | None,
    both_ways: bool,
    fail_when: FailWhen,
    suites: int,
) -> Certainty | None:
    """Which verdict the whole of the baseline's items would have, where these, the first of the fixed order, make it certain at ERROR.

    All of them right or wrong, each alone. `suites`: the number that a fail's p is multiplied by. None where nothing is certain.
    """
    n, asked, tolerance, proven = len(baseline.items), len(items), accuracy_points / 100, fail_when == "proven"
    changed, groups = _changed(items, baseline)
    b, c = changed.regressed, changed.improved
    ways = [(b, c), (c, b)] if both_ways else [(b, c)]
    against_no_fail = max(stats.log_e_that_it_fails(*way, asked, n, tolerance, suites, proven=proven) for way in ways) - math.log(len(ways))
    if against_no_fail >= -math.log(ERROR):
        return Certainty("fail", math.exp(against_no_fail))
    limit = min(limit_of(accuracy_points, group_points), 99.9999) / 100  # all of a group is more than that
    found = [stats.log_e_that_it_passes(b, c, asked, n, tolerance, both_ways=both_ways)]
    for one, size in groups:
        found.append(stats.log_e_that_it_does_not_fail(one.regressed, one.improved, one.asked, size, limit, proven=proven))
    against_no_pass = min(found) - math.log(len(found))
    return Certainty("pass", math.exp(against_no_pass)) if against_no_pass >= -math.log(ERROR) else None


class _Changed(NamedTuple):
    regressed: int
    improved: int
    asked: int


def _changed(items: Sequence[Answer], baseline: Answers) -> tuple[_Changed, list[tuple[_Changed, int]]]:
    """Of all items, and of each group with its size in the whole; no groups where there is one only."""
    before: Mapping[str, float] = {item.id: item.worth for item in baseline.items}
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for item in items:
        for place, is_so in enumerate((item.worth < before[item.id], item.worth > before[item.id], True)):
            counts[item.group][place] += is_so
    sizes = Counter(item.group for item in baseline.items)
    of_all = _Changed(*(sum(column) for column in zip(*counts.values(), strict=True))) if counts else _Changed(0, 0, 0)
    return of_all, [(_Changed(*counts[name]), size) for name, size in sorted(sizes.items())] if len(sizes) > 1 else []


def asked_of(baseline: Answers, measured: Answers) -> Answers:
    """The baseline, with those of its items alone that a measurement which was stopped early has."""
    if measured.stopped is None:
        return baseline
    asked = {item.id for item in measured.items}
    return msgspec.structs.replace(baseline, items=[item for item in baseline.items if item.id in asked])


def obstacle(measured: Answers, baseline: Answers) -> str | None:
    """Why one of the two was stopped in a way that leaves nothing to compare, or None."""
    if baseline.stopped is not None:
        return f"the baseline was {how_far(baseline.stopped)}: measure it whole"
    if measured.stopped is None:
        return None
    ids = [item.id for item in baseline.items]
    if measured.stopped.planned != len(ids):
        return f"the measurement was {how_far(measured.stopped)}, and the baseline has {len(ids):,}: measure both alike again"
    first = in_order(ids, measured.provenance.suite_fingerprint)[: len(measured.items)]
    if {item.id for item in measured.items} != set(first):
        return f"the measurement was {how_far(measured.stopped)}, and these are not the first of the suite's fixed order: measure it again"
    return None


def weigh_stop(
    measured: Answers,
    baseline: Answers,
    *,
    accuracy_points: float,
    group_points: float | None,
    both_ways: bool,
    fail_when: FailWhen,
) -> tuple[list[Bearing], str | None]:
    """What it bears on the outcome that the measurement was stopped early, and the note on it: nothing where it was not.

    It was stopped by one question. Of another (a tolerance, an approval) it decides only what is certain by the same rule.
    """
    stopped = measured.stopped
    if stopped is None:
        return [], None
    found = None
    if why_not(baseline, (item.id for item in baseline.items)) is None and accuracy_points < 100:
        found = certainty(
            measured.items,
            baseline,
            accuracy_points=accuracy_points,
            group_points=group_points,
            both_ways=both_ways,
            fail_when=fail_when,
            suites=stopped.suites,
        )
    if found is None:
        certain = f"when its {stopped.verdict} against BF16 under {stopped.accuracy_points:g} points was certain"
        return [Bearing(Bears.DECIDES_NOTHING, f"{how_far(stopped)}, {certain}; that does not decide this: measure it whole")], None
    return [], f"{how_far(stopped)}: {found.word} is certain (error at most {100 * ERROR:g} %){_saved(measured.items, stopped)}"


def how_far(stopped: StoppedEarly) -> str:
    return f"stopped early after {stopped.asked:,} of {stopped.planned:,} items"


def _saved(items: Sequence[Answer], stopped: StoppedEarly) -> str:
    spent = sum(item.completion_tokens for item in items)
    if not stopped.tokens_saved > 0:
        return ""
    return f"; about {100 * stopped.tokens_saved / (stopped.tokens_saved + spent):.0f} % of the tokens saved"
