"""Intervals of differences, paired and unpaired, alone and in clusters; with the means go one-sided p-values.

Everywhere a positive difference means worse. p-values are for "the difference is at most `null`".
scipy is imported by the function that needs it, so that collecting tests does not pay for it.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

CONFIDENCE = 0.95
# 2.80 = 1.96 + 0.84: a two-sided 95 % interval, and 80 % of unharmed checkpoints below the tolerance.
Z_INTERVAL = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / 2)
# Taken off the distance between a count and what a drop would lead to expect: see `paired_proportion_interval`.
CONTINUITY_ITEMS = 0.25


@dataclass(frozen=True)
class Estimate:
    """A difference, its two-sided interval, one-sided p(difference <= null), and how many units carried it.

    The interval reaches to infinity where the units are too few to show a spread; p is then 1. `p_better` is the other
    direction's, p(difference >= null), and 1 where it is not known.
    """

    value: float
    interval: tuple[float, float]
    p_value: float
    n: int
    p_better: float = 1.0


def paired_proportion_interval(
    regressed: int, improved: int, n: int, confidence: float = CONFIDENCE, *, correction: float = CONTINUITY_ITEMS
) -> tuple[float, float]:
    """Tango's score interval for (regressed - improved)/n, a difference of paired proportions, as shares in [-1, 1].

    The limits are the d where |T(d)| = z, T(d) = (|b - c - n*d| - correction) / sqrt(n*(2*q + d*(1 - d))), b = regressed,
    c = improved, and q the likeliest share of `improved` given d: 2n*q^2 + B*q + C = 0, B = (2n - b + c)*d - b - c,
    C = -c*d*(1 - d) (Tango 1998, Statistics in Medicine 17:891-908). Unlike Wald's it keeps its width without
    discordance and stays within [-1, 1]. Tango's own has no `correction` for continuity, in items; it stands where R's
    ratesci has it, after Chang et al. 2024, Journal of Applied Statistics 51:139-152, and 1/4 is `cc = 0.125` there. That
    size was chosen by enumeration, as in `stats/enumeration.py`: over n = 20 to 5,000 and discordances of 0.25 % to 30 % it lifts the
    lowest coverage from 92.8 % to 94.3 %, and of losses as large as the tolerance 2.5 % at most pass, instead of 3.0 %.
    """
    if n < 1 or regressed < 0 or improved < 0 or regressed + improved > n:
        raise ValueError(f"regressed = {regressed}, improved = {improved}, n = {n}: need 0 <= regressed + improved <= n, n >= 1")
    return tango_limits(regressed, improved, n, NormalDist().inv_cdf(1 - (1 - confidence) / 2), correction=correction)


def tango_limits(
    regressed: float, improved: float, n: float, quantile: float, *, correction: float = CONTINUITY_ITEMS
) -> tuple[float, float]:
    """`paired_proportion_interval` with the quantile given; the counts need not be whole: clusters.py divides them by a design effect."""
    # One limit is the other with the roles changed, so an interval and its mirror image agree to the last bit.
    return -_tango_upper(improved, regressed, n, quantile, correction), _tango_upper(regressed, improved, n, quantile, correction)


def _tango_upper(b: float, c: float, n: float, z: float, correction: float) -> float:
    from scipy import optimize

    if b - c + correction >= n:
        return 1.0

    def excess(d: float) -> float:
        # T^2 > z^2 without the division: the variance is 0 at d = 1, and at the estimate when nothing is discordant.
        linear = (2 * n - b + c) * d - b - c
        q = (math.sqrt(max(0.0, linear**2 + 8 * n * c * d * (1 - d))) - linear) / (4 * n)
        return (n * d - b + c - correction) ** 2 - z**2 * n * (2 * q + d * (1 - d))

    # Right beside its start the excess is negative even where, at the start itself, it is a second root.
    return float(optimize.brentq(excess, (b - c + correction) / n + 1e-9, 1.0, xtol=1e-13))


def unpaired_proportion_interval(
    right_base: int, n_base: int, right_cand: int, n_cand: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Newcombe's hybrid score interval for p_base - p_cand of two independent samples, as shares in [-1, 1].

    With Wilson's limits l, u of each: low = d - sqrt((p_base - l_base)^2 + (u_cand - p_cand)^2),
    high = d + sqrt((u_base - p_base)^2 + (p_cand - l_cand)^2) (Newcombe 1998, Statistics in Medicine 17:873, method 10).
    """
    z = NormalDist().inv_cdf(1 - (1 - confidence) / 2)
    (base, base_low, base_high), (cand, cand_low, cand_high) = _wilson(right_base, n_base, z), _wilson(right_cand, n_cand, z)
    return base - cand - math.hypot(base - base_low, cand_high - cand), base - cand + math.hypot(base_high - base, cand - cand_low)


def _wilson(right: int, n: int, z: float) -> tuple[float, float, float]:
    """The share and its limits: (2*right + z^2 +- z*sqrt(z^2 + 4*right*(n - right)/n)) / (2*(n + z^2))."""
    if not 0 <= right <= n or n < 1:
        raise ValueError(f"{right} right of {n}: need 0 <= right <= n, n >= 1")
    middle, half = 2 * right + z**2, z * math.sqrt(z**2 + 4 * right * (n - right) / n)
    return right / n, (middle - half) / (2 * (n + z**2)), (middle + half) / (2 * (n + z**2))


