"""Paired answers whose items stand in clusters: turns of one conversation, questions on one text, samples of one question.

Items of a cluster tend to change together, and then prove less than as many that stand alone. How much less is the design effect: the
variance of the mean difference over what it would be if the items were independent (Rao and Scott 1992, Biometrics 48:577; Obuchowski
1998, Statistics in Medicine 17:1495). Everywhere a positive difference means worse; scores lie between 0 and 1, intervals are shares.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence

from quantgate.stats.intervals import CONFIDENCE, CONTINUITY_ITEMS, Estimate, clustered_interval, paired_proportion_interval, tango_limits
from quantgate.stats.significance import mcnemar_p

ENOUGH_CLUSTERS = 15
"""Effective clusters below which nothing should be cleared. By the enumeration of `judgement/clusters_long_run.py` the interval keeps its
promises with fewer, too, yet there hardly anything passes, and where clusters change as no answer foretold more would pass wrongly."""
PRIOR_CLUSTERS = 30
"""What the correlation of the answers weighs in `design_effect`, in clusters with a flip. By the same enumeration, of 50 clusters of 20
with 60 % of them whole and 1 % of discordance, 4.6 % pass after a loss of the tolerance with 15, 3.0 % with 20 and 1.3 % with 30."""

SPARSE = 0.10
"""Share of the items that changed below which a mean of scores is no normal one: see `clustered_score_interval`."""


def effective_clusters(sizes: Iterable[int]) -> float:
    """(sum n)^2 / sum n^2: as many clusters of one size carry as much where whole clusters change (Kish 1965, Survey Sampling)."""
    held = list(sizes)
    if not held or min(held) < 1:
        raise ValueError(f"sizes = {held}: need at least one cluster, each of at least one item")
    return sum(held) ** 2 / sum(size**2 for size in held)


def design_effect(before: Sequence[float], after: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """Of right-or-wrong items (0 or 1 under either checkpoint): how many of them prove as much as one that stands alone, at least 1.

    The flips show sum over clusters of (D - size*mean)^2 / (M - N*mean^2), D a cluster's regressed minus improved, mean = sum(D)/N and M
    the discordant of N items: the cluster-robust variance over the independent one. Few clusters with a flip show little, so that is
    blended with what the correlation of the answers themselves implies for these sizes, 1 + rho*(sum size^2/N - 1), rho the larger of
    the two checkpoints' (items that are right together may fall together): (k*flips + PRIOR_CLUSTERS*answers)/(k + PRIOR_CLUSTERS), k the
    clusters with a flip, times effective clusters over clusters, since items alone show nothing of clusters. A few flips within
    one cluster are no luck to be blended away: it is never below 1 + (flips - 1)*(share of items that have company).
    """
    sizes = Counter(clusters)
    answers = by_answers(before, after, clusters)
    lost: dict[Hashable, float] = defaultdict(float)
    flipped: set[Hashable] = set()
    for old, new, cluster in zip(before, after, clusters, strict=True):
        lost[cluster] += old - new
        if old != new:
            flipped.add(cluster)
    n, discordant = len(clusters), sum(old != new for old, new in zip(before, after, strict=True))
    mean = math.fsum(lost.values()) / n
    independent = discordant - n * mean**2
    if independent <= 1e-9 * n:  # nothing changed, or everything alike: no flip differs from another
        return answers
    flips = max(1.0, math.fsum((lost[cluster] - size * mean) ** 2 for cluster, size in sizes.items()) / independent)
    k = len(flipped) * effective_clusters(sizes.values()) / len(sizes)
    company = sum(size for size in sizes.values() if size > 1) / n
    return max((k * flips + PRIOR_CLUSTERS * answers) / (k + PRIOR_CLUSTERS), 1 + (flips - 1) * company)


def clustered_proportion_interval(
    before: Sequence[float], after: Sequence[float], clusters: Sequence[Hashable], confidence: float = CONFIDENCE
) -> Estimate:
    """The drop of the share of right items, paired: `before` and `after` hold 1 or 0 per item, `clusters` what each belongs to.

    Tango's limits as in `paired_proportion_interval`, of regressed, improved and n divided by `design_effect`, with Student's quantile
    of (effective clusters - 1) degrees of freedom for the normal one. p = P(t > (regressed - improved - 1/4)/sqrt(regressed +
    improved)) of the divided counts is of the same statistic, at no drop: it is at most (1 - confidence)/2 where the lower end is at
    least 0. Without discordance p is 1. Where every item stands alone it is `paired_proportion_interval` and `mcnemar_p`. n counts items.
    """
    _check(before, after, clusters)
    if wrong := [worth for worth in (*before, *after) if worth not in (0, 1)]:
        raise ValueError(f"worth = {wrong[0]}: right is 1 and wrong is 0; scores are for clustered_score_interval")
    n, sizes = len(clusters), Counter(clusters)
    regressed, improved = (sum(sign * (old - new) > 0 for old, new in zip(before, after, strict=True)) for sign in (1, -1))
    value = (regressed - improved) / n
    if len(sizes) == n:
        interval = paired_proportion_interval(regressed, improved, n, confidence)
        return Estimate(value, interval, mcnemar_p(regressed, improved), n, mcnemar_p(improved, regressed))
    freedom = effective_clusters(sizes.values()) - 1
    quantile = quantile_of(freedom, confidence)
    if not math.isfinite(quantile):
        return Estimate(value, (-math.inf, math.inf), 1.0, n)
    effect = design_effect(before, after, clusters)
    b, c = regressed / effect, improved / effect
    interval = tango_limits(b, c, n / effect, quantile)
    return Estimate(value, interval, p_of_counts(b, c, freedom), n, p_of_counts(c, b, freedom))


def clustered_score_interval(
    before: Sequence[float], after: Sequence[float], clusters: Sequence[Hashable], confidence: float = CONFIDENCE
) -> Estimate:
    """The mean of the drops of scores from 0 to 1, paired: per item `before`, `after`, and what it belongs to, itself where it is alone.

    The wider of two intervals at either end, p the larger of theirs, so that an interval that contains 0 never comes with p <
    (1 - confidence)/2; t with (effective clusters - 1) degrees of freedom in both; n counts items.

    - The mean with `clustered_interval`'s standard error. Scores that moved alike, or not at all, show hardly a spread and prove little:
      the half-width is never below that of as many right-or-wrong answers without a change, n over the design effect that the scores'
      own correlation implies; p is of that same half-width.
    - Where fewer than SPARSE of the items changed: Tango's limits of the sums of what fell and of what rose, each and n divided by the
      (cluster-robust) variance over that of right-or-wrong answers with these sums. Where few scores change and fully, a symmetric
      interval ends too low: of losses as large as the tolerance 6.3 % passed (250 items, a discordance of 4 %, 4 points), and at most
      2.7 % with a discordance of 10 % and more. Where all differences are whole and alone it is Tango's own.
    """
    from scipy import special

    _check(before, after, clusters)
    differences = [old - new for old, new in zip(before, after, strict=True)]
    found = clustered_interval(differences, clusters, confidence)
    groups, n = Counter(clusters), len(clusters)
    freedom = effective_clusters(groups.values()) - 1
    quantile = quantile_of(freedom, confidence)
    if not math.isfinite(quantile):
        return Estimate(found.value, (-math.inf, math.inf), 1.0, n)
    spread = (found.interval[1] - found.interval[0]) / 2 / quantile_of(len(groups) - 1, confidence)
    least = tango_limits(0, 0, n / by_answers(before, after, clusters), quantile)[1]
    half = max(quantile * spread, least)
    p_value, p_better = (float(special.stdtr(freedom, sign * quantile * found.value / half)) for sign in (-1, 1))
    low, high = found.value - half, found.value + half
    fell, rose = (math.fsum(max(0.0, sign * one) for one in differences) for sign in (1, -1))
    as_counts = (fell + rose - n * found.value**2) / n**2  # the variance of right-or-wrong answers with these sums
    if spread > 0 and as_counts > 0 and sum(one != 0 for one in differences) < SPARSE * n:
        effect = spread**2 / as_counts * (n - 1) / n
        b, c = fell / effect, rose / effect
        limits = tango_limits(b, c, max(n / effect, b + c), quantile)
        low, high = min(low, limits[0]), max(high, limits[1])
        p_value, p_better = max(p_value, p_of_counts(b, c, freedom)), max(p_better, p_of_counts(c, b, freedom))
    return Estimate(found.value, (low, high), p_value, n, p_better)


def _check(before: Sequence[float], after: Sequence[float], clusters: Sequence[Hashable]) -> None:
    if not len(before) == len(after) == len(clusters) or not clusters:
        raise ValueError(f"{len(before)} items before, {len(after)} after, {len(clusters)} clusters: need as many of each, at least one")


def quantile_of(freedom: float, confidence: float) -> float:
    """Student's, of the two-sided interval; infinite where clusters are too few to show a spread."""
    from scipy import special

    # Below a hundredth of a degree the quantile leaves the range of a float.
    return float(special.stdtrit(freedom, 1 - (1 - confidence) / 2)) if freedom > 0.01 else math.inf


