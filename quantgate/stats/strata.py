"""Paired answers whose mean is a mean of means: each stratum (a task) has a weight of its own, however many items it holds.

Everywhere a positive difference means worse; scores lie between 0 and 1, intervals are shares, strata stand as they were drawn.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

from quantgate.stats.clusters import SPARSE, by_answers, p_of_counts, quantile_of
from quantgate.stats.intervals import CONFIDENCE, Estimate, tango_limits


def nested_weights(strata: Sequence[tuple[str, str]]) -> list[float]:
    """What each item weighs in the mean over groups of the mean over a group's tasks of the mean over a task's items; they sum to 1.

    `strata`: each item's (group, task). w = 1/(groups * tasks of its group * items of its task): LiveBench's own average, which
    its show_livebench_result.py takes as groupby(task, category).mean(), groupby(category).mean(), and the mean of these.
    """
    items = Counter(strata)
    tasks = Counter(group for group, _ in items)
    return [1 / (len(tasks) * tasks[one[0]] * items[one]) for one in strata]


def nested_mean(worths: Sequence[float], strata: Sequence[tuple[str, str]]) -> float:
    """The mean of `worths` (0 to 1) under `nested_weights`."""
    return math.fsum(weight * worth for weight, worth in zip(nested_weights(strata), worths, strict=True))


def nested_stderr(worths: Sequence[float], clusters: Sequence[Hashable], strata: Sequence[tuple[str, str]]) -> float:
    """The standard error of `nested_mean`, as `stratified_score_interval` has it of a difference, without its lower bounds; with one
    stratum and items that stand alone it is s/sqrt(n), as lm-eval's own."""
    weights = nested_weights(strata)
    return math.sqrt(_variance(weights, worths, clusters, strata, nested_mean(worths, strata)))


def stratified_score_interval(
    before: Sequence[float],
    after: Sequence[float],
    clusters: Sequence[Hashable],
    strata: Sequence[tuple[str, str]],
    confidence: float = CONFIDENCE,
) -> Estimate:
    """The drop D = sum(w*d) of the mean of `nested_weights`, paired: d = before - after of an item, `clusters` what it belongs to.

    se^2 = sum over strata of G/(G - 1) * sum over its G clusters of (sum of w*(d - mean of the stratum))^2, the variance of a stratified
    mean, cluster-robust within each (Cochran 1977, Sampling Techniques, 5.6 and 11.7). A stratum of one cluster shows no spread: its
    items are taken about D, which is the larger variance (the "centered" and "adjust" of Stata and R's survey). t has the effective
    clusters (sum W)^2/sum W^2, W a cluster's weight, less the strata (Korn and Graubard 1990, American Statistician 44:270) for its
    degrees of freedom, where strata with one cluster count as one, since what they show is their spread about D.

    - The items count as m = 1/sum(w^2) at most (Kish 1965), over the design effect that the scores' own correlation within clusters
      implies: se^2 is at least (sum(w*d^2) - D^2)/m, so that few flips that fall well prove no more than m items can, and the half-width
      at least that of m right-or-wrong answers without a change.
    - Where items of less than SPARSE of the weight changed: the limits enclose Tango's of the counts k*fell and k*rose, fell and rose the
      weighted sums of what fell and rose, k = (fell + rose - D^2)/se^2, as `clustered_score_interval` has it and for its reason.

    p is of the wider; n counts items. Too few clusters for the strata show no spread: the interval is infinite, and p is 1. Drawn 600
    times on 200 questions in 13 tasks of 8 to 30 in six categories: coverage 94.2 to 99.7 %; without a loss p <= 0.025 in 0.3 to 2.5 %; of
    losses as large as the tolerance (in all tasks, in the two smallest, sparse) 0 to 1.3 % pass.
    """
    from scipy import special

    if not len(before) == len(after) == len(clusters) == len(strata) or not strata:
        raise ValueError(f"{len(before)} items before, {len(after)} after, {len(clusters)} clusters, {len(strata)} strata: as many of each")
    n, weights = len(strata), nested_weights(strata)
    differences = [old - new for old, new in zip(before, after, strict=True)]
    value = math.fsum(weight * one for weight, one in zip(weights, differences, strict=True))
    freedom = _freedom(weights, clusters, strata)
    quantile = quantile_of(freedom, confidence)
    if not math.isfinite(quantile):
        return Estimate(value, (-math.inf, math.inf), 1.0, n)
    most = 1 / math.fsum(weight**2 for weight in weights) / by_answers(before, after, clusters)
    fell, rose = (math.fsum(weight * max(0.0, sign * one) for weight, one in zip(weights, differences, strict=True)) for sign in (1, -1))
    as_counts = fell + rose - value**2
    moment = math.fsum(weight * one**2 for weight, one in zip(weights, differences, strict=True)) - value**2
    variance = max(_variance(weights, differences, clusters, strata, value), moment / most)
    half = max(quantile * math.sqrt(variance), tango_limits(0, 0, most, quantile)[1])
    low, high = value - half, value + half
    p_value, p_better = (float(special.stdtr(freedom, sign * quantile * value / half)) for sign in (-1, 1))
    changed = math.fsum(weight for weight, one in zip(weights, differences, strict=True) if one != 0)
    if 0 < changed < SPARSE and as_counts > 0:
        effective = as_counts / variance
        b, c = effective * fell, effective * rose
        limits = tango_limits(b, c, max(effective, b + c), quantile)
        low, high = min(low, limits[0]), max(high, limits[1])
        p_value, p_better = max(p_value, p_of_counts(b, c, freedom)), max(p_better, p_of_counts(c, b, freedom))
    return Estimate(value, (low, high), p_value, n, p_better)


def _freedom(weights: Sequence[float], clusters: Sequence[Hashable], strata: Sequence[tuple[str, str]]) -> float:
    held: dict[tuple[tuple[str, str], Hashable], float] = defaultdict(float)
    for weight, cluster, stratum in zip(weights, clusters, strata, strict=True):
        held[stratum, cluster] += weight
    times = Counter(stratum for stratum, _ in held)
    lone = sum(count == 1 for count in times.values())
    effective = math.fsum(held.values()) ** 2 / math.fsum(weight**2 for weight in held.values())
    return effective - (len(times) - lone + min(lone, 1))


def _variance(
    weights: Sequence[float], differences: Sequence[float], clusters: Sequence[Hashable], strata: Sequence[tuple[str, str]], value: float
) -> float:
    total: dict[tuple[str, str], list[float]] = defaultdict(list)
    for difference, stratum in zip(differences, strata, strict=True):
        total[stratum].append(difference)
    means = {stratum: math.fsum(held) / len(held) for stratum, held in total.items()}
    times = Counter(stratum for stratum, _ in set(zip(strata, clusters, strict=True)))
    residuals: dict[tuple[tuple[str, str], Hashable], float] = defaultdict(float)
    for weight, difference, cluster, stratum in zip(weights, differences, clusters, strata, strict=True):
        residuals[stratum, cluster] += weight * (difference - (means[stratum] if times[stratum] > 1 else value))
    return math.fsum(
        one**2 * (times[stratum] / (times[stratum] - 1) if times[stratum] > 1 else 1.0) for (stratum, _), one in residuals.items()
    )
