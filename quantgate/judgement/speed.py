"""Speed x required speed -> verdict: against BF16 in the same run, and against the checkpoint's own approved measurement."""

import math
from collections.abc import Sequence
from typing import Literal

from quantgate import stats
from quantgate.judgement import admissible, sides
from quantgate.judgement.rule import ALONE, Bearing, Bears, Evidence, FailWhen, Others, between, decide
from quantgate.judgement.wording import DECODE_UNIT, SPEEDUP_UNIT, TTFT_UNIT
from quantgate.records import Approval, DeviceHealth, Limit, Throughput, Verdict
from quantgate.stats import Estimate

HOST_BOUND_PERCENT = 10.0
"""Of the limit. Far below it a step is spent on starting kernels: one small model on one H200 decoded at 0.86 to 1.14 of its approved
speed after three new boots, at 0.1 % of the limit, where a large one at 84 % of it stayed within 3 %."""
COLLAPSED = 2.0
"""Further below what is wanted than this factor no host explains it."""
SLOWER = 0.85
"""A copy or a product below this share of the approved measurement's means another clock, another neighbour or a sick device."""
BETWEEN_RUNS = 0.015
"""Standard deviation of ln(decode_tps) from one run to another, where too few are known: three hosts of one kind, with one checkpoint and
one load, gave 842, 822 and 821 tokens/s, while the rounds of each differed by 0.1 %."""
BETWEEN_RUNS_TTFT = 0.05
"""The same of ln(TTFT): by convention, as no series of runs is known."""
ENOUGH_RUNS, PRIOR_RUNS = 3, 4
"""Known runs from which on they count; what is taken without them then counts as so many more."""


def judge_speedup(measured: Throughput, *, speedup_over_bf16: float, others: Others = ALONE) -> Verdict:
    """The verdict on `weigh_speedup`."""
    return decide(weigh_speedup(measured, speedup_over_bf16=speedup_over_bf16), others)


def weigh_speedup(measured: Throughput, *, speedup_over_bf16: float, fail_when: FailWhen = "likely") -> Evidence:
    """The speed against BF16 in the same run: drop = -mean(log_speedup_over_bf16), paired by round, bound = -ln(required).

    Where both servers do not fit on the device at once, BF16's rounds were measured alone: Welch on ln(decode_tps), unpaired.

    A required ratio below 1 (slower is allowed) gives a bound above 0, and the rule stands as it is. From 1 upwards
    the bound is 0 or less, and "no drop" is no longer what to disprove: a checkpoint may be faster than BF16 and yet
    fall short. So p tests drop <= min(0, bound): "as fast as BF16" for a bound above 0, "as fast as required" below.
    Raises ConfigurationError for a ratio that is not above 0.
    """
    bound = -math.log(between("speedup_over_bf16", speedup_over_bf16, 0, math.inf)) + 0.0  # + 0.0, lest a ratio of 1 read -0
    void = admissible.in_speedup(measured)
    if void is not None:
        return Evidence(measured=measured, unit=SPEEDUP_UNIT, tolerance=bound, obstacle=void, against="same run")
    null, notes = min(0.0, bound), list[str]()
    if measured.log_speedup_over_bf16:
        estimate = stats.mean_interval([-value for value in measured.log_speedup_over_bf16], null=null)
    else:
        bf16, now = measured.bf16_decode_tps, [one.decode_tps for one in measured.rounds]
        estimate = stats.welch_interval(_logarithms(bf16), _logarithms(now), null=null)
        notes = [f"unpaired: {len(now)} rounds after BF16's {len(bf16)}, as both servers do not fit on the device at once"]
    trouble = measured.health.trouble if measured.health else None
    return Evidence(
        measured=measured,
        unit=SPEEDUP_UNIT,
        tolerance=bound,
        estimate=estimate,
        bearings=_by_the_device(trouble, measured.bf16_limit, "BF16's speed", estimate.value - bound),
        notes=notes,
        fail_when=fail_when,
        against="same run",
    )


