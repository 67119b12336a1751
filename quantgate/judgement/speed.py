"""Speed x required speed -> verdict: against BF16 in the same run, and against the checkpoint's own approved measurement."""

import math

import msgspec

from quantgate import stats
from quantgate.judgement import admissible
from quantgate.judgement.rule import ALONE, Others, between, decide, error
from quantgate.judgement.wording import DECODE_UNIT, SPEEDUP_UNIT
from quantgate.records import DeviceHealth, Limit, Throughput, Verdict

HOST_BOUND_PERCENT = 10.0
"""Of the limit. Far below it a step is spent on starting kernels: one small model on one H200 decoded at 0.86 to 1.14 of its approved
speed after three new boots, at 0.1 % of the limit, where a large one at 84 % of it stayed within 3 %."""
SLOWER = 0.85
"""A copy or a product below this share of the approved measurement's means another clock, another neighbour or a sick device."""


def judge_speedup(measured: Throughput, *, speedup_over_bf16: float, others: Others = ALONE) -> Verdict:
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
        return error(measured, SPEEDUP_UNIT, void, bound)
    null, notes = min(0.0, bound), list[str]()
    if measured.log_speedup_over_bf16:
        estimate = stats.mean_interval([-value for value in measured.log_speedup_over_bf16], null=null)
    else:
        bf16, now = (
            [math.log(tps) for tps in rounds] for rounds in (measured.bf16_decode_tps, [one.decode_tps for one in measured.rounds])
        )
        estimate = stats.welch_interval(bf16, now, null=null)
        notes = [f"unpaired: {len(now)} rounds after BF16's {len(bf16)}, as both servers do not fit on the device at once"]
    judged = decide(measured, SPEEDUP_UNIT, bound, estimate, others=others, notes=notes)
    trouble = measured.health.trouble if measured.health else None
    return msgspec.structs.replace(_by_the_device(judged, trouble, measured.bf16_limit), against="same run")


def judge_decode_tps(measured: Throughput, baseline: Throughput, *, decode_tps_ratio: float, others: Others = ALONE) -> Verdict:
    """The speed against an approved measurement of the same device class: Welch on ln(decode_tps) of the rounds, unpaired.

    Raises ConfigurationError for a ratio outside 0 to 1.
    """
    tolerance = -math.log(between("decode_tps_ratio", decode_tps_ratio, 0, 1))
    void = admissible.between_speeds(measured, baseline)
    if void is not None:
        return error(measured, DECODE_UNIT, void, tolerance)
    before, now = ([math.log(one.decode_tps) for one in record.rounds] for record in (baseline, measured))
    note = f"unpaired: {len(now)} rounds against {len(before)} of another run"
    judged = decide(measured, DECODE_UNIT, tolerance, stats.welch_interval(before, now), others=others, notes=[note])
    trouble = (measured.health.trouble if measured.health else None) or slower(measured.health, baseline.health)
    return _by_the_device(judged, trouble, baseline.limit)


def _by_the_device(judged: Verdict, trouble: str | None, limit: Limit | None) -> Verdict:
    """A sick or shared device decides nothing, and a speed that the host sets cannot fail a checkpoint.

    `limit` is of the side that is no suspect, the approved record or BF16 in the same run: a checkpoint that has collapsed is far below
    what memory allows as well.
    """
    if judged.verdict == "error":
        return judged
    if trouble is not None:
        return msgspec.structs.replace(judged, verdict="inconclusive", reason=f"{trouble}; measure again on a device that is well and free")
    if judged.verdict == "fail" and limit is not None and limit.percent < HOST_BOUND_PERCENT:
        whose = "its approved speed" if judged.unit == DECODE_UNIT else "BF16's speed"
        said = f"{whose} is {limit.percent:.2g} % of what the device's memory allows: the host sets it, and differs from run to run"
        return msgspec.structs.replace(judged, verdict="inconclusive", reason=f"{said}; ask for more at once, or of a larger model")
    return judged


def slower(now: DeviceHealth | None, approved: DeviceHealth | None) -> str | None:
    """Why the device is not what it was when the baseline was approved, or None."""
    if now is None or approved is None:
        return None
    for name, unit in (("copy_gb_s", "GB/s in a copy"), ("matmul_tflops", "TFLOP/s in a matrix product")):
        value, before = getattr(now, name), getattr(approved, name)
        if value < SLOWER * before:
            return f"the device itself gives {value:.4g} {unit}, and gave {before:.4g} when its baseline was approved"
    return None
