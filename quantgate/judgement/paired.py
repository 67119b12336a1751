"""How much paired items lost, whichever kind they are: right or wrong, graded, alone or in clusters.

| items | interval | p |
| right or wrong, each alone | Tango | McNemar, exact |
| right or wrong, in clusters | Tango on counts divided by the design effect, t | the same |
| graded, alone or in clusters | mean difference, cluster-robust, t | the same |
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

from quantgate import stats
from quantgate.judgement.rule import Bearing, Bears
from quantgate.records import Answer, Discordant
from quantgate.stats import ENOUGH_CLUSTERS, Estimate


class Loss(NamedTuple):
    """The drop in points. `discordant`: None for graded items; `clusters`: None where every item stands alone."""

    estimate: Estimate
    discordant: Discordant | None
    clusters: int | None
    discordance: float
    bearings: list[Bearing]
    notes: list[str]


def loss_of(items: Sequence[Answer], before: Mapping[str, float]) -> Loss:
    """Of these items, against their worth (0 to 1) in the baseline, by id; at least one item."""
    clusters = [cluster_of(item) for item in items]
    was, now = [before[item.id] for item in items], [item.worth for item in items]
    regressed, improved = (sum(map(sign, was, now)) for sign in (float.__gt__, float.__lt__))
    held = Counter(clusters)
    alone = len(held) == len(items)
    # Whole differences are counted, whatever the two worths are; a cluster's correlation is asked of right and wrong alone.
    counted = all(abs(old - new) in (0, 1) for old, new in zip(was, now, strict=True)) and (
        alone or all(worth in (0, 1) for worth in (*was, *now))
    )
    if counted and alone:
        found = _counts(regressed, improved, len(items))
    elif counted:
        found = _in_points(stats.clustered_proportion_interval(was, now, clusters))
    else:
        found = _in_points(stats.clustered_score_interval(was, now, clusters))
    bearings, notes = [], list[str]()
    if not alone and (effective := stats.effective_clusters(list(held.values()))) < ENOUGH_CLUSTERS:
        found = _by_signs(found, was, now, clusters)
        said = f"{len(items)} items in {len(held)} clusters count as {effective:.1f} clusters of one size"
        bearings.append(
            Bearing(Bears.FORBIDS_CLEARING, f"{said}, and below {ENOUGH_CLUSTERS} no loss can be ruled out: measure more clusters")
        )
    if bearings:
        notes.append(f"p is the exact sign test's of {len(held)} clusters, as they are too few for the interval")
    return Loss(
        found,
        Discordant(regressed=regressed, improved=improved) if counted else None,
        None if alone else len(held),
        (regressed + improved) / len(items),
        bearings,
        notes,
    )


def cluster_of(item: Answer) -> Hashable:
    """What the item belongs to; an item without a cluster is one of its own."""
    return (item.id,) if item.cluster is None else item.cluster


def _counts(regressed: int, improved: int, n: int) -> Estimate:
    low, high = stats.paired_proportion_interval(regressed, improved, n)
    p_value, p_better = stats.mcnemar_p(regressed, improved), stats.mcnemar_p(improved, regressed)
    return Estimate(100 * (regressed - improved) / n, (100 * low, 100 * high), p_value, n, p_better)


def _in_points(found: Estimate) -> Estimate:
    low, high = found.interval
    return Estimate(100 * found.value, (100 * low, 100 * high), found.p_value, found.n, found.p_better)


def _by_signs(found: Estimate, was: Sequence[float], now: Sequence[float], clusters: Sequence[Hashable]) -> Estimate:
    """Few clusters have no spread to rely on, but each fell or rose, like a coin where there is no loss: the exact sign test."""
    lost: dict[Hashable, float] = defaultdict(float)
    for old, new, cluster in zip(was, now, clusters, strict=True):
        lost[cluster] += old - new
    fell, rose = sum(one > 0 for one in lost.values()), sum(one < 0 for one in lost.values())
    return Estimate(found.value, found.interval, stats.mcnemar_p(fell, rose), found.n, stats.mcnemar_p(rose, fell))