def judge_decode_tps(measured: Throughput, baseline: Throughput, *, decode_tps_ratio: float, others: Others = ALONE) -> Verdict:
    """The verdict on `weigh_decode_tps`."""
    return decide(weigh_decode_tps(measured, baseline, decode_tps_ratio=decode_tps_ratio), others)


def weigh_decode_tps(measured: Throughput, baseline: Throughput, *, decode_tps_ratio: float, fail_when: FailWhen = "likely") -> Evidence:
    """The speed against an approved measurement of the same device class: Welch on ln(decode_tps) of the rounds, unpaired, and what one
    run differs from another besides. Raises ConfigurationError for a ratio outside 0 to 1."""
    tolerance = -math.log(between("decode_tps_ratio", decode_tps_ratio, 0, 1))
    void = admissible.between_speeds(measured, baseline)
    if void is not None:
        return Evidence(measured=measured, unit=DECODE_UNIT, tolerance=tolerance, obstacle=void, against=_against(measured, baseline))
    before, now = ([one.decode_tps for one in record.rounds] for record in (baseline, measured))
    spread, freedom, said = between_runs([one.figure for one in _alike(baseline)], BETWEEN_RUNS)
    estimate = stats.welch_interval(_logarithms(before), _logarithms(now), between_runs=spread, between_freedom=freedom)
    trouble = _trouble(measured, baseline)
    return Evidence(
        measured=measured,
        unit=DECODE_UNIT,
        tolerance=tolerance,
        estimate=estimate,
        power=_power(estimate),
        bearings=_by_the_device(trouble, baseline.limit, "its approved speed", estimate.value - tolerance),
        notes=[*sides.notes(measured, baseline), _unpaired(now, before, said), _faster(estimate, tolerance)],
        fail_when=fail_when,
        against=_against(measured, baseline),
    )


def weigh_ttft(measured: Throughput, baseline: Throughput, *, ttft_ratio: float, fail_when: FailWhen = "likely") -> Evidence | None:
    """The time to the first token against an approved measurement's, as `weigh_decode_tps`: ln of each round's mean; positive is slower.

    None where the speed's own verdict says what is in the way. Raises ConfigurationError for a ratio <= 1.
    """
    tolerance = math.log(between("ttft_ratio", ttft_ratio, 1, math.inf))
    if admissible.between_speeds(measured, baseline) is not None:
        return None
    before, now = ([one.ttft_ms.mean for one in record.rounds if one.ttft_ms is not None] for record in (baseline, measured))
    if not before or not now or min(*before, *now) <= 0:
        said = "no round has its TTFT, as answers were not streamed or the baseline is older: approve a new one"
        if before and now:
            said = f"a round has a TTFT of {min(*before, *now):g} ms: measure again"
        return Evidence(
            measured=measured, unit=TTFT_UNIT, tolerance=tolerance, obstacle=said, aspect="ttft", against=_against(measured, baseline)
        )
    spread, freedom, said = between_runs([], BETWEEN_RUNS_TTFT)
    then, since = ([-value for value in _logarithms(one)] for one in (before, now))
    estimate = stats.welch_interval(then, since, between_runs=spread, between_freedom=freedom)
    trouble = _trouble(measured, baseline)
    return Evidence(
        measured=measured,
        unit=TTFT_UNIT,
        tolerance=tolerance,
        estimate=estimate,
        power=_power(estimate),
        bearings=_by_the_device(trouble, None, ""),
        notes=[_unpaired(now, before, said)],
        fail_when=fail_when,
        aspect="ttft",
        against=_against(measured, baseline),
    )


def _power(found: Estimate) -> tuple[float, int | None] | None:
    """(mde, None): what runs differ by does not shrink with the rounds of one."""
    return (stats.mde_from_interval(found.interval), None) if all(map(math.isfinite, found.interval)) else None


