"""What a rule for pairs of right-or-wrong answers does in the long run, counted over every possible outcome; nothing is simulated.

Of n items each regresses with (d + drop)/2 and improves with (d - drop)/2, d the discordance; every pair of counts has its
trinomial probability, and either passes, fails, or does neither. A drop above d needs a discordance as large, so d is then
the drop. All of them are shares.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from quantgate.stats.intervals import CONFIDENCE, CONTINUITY_ITEMS, Z_INTERVAL

_ALPHA = (1 - CONFIDENCE) / 2
# Each of the four tails that are left out has less than exp(-30) = 1e-13.
_TAIL_NATS = 30.0


def paired_tables(n: int, discordance: float, drop: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts of regressed (a column) and improved (a row), and the probability of each pair (a matrix); 1e-12 at most is left out."""
    from scipy import special

    if n < 1 or not 0 <= discordance <= 1 or not -1 < drop < 1:
        raise ValueError(f"n = {n}, discordance = {discordance}, drop = {drop}: need n >= 1, a share, a share below 1 either way")
    discordance = max(discordance, abs(drop))
    shares = ((discordance + drop) / 2, (discordance - drop) / 2)
    regressed, improved = _likely(n, shares[0])[:, None], _likely(n, shares[1])[None, :]
    unchanged = n - regressed - improved
    factorial = special.gammaln(np.arange(n + 1) + 1)
    logarithm = factorial[n] - factorial[np.maximum(unchanged, 0)] + special.xlogy(np.maximum(unchanged, 0), 1 - discordance)
    for count, share in zip((regressed, improved), shares, strict=True):
        logarithm = logarithm + (special.xlogy(count, share) - factorial[count])
    return regressed, improved, np.where(unchanged >= 0, np.exp(logarithm), 0.0)


def _likely(n: int, share: float) -> np.ndarray:
    """The counts within n*share +- t, outside of which lie 2*exp(-_TAIL_NATS) at most: t^2 = 2*_TAIL_NATS*(variance + t/3) (Bernstein)."""
    reach = _TAIL_NATS / 3 + math.sqrt(_TAIL_NATS**2 / 9 + 2 * _TAIL_NATS * n * share * (1 - share))
    return np.arange(max(0, math.floor(n * share - reach)), min(n, math.ceil(n * share + reach)) + 1)


def paired_score(regressed: np.ndarray, improved: np.ndarray, n: int | np.ndarray, drop: float) -> np.ndarray:
    """T(drop) of `paired_proportion_interval`, signed: the drop lies in the interval iff |T| <= z, above it iff T < -z."""
    linear = (2 * n - regressed + improved) * drop - regressed - improved
    root = np.sqrt(np.maximum(0.0, linear**2 + 8 * n * improved * drop * (1 - drop)))
    variance = n * ((root - linear) / (2 * n) + drop * (1 - drop))
    distance = regressed - improved - n * drop
    beyond = np.sign(distance) * np.maximum(0.0, np.abs(distance) - CONTINUITY_ITEMS)
    # Without a drop and without discordance the variance is 0, and so is the distance.
    quotient: np.ndarray = np.divide(beyond, np.sqrt(np.maximum(0.0, variance)), out=np.zeros(beyond.shape), where=variance > 0)
    return quotient


def decide_counts(
    regressed: np.ndarray,
    improved: np.ndarray,
    n: int,
    tolerance: float,
    suites: int = 1,
    *,
    proven: bool = False,
    confidence: float = CONFIDENCE,
) -> tuple[np.ndarray, np.ndarray]:
    """Which counts pass and which fail under a tolerance (a share), as `judge_answers` would have it with an interval of that confidence.

    pass: T(tolerance) < -z. fail: the drop is at least the tolerance, and `mcnemar_p` times `suites` is at most 0.025.
    `proven` asks of a fail also that the whole interval lies at or beyond the tolerance: T(tolerance) >= z.
    """
    from scipy import special

    if not 0 < tolerance < 1 or suites < 1:
        raise ValueError(f"tolerance = {tolerance}, suites = {suites}: need a share above 0 and below 1, and at least one suite")
    z, distance = NormalDist().inv_cdf(1 - (1 - confidence) / 2), paired_score(regressed, improved, n, tolerance)
    passes = distance < -z
    # Points have few decimals, shares have rounding: 7 of 100 is not below a tolerance of 100*0.07.
    fails = ~passes & (100 * (regressed - improved) / n >= round(100 * tolerance, 9))
    if proven:
        fails &= distance >= z
    at = np.nonzero(fails)
    # Where a drop is seen at least one item regressed, and P(X >= regressed) = P(X > regressed - 1).
    more, all_discordant = np.broadcast_to(regressed, fails.shape)[at], (regressed + improved)[at]
    fails[at] = suites * special.bdtrc(more - 1, all_discordant, 0.5) <= _ALPHA
    return passes, fails


def pass_chances(sizes: Sequence[int], discordance: float, tolerance: float) -> np.ndarray:
    """How often a checkpoint without loss passes with each of these n: what `decide_counts` of `paired_tables` adds up to, much faster.

    sum over improved of P(improved) * P(regressed <= the most that still passes | improved): two binomials, d/2 of n and
    (d/2)/(1 - d/2) of the rest.
    """
    from scipy import special

    n, share = np.asarray(sizes)[:, None], discordance / 2
    improved = np.arange(_likely(min(sizes), share)[0], _likely(max(sizes), share)[-1] + 1)[None, :]
    rest = np.maximum(n - improved, 0)
    chance = special.xlogy(improved, share) + special.xlog1py(rest, -share) - special.gammaln(improved + 1) - special.gammaln(rest + 1)
    chance = np.where(improved <= n, np.exp(special.gammaln(n + 1) + chance), 0.0)
    most = _most_that_pass(n, improved, tolerance)
    within = special.bdtr(np.clip(most, 0, rest), rest, share / (1 - share))
    chances: np.ndarray = (chance * np.where(most < 0, 0.0, within)).sum(axis=1)
    return chances


def _most_that_pass(n: np.ndarray, improved: np.ndarray, tolerance: float) -> np.ndarray:
    """The most regressed with which each pair of n and improved passes, -1 where none does, by halving: T grows with `regressed`."""
    passes = np.full(np.broadcast_shapes(n.shape, improved.shape), -1)
    # A drop seen of the tolerance or more does not pass.
    does_not = improved + np.ceil(n * tolerance).astype(int)
    while (gap := does_not - passes).max() > 1:
        middle = passes + gap // 2
        good = (paired_score(middle, improved, n, tolerance) < -Z_INTERVAL) & (gap > 1)
        passes, does_not = np.where(good, middle, passes), np.where(good | (gap <= 1), does_not, middle)
    return passes
