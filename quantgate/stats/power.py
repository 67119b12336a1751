"""How much there must be to see a loss: the numbers that stand in a verdict beside its interval."""

import bisect
import functools
import math
from statistics import NormalDist

import numpy as np

from quantgate.stats.enumeration import pass_chances
from quantgate.stats.intervals import CONTINUITY_ITEMS, Z_INTERVAL

POWER = 0.80
Z_POWER = Z_INTERVAL + NormalDist().inv_cdf(POWER)
# Of `n_needed`: where more items are discordant, a formula stands in for the search.
ENUMERATED_ITEMS = 1000
# The search begins so far beyond the formula, in items times the tolerance, and weighs so many n at once.
BEYOND, AT_ONCE = 2.5, 64
LEAST = 1e-9


def mde(n: int, discordance: float) -> float:
    """The tolerance, as a share, that an unharmed checkpoint passes with 80 %: 2.80*sqrt(d/n) (Connor 1987, Biometrics 43:207).

    A rule of thumb, hopeful where the tolerance is not small beside d; `n_needed` is exact.
    """
    if n < 1:
        raise ValueError(f"n = {n}: at least one item is needed")
    return Z_POWER * math.sqrt(discordance / n)


@functools.lru_cache(maxsize=1024)
def n_needed(tolerance: float, discordance: float) -> int:
    """Items with which, and with any more, a checkpoint without loss passes with 80 % at least; tolerance and discordance are shares.

    P(pass) is a sawtooth in n: each item more spreads the counts a little, and now and then one more regressed item is
    allowed. The answer is the item after the last n with less than 80 %, never below the n at which equal answers pass:
    1,068 for 2 points at 5 % (equal answers: 213), 149 for 4 points at 1 % (105). The search goes down from beyond
    Nam's formula, item by item up to 1,500 items, else by thousandths. Where more than 1,000 items would be discordant the
    formula stands in, with half an item per tolerance more for the interval's correction and for whole counts. Both are
    within 1 % of a search item by item.
    """
    if not 0 <= discordance <= 1:
        raise ValueError(f"discordance = {discordance}: it must be a share from 0 to 1")
    tolerance = _positive(tolerance)
    if tolerance >= 1:
        return 1
    equal, formula = _equal_answers_pass(tolerance), _nam(tolerance, discordance)
    if formula * discordance > ENUMERATED_ITEMS:
        return max(equal, round(formula + 0.5 / tolerance))
    step = max(1, round(formula / 1000))
    sizes = range(math.ceil(formula + BEYOND / tolerance), equal - 1, -step)
    for place in range(0, len(sizes), AT_ONCE):
        too_few = np.flatnonzero(pass_chances(sizes[place : place + AT_ONCE], discordance, tolerance) < POWER)
        if len(too_few):
            last = sizes[place + int(too_few[0])]
            between = range(last, last + step)
            return last + bisect.bisect_left(between, POWER, key=lambda n: pass_chances([n], discordance, tolerance)[0])
    return equal


def _equal_answers_pass(tolerance: float) -> int:
    """The least n at which nothing discordant passes: n*t - 1/4 > z*sqrt(n*t*(1 - t)), a quadratic in the root of n."""
    half = Z_INTERVAL * math.sqrt(tolerance * (1 - tolerance)) / 2
    return math.floor(((half + math.sqrt(half**2 + tolerance * CONTINUITY_ITEMS)) / tolerance) ** 2) + 1


def _nam(tolerance: float, discordance: float) -> float:
    """n = ((1.96*sqrt(v) + 0.84*sqrt(d))/t)^2, v an item's variance under a drop of t (Nam 1997, Biometrics 53:1422).

    v = 2*q + t*(1 - t), q the likeliest share of improved given t, where d/2 regressed and d/2 improved were seen: see
    `paired_proportion_interval`.
    """
    linear = 2 * tolerance - discordance
    variance = (math.sqrt(linear**2 + 4 * discordance * tolerance * (1 - tolerance)) - linear) / 2 + tolerance * (1 - tolerance)
    return ((Z_INTERVAL * math.sqrt(variance) + (Z_POWER - Z_INTERVAL) * math.sqrt(discordance)) / tolerance) ** 2


def mde_from_interval(interval: tuple[float, float]) -> float:
    """`mde` where nothing is counted: 2.80 standard errors, each half-width/1.96 of the 95 % interval seen."""
    return Z_POWER * (interval[1] - interval[0]) / 2 / Z_INTERVAL


def n_needed_from_interval(tolerance: float, interval: tuple[float, float], n: int) -> int:
    """`n_needed` where nothing is counted: n*(mde/tolerance)^2, since a standard error falls with the root of n; at least 2."""
    return max(2, round(n * (mde_from_interval(interval) / _positive(tolerance)) ** 2))


def _positive(tolerance: float) -> float:
    """The tolerance, but never so small that its square leaves the range of a float."""
    if not tolerance > 0:
        raise ValueError(f"tolerance = {tolerance}: it must be above 0")
    return max(tolerance, LEAST)