def p_of_counts(worse: float, better: float, freedom: float) -> float:
    """One-sided, of counts that fell and rose, which need not be whole: P(t > (worse - better - 1/4)/sqrt(worse + better))."""
    from scipy import special

    if worse + better == 0:
        return 1.0
    return float(special.stdtr(freedom, -(worse - better - CONTINUITY_ITEMS) / math.sqrt(worse + better)))


def by_answers(before: Sequence[float], after: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """The design effect that the larger correlation within clusters implies; the whole of it where neither side tells one."""
    sizes = Counter(clusters)
    if len(sizes) == len(clusters):
        return 1.0
    rho = max((one for side in (before, after) if (one := _correlation(side, clusters, sizes)) is not None), default=1.0)
    return 1 + rho * (len(clusters) / effective_clusters(sizes.values()) - 1)


def _correlation(values: Sequence[float], clusters: Sequence[Hashable], sizes: Counter[Hashable]) -> float | None:
    """Within clusters, by analysis of variance, 0 to 1: (B - W)/(B + (m - 1)*W), B and W the mean squares between and within clusters,
    m = (N - sum size^2/N)/(clusters - 1) (Donner 1986, International Statistical Review 54:67). None where all values are equal.
    """
    if len(set(values)) == 1:
        return None
    if len(sizes) == 1:
        return 1.0
    n, groups = len(values), len(sizes)
    sums: dict[Hashable, float] = defaultdict(float)
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] += value
    mean = math.fsum(values) / n
    between = math.fsum(size * (sums[one] / size - mean) ** 2 for one, size in sizes.items()) / (groups - 1)
    within = math.fsum((value - sums[one] / sizes[one]) ** 2 for value, one in zip(values, clusters, strict=True)) / (n - groups)
    common = (n - sum(size**2 for size in sizes.values()) / n) / (groups - 1)
    return min(1.0, max(0.0, (between - within) / (between + (common - 1) * within)))
