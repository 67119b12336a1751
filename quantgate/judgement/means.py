"""Suites that have two means: by question, where each item weighs the same, and by category, where each category and, within it, each
task does, whatever their number of questions (LiveBench's own average). Which of the two is judged is the record's `mean`.
"""

import math
from collections.abc import Mapping, Sequence

from quantgate import stats
from quantgate.judgement.paired import Loss, cluster_of
from quantgate.judgement.rule import Bearing, Bears
from quantgate.records import Answer, Answers, MeanLoss
from quantgate.stats import ENOUGH_CLUSTERS, Estimate


def by_category(items: Sequence[Answer], before: Mapping[str, float], by_question: Loss) -> Loss:
    """What the mean by category lost, in points, in the place of what the one by question lost; `before`: worth by id."""
    estimate, effective = _estimate(items, before)
    few = f"{len(items)} items count as {effective:.1f} of one weight in the mean by category"
    too_few = Bearing(Bears.FORBIDS_CLEARING, f"{few}, and below {ENOUGH_CLUSTERS} no loss can be ruled out: measure more")
    return by_question._replace(estimate=estimate, bearings=[too_few] if effective < ENOUGH_CLUSTERS else [], notes=[])


def two_of(measured: Answers, before: Mapping[str, float], by_question: Estimate) -> list[MeanLoss]:
    """Both means of the items that were compared, with the intervals of their drops; none where a suite has one only."""
    if measured.category_mean is None:
        return []
    items = measured.items
    strata = [(item.group, item.task) for item in items]
    worths = [[before[item.id] for item in items], [item.worth for item in items]]
    plain = [math.fsum(one) / len(one) for one in worths]
    nested = [stats.nested_mean(one, strata) for one in worths]
    return [
        MeanLoss(
            name="question", before=100 * plain[0], now=100 * plain[1], interval=_finite(by_question), gated=measured.mean == "question"
        ),
        MeanLoss(
            name="category",
            before=100 * nested[0],
            now=100 * nested[1],
            interval=_finite(_estimate(items, before)[0]),
            gated=measured.mean == "category",
        ),
    ]


def said(means: Sequence[MeanLoss]) -> str | None:
    """A note with both, or None."""
    return f"mean {', '.join(map(_in_words, means))}" if means else None


def _in_words(one: MeanLoss) -> str:
    interval = "" if one.interval is None else f" [{one.interval[0]:.2f}, {one.interval[1]:.2f}]"
    return f"by {one.name} {one.before:.2f} to {one.now:.2f} % (drop {one.drop + 0.0:.2f}{interval}{', gated' if one.gated else ''})"


def _estimate(items: Sequence[Answer], before: Mapping[str, float]) -> tuple[Estimate, float]:
    """In points, and as how many clusters of one weight they count."""
    clusters, strata = [cluster_of(item) for item in items], [(item.group, item.task) for item in items]
    found = stats.stratified_score_interval([before[item.id] for item in items], [item.worth for item in items], clusters, strata)
    low, high = found.interval
    held: dict[object, float] = {}
    for cluster, weight in zip(clusters, stats.nested_weights(strata), strict=True):
        held[cluster] = held.get(cluster, 0.0) + weight
    return Estimate(100 * found.value, (100 * low, 100 * high), found.p_value, found.n, found.p_better), 1 / math.fsum(
        weight**2 for weight in held.values()
    )


def _finite(found: Estimate) -> tuple[float, float] | None:
    return found.interval if all(map(math.isfinite, found.interval)) else None
