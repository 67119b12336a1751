"""The three-way rule, written once: evidence in, a verdict out; nothing overwrites it afterwards.

`pass`: the upper end of the two-sided 95 % interval of the drop lies below the tolerance. `fail`: the drop is at
least the tolerance, and p(drop <= 0) <= 0.025 after Holm's correction over the checkpoint's suites; of those, the
ones judged earlier in the run are known, and a suite that is yet to come is taken to show nothing. A pass needs no
correction, because a checkpoint passes only if all its suites do. Otherwise `inconclusive`. What cannot be compared,
or is not a number, is an `error`: no measurement can pass by being void.

Beside the drop other things bear on an outcome (a sick device, a suite that nobody gets right, a group that lost far more
than the rest): they come as `Bearing`s with the evidence, and `decide` weighs them in one order.
"""

import math
from collections.abc import Sequence
from enum import Enum
from typing import Literal

import msgspec

from quantgate import stats
from quantgate.errors import ConfigurationError
from quantgate.judgement.endings import unanswered
from quantgate.judgement.wording import NOUNS
from quantgate.records import Answers, Discordant, Divergence, GroupLoss, MeanLoss, Measurement, Noise, Unanswered, Verdict
from quantgate.stats import Estimate

ALPHA = 0.025
NO_CHANCE = 1e-99
"""Below this a p is told as such: a float rounds it to 0, and nothing is that certain."""
SOON, MOST = 4, 1000
"""So many times the items at hand may be asked for: where the drop stays as it was seen, and at all."""
FailWhen = Literal["likely", "proven"]


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


class Bears(Enum):
    """How something besides the drop bears on the outcome; in the order in which `decide` asks."""

    FAILS = "fails by itself"
    VOIDS = "an error, unless a loss is proven in spite of it"
    DECIDES_NOTHING = "no outcome either way"
    FORBIDS_FAILING = "no fail"
    FORBIDS_CLEARING = "no pass"
    MAY_HIDE = "said in a pass; the reason where the data do not decide"
    ALARMS = "said in a pass"


class Bearing(msgspec.Struct, frozen=True):
    """One such thing, with the sentence that says it; `said_as_note` is what follows the reason where it does not decide."""

    how: Bears
    said: str
    said_as_note: str | None = None


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that a verdict is made of, gathered before anything is decided.

    `obstacle`: why nothing can be judged; there is no `estimate` then. `power`: (mde, n_needed) where they do not follow from the
    interval, n_needed None where no number would help. `both_ways`: better by more than the tolerance is a change too. `notes` follow
    the reason, `blame` follows them unless it passes. The rest goes into the verdict as it is.
    """

    measured: Measurement
    unit: str
    tolerance: float
    obstacle: str | None = None
    estimate: Estimate | None = None
    power: tuple[float, int | None] | None = None
    bearings: Sequence[Bearing] = ()
    notes: Sequence[str | None] = ()
    blame: Sequence[str | None] = ()
    both_ways: bool = False
    fail_when: FailWhen = "likely"
    against: Literal["bf16", "own", "same run"] = "bf16"
    aspect: Literal["", "length", "ttft"] = ""
    discordant: Discordant | None = None
    p_value_mid: float | None = None
    clusters: int | None = None
    groups: Sequence[GroupLoss] = ()
    means: Sequence[MeanLoss] = ()
    noise: Noise | None = None
    divergence: Divergence | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is decided by it, so that its p is no chance of a fail."""
        return any(one.how is Bears.DECIDES_NOTHING for one in self.bearings)