def _against(measured: Throughput, baseline: Throughput) -> Literal["bf16", "own"]:
    return "own" if (measured.family, measured.checkpoint) == (baseline.family, baseline.checkpoint) else "bf16"


def between_runs(figures: Sequence[float], prior: float) -> tuple[float, float, str]:
    """Standard deviation of ln(figure) from run to run, its degrees of freedom, and where it is from.

    `prior` is taken as known until ENOUGH_RUNS are; then pooled: s^2 = (PRIOR_RUNS*prior^2 + (k - 1)*s_k^2) / (PRIOR_RUNS + k - 1), and
    never above twice the prior, since what changed for good is in a history too.
    """
    runs = len(figures)
    if runs < ENOUGH_RUNS:
        return prior, math.inf, f"runs taken to differ by {100 * prior:.2g} %"
    logarithms = _logarithms(figures)
    mean = math.fsum(logarithms) / runs
    squares = math.fsum((value - mean) ** 2 for value in logarithms)
    freedom = PRIOR_RUNS + runs - 1
    spread = min(2 * prior, math.sqrt((PRIOR_RUNS * prior**2 + squares) / freedom))
    return spread, freedom, f"runs differ by {100 * spread:.2g} %, by {runs} approved ones"


def _alike(baseline: Throughput) -> list[Approval]:
    """The approvals since the last one with a reason that measured what the last one did: the same engine and weights."""
    history = [one for one in baseline.history if one.figure > 0]
    since = max((place for place, one in enumerate(history) if one.reason is not None), default=0)
    return [
        one for one in history[since:] if (one.vllm, one.checkpoint_fingerprint) == (history[-1].vllm, history[-1].checkpoint_fingerprint)
    ]


def _unpaired(now: Sequence[float], before: Sequence[float], said: str) -> str:
    return f"unpaired: {len(now)} rounds against {len(before)} of another run, {said}"


def _faster(found: Estimate, tolerance: float) -> str | None:
    return "faster by more than the tolerance: approve it, or later losses hide behind the old speed" if found.value <= -tolerance else None


def _trouble(measured: Throughput, baseline: Throughput) -> str | None:
    """Why the device, now or when the baseline was measured, was not one to measure on."""
    before = baseline.health.trouble if baseline.health else None
    return (
        (measured.health.trouble if measured.health else None)
        or (f"its baseline was measured where {before}" if before else None)
        or slower(measured.health, baseline.health)
    )


def _by_the_device(trouble: str | None, limit: Limit | None, whose: str, beyond: float = 0.0) -> list[Bearing]:
    """A sick or shared device decides nothing, and a speed that the host sets cannot fail a checkpoint, unless it is `beyond` what is
    wanted (in ln) by more than a factor of COLLAPSED.

    `limit` is of the side that is no suspect, the approved record or BF16 in the same run: a checkpoint that has collapsed is far below
    what memory allows as well.
    """
    if trouble is not None:
        return [Bearing(Bears.DECIDES_NOTHING, f"{trouble}; measure again on a device that is well and free")]
    if limit is not None and limit.percent < HOST_BOUND_PERCENT and beyond < math.log(COLLAPSED):
        said = f"{whose} is {limit.percent:.2g} % of what the device's memory allows: the host sets it, and differs from run to run"
        return [Bearing(Bears.FORBIDS_FAILING, f"{said}; ask for more at once, or of a larger model")]
    return []


def slower(now: DeviceHealth | None, approved: DeviceHealth | None) -> str | None:
    """Why the device is not what it was when the baseline was approved, or None."""
    if now is None or approved is None:
        return None
    for name, unit in (("copy_gb_s", "GB/s in a copy"), ("matmul_tflops", "TFLOP/s in a matrix product")):
        value, before = getattr(now, name), getattr(approved, name)
        if value < SLOWER * before:
            return f"the device itself gives {value:.4g} {unit}, and gave {before:.4g} when its baseline was approved"
    return None


def _logarithms(values: Sequence[float]) -> list[float]:
    return [math.log(value) for value in values]
