"""The three-way rule, written once: an estimate of a drop and a tolerance in, a verdict out.

`pass`: the upper end of the two-sided 95 % interval of the drop lies below the tolerance. `fail`: the drop is at
least the tolerance, and p(drop <= 0) <= 0.025 after Holm's correction over the checkpoint's suites; of those, the
ones judged earlier in the run are known, and a suite that is yet to come is taken to show nothing. A pass needs no
correction, because a checkpoint passes only if all its suites do. Otherwise `inconclusive`. What cannot be compared,
or is not a number, is an `error`: no measurement can pass by being void.
"""

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from quantgate import stats
from quantgate.errors import ConfigurationError
from quantgate.judgement.wording import NOUNS
from quantgate.records import Discordant, Measurement, Verdict
from quantgate.stats import Estimate

ALPHA = 0.025


class Others(msgspec.Struct, frozen=True):
    """The suites of the checkpoint at hand, this one among them, and the unadjusted p-values of those already judged."""

    suites: int = 1
    p_values: Sequence[float] = ()

    def adjusted(self, p_value: float) -> float:
        """This suite's p-value after Holm's correction. Raises ValueError where there are more p-values than other suites."""
        to_come = self.suites - 1 - len(self.p_values)
        if to_come < 0:
            raise ValueError(f"suites = {self.suites} and {len(self.p_values)} others judged: the suite at hand is one of them")
        return stats.holm([p_value, *self.p_values, *([1.0] * to_come)])[0]


ALONE = Others()
"""The one suite of its checkpoint."""


def decide(
    measured: Measurement,
    unit: str,
    tolerance: float,
    estimate: Estimate,
    *,
    others: Others,
    discordant: Discordant | None = None,
    power: tuple[float, int] | None = None,
    notes: Sequence[str | None] = (),
) -> Verdict:
    """The verdict; `power` is (mde, n_needed) where they do not follow from the interval, `notes` follow the reason."""
    drop, (low, high), n, noun = estimate.value, estimate.interval, estimate.n, NOUNS[unit]
    if not math.isfinite(drop):
        return error(measured, unit, f"the drop is {drop}, as the sums leave the range of a float: nothing can be concluded", tolerance)
    finite = math.isfinite(low) and math.isfinite(high)
    p = others.adjusted(estimate.p_value)
    chance = f"p = {p:.2g}" + (f" after Holm's correction over {others.suites} suites" if others.suites > 1 else "")
    if power is None and finite:
        # Without room between no drop and the bound (a speed-up is required), the room is from the drop seen to the bound.
        room = tolerance if tolerance > 0 else abs(tolerance - drop)
        power = (stats.mde_from_interval((low, high)), stats.n_needed_from_interval(room, (low, high), n)) if room > 0 else None
    outcome: Literal["pass", "fail", "inconclusive"] = "inconclusive"
    if not finite:
        reason = f"{n} {noun} are too few to show a spread: measure more"
    elif high < tolerance:
        outcome, reason = "pass", "a real loss, within tolerance" if low > 0 and estimate.p_value <= ALPHA else "within tolerance"
    elif drop >= tolerance and p <= ALPHA:
        outcome, reason = "fail", f"the drop reaches the tolerance, and chance does not explain it ({chance})"
    else:
        reason = f"{n} {noun} do not decide"
        if drop >= tolerance:
            reason += f", since chance could explain the drop ({chance}" + ("; p decides, not the interval)" if low > 0 else ")")
        if power is not None and power[1] > n:
            reason += f", about {power[1]} would"
        elif power is not None:
            reason += f", so near the tolerance lies the drop ({power[1]} would clear a checkpoint without loss)"
    return Verdict(
        verdict=outcome,
        family=measured.family,
        checkpoint=measured.checkpoint,
        suite=measured.suite,
        unit=unit,
        reason="; ".join([reason, *filter(None, notes)]),
        tolerance=tolerance,
        drop=drop,
        interval=(low, high) if finite else None,
        confidence=stats.CONFIDENCE,
        p_value=p,
        p_value_alone=estimate.p_value,
        n=n,
        discordant=discordant,
        mde=power[0] if power else None,
        n_needed=power[1] if power and outcome == "inconclusive" else None,
    )


def error(measured: Measurement, unit: str, reason: str, tolerance: float | None = None) -> Verdict:
    """The verdict on what cannot be judged."""
    return Verdict(
        verdict="error",
        family=measured.family,
        checkpoint=measured.checkpoint,
        suite=measured.suite,
        unit=unit,
        reason=reason,
        tolerance=tolerance,
    )


def between(setting: str, value: float, low: float, high: float) -> float:
    """The setting, if it leaves a tolerance above 0 (or a speed ratio above 0); NaN lies nowhere. Else ConfigurationError."""
    if not low < value < high:
        raise ConfigurationError(
            f"{setting} = {value} is no tolerance: it must lie above {low}" + (f" and below {high}" if high < math.inf else "")
        )
    return value