def mean_interval(values: Sequence[float], confidence: float = CONFIDENCE, *, null: float = 0.0) -> Estimate:
    """Student's interval mean +- t(n - 1)*s/sqrt(n), and the one-sided p(mean <= null).

    One value shows no spread: the interval is infinite and p is 1. Values that are all equal show a spread of 0:
    the interval is the point, and p is 0 above `null`, else 1.
    """
    n, mean, variance = _moments(values)
    return _t_estimate(mean, math.sqrt(variance / n), n - 1, n=n, confidence=confidence, null=null)


def clustered_interval(
    differences: Sequence[float], clusters: Sequence[Hashable], confidence: float = CONFIDENCE, *, null: float = 0.0
) -> Estimate:
    """The mean of paired differences whose units depend on each other within a cluster (turns of a talk, questions on a text).

    se^2 = G/(G - 1) * sum over clusters of (sum of (difference - mean))^2 / n^2, G clusters, t with G - 1 degrees of
    freedom (Cameron and Miller 2015, Journal of Human Resources 50:317; Miller 2024, arXiv:2411.00640). Where every unit
    is a cluster of its own it is `mean_interval`; one cluster shows no spread: infinite, p = 1. n counts units.
    """
    if len(clusters) != len(differences):
        raise ValueError(f"{len(differences)} differences, {len(clusters)} clusters: each difference needs its cluster")
    n, mean, _ = _moments(differences)
    residuals: dict[Hashable, list[float]] = defaultdict(list)
    for difference, cluster in zip(differences, clusters, strict=True):
        residuals[cluster].append(difference - mean)
    groups = len(residuals)
    variance = math.fsum(math.fsum(one) ** 2 for one in residuals.values()) / (groups - 1) if groups > 1 else 0.0
    return _t_estimate(mean, math.sqrt(variance * (groups / n) / n), groups - 1, n=n, confidence=confidence, null=null)


def welch_interval(
    baseline: Sequence[float],
    candidate: Sequence[float],
    confidence: float = CONFIDENCE,
    *,
    null: float = 0.0,
    between_runs: float = 0.0,
    between_freedom: float = math.inf,
) -> Estimate:
    """Welch's interval for mean(baseline) - mean(candidate), unpaired, and the one-sided p(difference <= null).

    se^2 = s1^2/n1 + s2^2/n2 + 2*b^2, b = `between_runs`: each side is one run, and what a run differs from another by is in none of its
    values. df = se^4 / ((s1^2/n1)^2/(n1 - 1) + (s2^2/n2)^2/(n2 - 1) + (2*b^2)^2/between_freedom) (Welch 1947, Biometrika 34:28;
    Satterthwaite 1946, Biometrics 2:110). Degenerate cases as in `mean_interval`; n is the candidate's.
    """
    (n1, mean1, variance1), (n2, mean2, variance2) = _moments(baseline), _moments(candidate)
    share1, share2 = variance1 / n1, variance2 / n2
    share = 2 * between_runs**2
    spread = share1 + share2 + share
    if min(n1, n2) == 1:
        freedom = 0.0
    else:
        parts = share1**2 / (n1 - 1) + share2**2 / (n2 - 1) + share**2 / between_freedom
        freedom = spread**2 / parts if parts > 0 else math.inf
    return _t_estimate(mean1 - mean2, math.sqrt(spread), freedom, n=n2, confidence=confidence, null=null)


def _moments(values: Sequence[float]) -> tuple[int, float, float]:
    n = len(values)
    if n == 0:
        raise ValueError("a mean of no values: at least one is needed")
    mean = math.fsum(values) / n
    return n, mean, math.fsum((value - mean) ** 2 for value in values) / (n - 1) if n > 1 else 0.0


def _t_estimate(value: float, standard_error: float, freedom: float, *, n: int, confidence: float, null: float) -> Estimate:
    from scipy import special

    if freedom <= 0:
        return Estimate(value, (-math.inf, math.inf), 1.0, n)
    if standard_error == 0:
        return Estimate(value, (value, value), 0.0 if value > null else 1.0, n, 0.0 if value < null else 1.0)
    half = float(special.stdtrit(freedom, 1 - (1 - confidence) / 2)) * standard_error
    p_value, p_better = (float(special.stdtr(freedom, sign * (null - value) / standard_error)) for sign in (1, -1))
    return Estimate(value, (value - half, value + half), p_value, n, p_better)


def weighted_mean(means: Sequence[float], counts: Sequence[int]) -> float:
    """sum(mean*count)/sum(count): the NLL per token over several corpora from theirs and their tokens (exp of it is the
    overall perplexity), or the accuracy over groups of questions from theirs and their sizes.
    """
    if len(means) != len(counts) or not counts or min(counts) < 1:
        raise ValueError(f"{len(means)} means, counts {list(counts)}: each mean needs a count of at least 1")
    return math.fsum(mean * count for mean, count in zip(means, counts, strict=True)) / sum(counts)