def decide(evidence: Evidence, others: Others = ALONE) -> Verdict:
    """The verdict. Where several things bear on it the order of `Bears` holds, and a loss that is proven outweighs what voids."""
    estimate = evidence.estimate
    if evidence.obstacle is not None or estimate is None:
        return _error(evidence, evidence.obstacle or "there is nothing to judge")
    if not math.isfinite(estimate.value):
        return _error(evidence, f"the drop is {estimate.value}, as the sums leave the range of a float: nothing can be concluded")
    p = others.adjusted(estimate.p_value)
    power = _power(evidence, estimate)
    outcome, reason = _by_the_drop(evidence, estimate, others, power)
    said = {how: [one for one in evidence.bearings if one.how is how] for how in Bears}
    notes = list(evidence.notes)
    if fails := said[Bears.FAILS]:
        notes = [reason if outcome == "fail" else None, *notes]
        outcome, reason = "fail", "; ".join(one.said for one in fails)
    if outcome != "fail" and said[Bears.VOIDS]:
        return _error(evidence, said[Bears.VOIDS][0].said)
    if said[Bears.DECIDES_NOTHING]:
        outcome, reason, notes = "inconclusive", said[Bears.DECIDES_NOTHING][0].said, []
    elif outcome == "fail" and said[Bears.FORBIDS_FAILING]:
        outcome, reason = "inconclusive", said[Bears.FORBIDS_FAILING][0].said
    elif said[Bears.FORBIDS_CLEARING]:
        bars = said[Bears.FORBIDS_CLEARING][0]
        if outcome == "pass" or (outcome == "inconclusive" and bars.said_as_note is None):
            outcome, reason = "inconclusive", bars.said
        else:
            notes.append(bars.said_as_note)
    elif outcome == "inconclusive" and said[Bears.MAY_HIDE] and estimate.p_value > ALPHA:
        reason = said[Bears.MAY_HIDE][0].said
    elif outcome == "pass":
        notes += [one.said_as_note or one.said for how in (Bears.MAY_HIDE, Bears.ALARMS) for one in said[how]]
    if outcome != "pass" and not said[Bears.DECIDES_NOTHING]:
        notes += evidence.blame
    blind = outcome == "inconclusive" and reason.partition(" do not decide")[1] == ""
    low, high = estimate.interval
    return Verdict(
        verdict=outcome,
        family=evidence.measured.family,
        checkpoint=evidence.measured.checkpoint,
        suite=evidence.measured.suite,
        unit=evidence.unit,
        reason="; ".join([reason, *filter(None, notes)]),
        tolerance=evidence.tolerance,
        drop=estimate.value,
        interval=(low, high) if math.isfinite(low) and math.isfinite(high) else None,
        confidence=stats.CONFIDENCE,
        p_value=p,
        p_value_alone=estimate.p_value,
        p_value_mid=evidence.p_value_mid,
        n=estimate.n,
        discordant=evidence.discordant,
        discordance=_share(evidence.discordant, estimate.n),
        mde=power[0] if power else None,
        n_needed=power[1] if power and outcome == "inconclusive" and not blind and (power[1] or 0) > estimate.n else None,
        against=evidence.against,
        aspect=evidence.aspect,
        clusters=evidence.clusters,
        groups=list(evidence.groups),
        means=list(evidence.means),
        numerics=evidence.measured.provenance.numerics,
        kernels=list(evidence.measured.provenance.kernels),
        noise=evidence.noise,
        divergence=evidence.divergence,
        unanswered=_unanswered(evidence.measured, evidence.aspect),
    )


def _by_the_drop(
    evidence: Evidence, estimate: Estimate, others: Others, power: tuple[float, int | None] | None
) -> tuple[Literal["pass", "fail", "inconclusive"], str]:
    """What the drop says alone, and why."""
    drop, (low, high), n, tolerance = estimate.value, estimate.interval, estimate.n, evidence.tolerance
    # Shares have rounding: 83 - 81 of per cents is 2.
    reaches, falls = round(drop - tolerance, 12) >= 0, round(drop + tolerance, 12) <= 0
    noun = NOUNS[evidence.unit]
    if not (math.isfinite(low) and math.isfinite(high)):
        return "inconclusive", f"{n} {noun} are too few to show a spread: measure more"
    if high < tolerance and not (evidence.both_ways and low <= -tolerance):
        return "pass", "a real loss, within tolerance" if low > 0 and estimate.p_value <= ALPHA else "within tolerance"
    p, p_better = others.adjusted(estimate.p_value), others.adjusted(estimate.p_better)
    proven = evidence.fail_when == "proven"
    if reaches and p <= ALPHA and (low >= tolerance or not proven):
        if low >= tolerance:
            return "fail", f"proven beyond the tolerance ({_chance(p, others)})"
        return "fail", f"the drop reaches the tolerance, and chance does not explain it ({_chance(p, others)})"
    if evidence.both_ways and falls and p_better <= ALPHA and (high <= -tolerance or not proven):
        changed = "better by more than the tolerance, where nothing should have changed"
        return "fail", f"{changed}, and chance does not explain it ({_chance(p_better, others)})"
    reason = f"{n} {noun} do not decide"
    if reaches and p > ALPHA:
        reason += f", since chance could explain the drop ({_chance(p, others)}" + ("; p decides, not the interval)" if low > 0 else ")")
    elif reaches:
        reason += f': there is a loss ({_chance(p, others)}), and it is not proven beyond the tolerance, as fail_when = "proven" asks'
    if power is not None and power[1] is not None and power[1] > n:
        reason += f", about {power[1]} would"
    elif power is not None and power[1] is not None and 0 < drop < tolerance:
        reason += f", so near the tolerance lies the drop: more {noun} will not settle it soon"
    return "inconclusive", reason


