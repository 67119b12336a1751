"""Whether it is certain, part of a suite having been asked in a random order, which verdict the whole of it will have.

The whole is a finite population: of its N pairs of answers B regress, C improve, D = B + C are discordant, and these counts alone make
the verdict (`enumeration.decide_counts`). Of the first n pairs b regressed, c improved, d = b + c. For each (B, C) there is an
e-process: it is never negative, begins at 1, and does not rise on average if these are the counts and the order is random.
E = R_B*(1 + R_D)/2, with

    R_B = Beta(1 + b, 1 + c)/Beta(1, 1)                * (D)_d / ((B)_b (C)_c)        over the discordant items, beta-binomial
    R_D = Beta(1 + d, 19 + n - d)/Beta(1, 19)          * (N)_n / ((D)_d (N - D)_(n-d))  over all items: how many are discordant

and (x)_k = x!/(x - k)!. R_B weighs the signs of the discordant items as drawn without replacement against a beta-binomial mixture;
R_D does the same with how many there are, without which a whole with hundreds of unseen discordant items could never be ruled out
(prior-posterior-ratio martingales: Waudby-Smith and Ramdas 2020, "Confidence sequences for sampling without replacement",
NeurIPS 33). Their mean with R_B spares what R_D costs where D is plausible. A verdict is certain at the error `alpha` when E >= 1/alpha
for *every* whole that would have another one: by Ville's inequality that ever happens wrongly, however often one looks, with a
probability of alpha at most, for any suite and any model whatever. What no whole can be any more has E = infinity, so that a verdict
which the rest cannot change is certain too.

So nothing is claimed beyond what the fixed-n rule would say of the whole, whose own error stays what it is.
"""

from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from quantgate.stats.enumeration import decide_counts

Counts: TypeAlias = npt.NDArray[np.int64]
_DISCORDANT, _CONCORDANT = 1.0, 19.0
"""Beta prior of the share of discordant items: 5 % on average, worth twenty items. It bears on how soon, not on how surely."""
CAP_NATS = 12 * float(np.log(10))
"""E beyond 1e12 is told as that."""


@lru_cache(maxsize=256)
def first_counts(n: int, tolerance: float, suites: int = 1, *, proven: bool = False) -> tuple[Counts, Counts]:
    """For D = 0 … n discordant items of n: the smallest B that does not pass, and the smallest that fails, D + 1 where none does.

    `tolerance` is a share; the rest as in `decide_counts`, by halving: with D given, a larger B is a larger loss in every respect.
    """
    discordant = np.arange(n + 1)
    found = []
    for which in (0, 1):
        below, there = np.full(n + 1, -1), discordant + 1
        while (gap := there - below).max() > 1:
            middle = np.clip(below + gap // 2, 0, discordant)
            passes, fails = decide_counts(middle, discordant - middle, n, tolerance, suites, proven=proven)
            is_there = ~passes if which == 0 else fails
            there = np.where((gap > 1) & is_there, middle, there)
            below = np.where((gap > 1) & ~is_there, middle, below)
        found.append(there)
    return found[0], found[1]


def log_e(regressed: int, improved: int, asked: int, n: int, low: Counts, high: Counts, cap: float = CAP_NATS) -> float:
    """The smallest ln E, in nats and `cap` at most, over the wholes with low[D] <= B <= high[D], D = 0 … n (none where low > high).

    Raises ValueError for counts that cannot be.
    """
    from scipy import special

    seen, agree = regressed + improved, asked - regressed - improved
    if min(regressed, improved, agree) < 0 or asked > n:
        counts = f"regressed = {regressed}, improved = {improved}, asked = {asked}, n = {n}"
        raise ValueError(f"{counts}: need regressed + improved <= asked <= n")
    total = np.arange(seen, n - agree + 1)  # D that can still be
    log_rd = special.betaln(_DISCORDANT + seen, _CONCORDANT + agree) - special.betaln(_DISCORDANT, _CONCORDANT)
    log_rd = log_rd + _falling(n, asked) - _falling(total, seen) - _falling(n - total, agree)
    # R_B >= 1/(d + 1), whatever B is: a D with R_D as large as that beyond the cap is ruled out by itself.
    near = log_rd < cap + np.log(2 * (seen + 1))
    total, log_rd = total[near], log_rd[near]
    least, most = np.maximum(low[total], regressed), np.minimum(high[total], total - improved)
    there = least <= most
    if not there.any():
        return cap
    total, log_rd, least, most = total[there], log_rd[there], least[there], most[there]
    # E falls where the likelihood (B)_b (D - B)_c rises, which it does up to b*(D + 1)/d, and no further.
    likeliest = (regressed * (total + 1)) // seen if seen else least
    worst = np.clip(likeliest, least, most)
    log_rb = special.betaln(1 + regressed, 1 + improved)
    log_rb = log_rb + _falling(total, seen) - _falling(worst, regressed) - _falling(total - worst, improved)
    return min(cap, float((log_rb + np.logaddexp(0.0, log_rd)).min() - np.log(2)))


def _falling(x: int | Counts, k: int) -> npt.NDArray[np.float64]:
    """ln(x!/(x - k)!)."""
    from scipy import special

    found: npt.NDArray[np.float64] = special.gammaln(np.asarray(x) + 1.0) - special.gammaln(np.asarray(x) - k + 1.0)
    return found


def log_e_that_it_passes(
    regressed: int, improved: int, asked: int, n: int, tolerance: float, *, both_ways: bool = False, cap: float = CAP_NATS
) -> float:
    """ln E against every whole that would not pass; with `both_ways` neither may it gain the tolerance."""
    first, every = first_counts(n, tolerance)[0], np.arange(n + 1)
    found = log_e(regressed, improved, asked, n, first, every, cap)
    return min(found, log_e(improved, regressed, asked, n, first, every, cap)) if both_ways else found


def log_e_that_it_fails(
    regressed: int, improved: int, asked: int, n: int, tolerance: float, suites: int = 1, *, proven: bool = False, cap: float = CAP_NATS
) -> float:
    """ln E against every whole that would not fail, its p multiplied by `suites`: no step of Holm's asks for more."""
    first = first_counts(n, tolerance, suites, proven=proven)[1]
    return log_e(regressed, improved, asked, n, np.zeros_like(first), first - 1, cap)


def log_e_that_it_does_not_fail(
    regressed: int, improved: int, asked: int, n: int, tolerance: float, *, proven: bool = False, cap: float = CAP_NATS
) -> float:
    """ln E against every whole that would fail, alone: no correction makes more of them fail."""
    first = first_counts(n, tolerance, proven=proven)[1]
    return log_e(regressed, improved, asked, n, first, np.arange(n + 1), cap)
