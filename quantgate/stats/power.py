"""How much there must be to see a loss: the rule of thumb that stands in a verdict beside its interval."""

import math
from statistics import NormalDist

from quantgate.stats.intervals import Z_INTERVAL

Z_POWER = Z_INTERVAL + NormalDist().inv_cdf(0.80)


def mde(n: int, discordance: float) -> float:
    """The tolerance, as a share, that an unharmed checkpoint passes with 80 %: 2.80*sqrt(d/n) (Connor 1987, Biometrics 43:207)."""
    if n < 1:
        raise ValueError(f"n = {n}: at least one item is needed")
    return Z_POWER * math.sqrt(discordance / n)


def n_needed(tolerance: float, discordance: float) -> int:
    """Items, to the nearest, after which `mde` equals the tolerance (a share): d*(2.80/tolerance)^2, at least 1.

    2.80 is 2.8016 here, so that 5 % of discordance needs 981 items for 2 points and 245 for 4.
    """
    return max(1, round(discordance * (Z_POWER / _positive(tolerance)) ** 2))


def mde_from_interval(interval: tuple[float, float]) -> float:
    """`mde` where nothing is counted: 2.80 standard errors, each half-width/1.96 of the 95 % interval seen."""
    return Z_POWER * (interval[1] - interval[0]) / 2 / Z_INTERVAL


def n_needed_from_interval(tolerance: float, interval: tuple[float, float], n: int) -> int:
    """`n_needed` where nothing is counted: n*(mde/tolerance)^2, since a standard error falls with the root of n; at least 2."""
    return max(2, round(n * (mde_from_interval(interval) / _positive(tolerance)) ** 2))


def _positive(tolerance: float) -> float:
    if not tolerance > 0:
        raise ValueError(f"tolerance = {tolerance}: it must be above 0")
    return tolerance