def _chance(p: float, others: Others) -> str:
    return ("p < 1e-99" if p < NO_CHANCE else f"p = {p:.2g}") + (
        f" after Holm's correction over {others.suites} suites" if others.suites > 1 else ""
    )


def _power(evidence: Evidence, estimate: Estimate) -> tuple[float, int | None] | None:
    """(mde, n_needed). Where there are already as many as a checkpoint without loss needs, the number is what would bring the upper end
    below the tolerance if the drop stays as it was seen; within SOON times n, or it is no advice."""
    found = _power_without_loss(evidence, estimate)
    found = None if found is None else _sensible(found, estimate.n)
    if found is None or found[1] is None or found[1] > estimate.n or not estimate.value < evidence.tolerance:
        return found
    wanted = math.ceil(estimate.n * ((estimate.interval[1] - estimate.value) / (evidence.tolerance - estimate.value)) ** 2)
    return (found[0], wanted) if estimate.n < wanted <= SOON * estimate.n else found


def _sensible(found: tuple[float, int | None], n: int) -> tuple[float, int | None]:
    """Without a number that nobody would measure."""
    return (found[0], None) if found[1] is not None and found[1] > MOST * n else found


def _power_without_loss(evidence: Evidence, estimate: Estimate) -> tuple[float, int | None] | None:
    if evidence.power is not None or not all(map(math.isfinite, estimate.interval)):
        return evidence.power
    # Without room between no drop and the bound (a speed-up is required), the room is from the drop seen to the bound.
    room = evidence.tolerance if evidence.tolerance > 0 else abs(evidence.tolerance - estimate.value)
    if room <= 0:
        return None
    return stats.mde_from_interval(estimate.interval), stats.n_needed_from_interval(room, estimate.interval, estimate.n)


def _share(discordant: Discordant | None, n: int) -> float | None:
    return None if discordant is None or n < 1 else (discordant.regressed + discordant.improved) / n


def _error(evidence: Evidence, reason: str) -> Verdict:
    return error(evidence.measured, evidence.unit, reason, evidence.tolerance, evidence.aspect, evidence.against)


def error(
    measured: Measurement,
    unit: str,
    reason: str,
    tolerance: float | None = None,
    aspect: Literal["", "length", "ttft"] = "",
    against: Literal["bf16", "own", "same run"] = "bf16",
) -> Verdict:
    """The verdict on what cannot be judged."""
    return Verdict(
        verdict="error",
        family=measured.family,
        checkpoint=measured.checkpoint,
        suite=measured.suite,
        unit=unit,
        reason=reason,
        tolerance=tolerance,
        aspect=aspect,
        against=against,
        unanswered=_unanswered(measured, aspect),
    )


def _unanswered(measured: Measurement, aspect: str) -> Unanswered | None:
    return unanswered(measured.items) if isinstance(measured, Answers) and not aspect else None


def between(setting: str, value: float, low: float, high: float) -> float:
    """The setting, if it leaves a tolerance above 0 (or a speed ratio above 0); NaN lies nowhere. Else ConfigurationError."""
    if not low < value < high:
        raise ConfigurationError(
            f"{setting} = {value} is no tolerance: it must lie above {low}" + (f" and below {high}" if high < math.inf else "")
        )
    return value
