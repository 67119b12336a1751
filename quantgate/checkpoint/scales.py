"""Scales of one linear: finite, positive, plausible, not piled up at the end of their range, not all alike.

Every limit follows from the format or from what a transformer can compute; none is fitted to examples.
"""

import math
from collections.abc import Iterator

import msgspec
import numpy as np
import numpy.typing as npt

from quantgate.checkpoint.decode import Linear
from quantgate.checkpoint.findings import Finding, Severity
from quantgate.checkpoint.numerics import FP4_MAX, FP8_MAX, Floats, to_floats
from quantgate.checkpoint.storage import Weights, row_blocks

LARGEST_WEIGHT = 1_000.0
"""A weight above this turns an input of 1 into more than 1,000; trained linears end two orders of magnitude below."""
SMALLEST_LARGEST_WEIGHT = 1e-6
"""A matrix whose largest weight is below this adds less than BF16 resolves to any residual stream of size 1."""
TOP, NEXT = 448.0, 416.0
OCTETS = {"F8_E4M3": "F8_E4M3", "U8": "F8_E8M0", "F8_E8M0": "F8_E8M0"}
"""Scales of one byte → how they are read (MXFP4's are stored as plain bytes)."""
ALIKE_FROM = 64
"""So many scales that are all equal, or all powers of two (one E4M3 value in eight is), are no accident: 8^-64."""


class ScaleSummary(msgspec.Struct, frozen=True):
    """`histogram`: octave floor(log2 of scale times global factor) → count; `largest`: largest weight that could be stored."""

    histogram: dict[int, int]
    median: float
    largest: float


def check_scales(linear: Linear) -> tuple[ScaleSummary | None, list[Finding]]:
    """Reads every scale; None where they cannot be summed up, being no numbers."""
    found, findings = _Count(), list[Finding]()
    scheme = linear.scheme
    blocks = row_blocks(linear.rows, linear.width // (scheme.group or linear.width) or 1, scheme.block[0] if scheme.block else 1)
    name = linear.tensor(scheme.scale)
    if linear.weights[name].dtype in OCTETS:
        found.add_octets(linear.weights, name)
    else:
        for start, stop in blocks if scheme.strategy != "tensor" else [(0, 1)]:
            found.add(linear.scales(start, stop)[:: scheme.block[0] if scheme.block else 1])
    if found.broken:
        value = f"{found.broken:,} of {found.total:,} are NaN or infinite"
        findings.append(
            _finding("error", "scale-not-finite", name, value, "every product with them is NaN: memory never written", found.broken)
        )
    if found.negative:
        value = f"{found.negative:,} of {found.total:,} are negative"
        findings.append(
            _finding("error", "scale-negative", name, value, "no quantizer writes these: read in another dtype", found.negative)
        )
    lost = _over_codes(linear) if found.zero and (scheme.codes != "fp4" or 2 * found.zero > found.total) else 0
    if lost:
        value = f"{lost:,} of {found.total:,} are 0"
        findings.append(
            _finding("error", "scale-zero", name, value, "all that they scale is 0: an underflow, or a tensor never written", lost)
        )
    findings.extend(_global(linear))
    findings.extend(_shape_of_values(linear, found))
    factor = float(linear.global_factor())
    if found.broken or found.negative or not found.largest or not math.isfinite(factor) or factor <= 0:
        return None, findings
    largest = found.largest * factor * _largest_code(linear)
    findings.extend(_magnitude(linear, largest))
    shift = math.log2(factor)
    histogram: dict[int, int] = {}
    for octave, count in found.octaves.items():
        octave_now = math.floor(octave + shift)
        histogram[octave_now] = histogram.get(octave_now, 0) + count
    return ScaleSummary(histogram, found.median() * factor, largest), findings


def _over_codes(linear: Linear) -> int:
    """Scales of 0 with a code under them that is not: 0 times 0 is what a pruned row or group was."""
    scheme, lost = linear.scheme, set[tuple[int, int]]()
    high = scheme.block[0] if scheme.strategy == "block" and scheme.block else 1
    wide = scheme.block[1] if scheme.strategy == "block" and scheme.block else scheme.group or linear.width
    for start, stop in row_blocks(linear.rows, 4 * linear.width):
        scales = linear.scales(start, stop)
        if (scales != 0).all():
            continue
        used = linear.numbers(start, stop) != 0
        used &= np.broadcast_to(linear.spread(scales) == 0, used.shape)
        rows, columns = np.nonzero(used)
        if scheme.strategy == "tensor":
            rows, columns = rows * 0, columns * 0
        lost.update(zip(((rows + start) // high).tolist(), (columns // wide).tolist(), strict=True))
    return len(lost)


class _Count:
    """What is summed up over blocks of scales."""

    def __init__(self) -> None:
        self.total = self.broken = self.negative = self.zero = self.top = self.next = self.powers = 0
        self.largest, self.smallest = 0.0, math.inf
        self.octaves: dict[int, int] = {}

    def add_octets(self, weights: Weights, name: str) -> None:
        """Scales of one byte: 256 values and how often each occurs tell all, two bytes counted at a time."""
        stored = weights[name]
        counts = np.zeros(256, np.int64)
        for start, stop in row_blocks(stored.rows, stored.size_bytes // max(1, stored.rows)):
            raw = weights.read(name, start, stop).reshape(-1).view(np.uint8)
            even = raw.size // 2 * 2
            both = np.bincount(raw[:even].view(np.uint16), minlength=1 << 16).reshape(256, 256)
            counts += both.sum(0) + both.sum(1) + np.bincount(raw[even:], minlength=256)
        self.add(to_floats(np.arange(256, dtype=np.uint8), OCTETS[stored.dtype]), counts)

    def add(self, scales: Floats, counts: npt.NDArray[np.int64] | None = None) -> None:
        """`counts`: how often each of the scales occurs; once, if not told."""
        scales = scales.reshape(-1)
        often = np.ones(scales.size, np.int64) if counts is None else counts
        self.total += int(often.sum())
        finite = np.isfinite(scales)
        self.broken += int(often[~finite].sum())
        with np.errstate(invalid="ignore"):
            self.negative += int(often[scales < 0].sum())
            self.zero += int(often[scales == 0].sum())
            is_positive = finite & (scales > 0) & (often > 0)
        positive, often = scales[is_positive], often[is_positive]
        if positive.size:
            self.largest, self.smallest = max(self.largest, float(positive.max())), min(self.smallest, float(positive.min()))
            self.top += int(often[positive == TOP].sum())
            self.next += int(often[positive == NEXT].sum())
            mantissa, exponent = np.frexp(positive)
            self.powers += int(often[mantissa == 0.5].sum())
            for octave in np.unique(exponent).tolist():
                self.octaves[octave - 1] = self.octaves.get(octave - 1, 0) + int(often[exponent == octave].sum())

    def median(self) -> float:
        """To the octave's middle, which is as much as is needed to compare layers."""
        half, seen = sum(self.octaves.values()) / 2, 0
        for octave in sorted(self.octaves):
            seen += self.octaves[octave]
            if seen >= half:
                return 1.5 * 2.0**octave
        return math.nan


def _largest_code(linear: Linear) -> float:
    return {"fp4": FP4_MAX, "fp8": FP8_MAX}.get(linear.scheme.codes, float(2 ** (linear.scheme.bits - 1)))


def _global(linear: Linear) -> Iterator[Finding]:
    part = linear.scheme.global_scale
    if part is not None:
        stored = linear.scalar(part)
        if not math.isfinite(stored) or stored <= 0:
            yield _finding(
                "error", "global-scale", linear.tensor(part), f"{stored:g}", "it must be finite and above 0: memory never written", math.inf
            )


def _magnitude(linear: Linear, largest: float) -> Iterator[Finding]:
    """compressed-tensors stores global scales as divisors (2,688 / largest weight, so above 1 for weights below 2,688), ModelOpt
    as factors (the inverse): taken for the other, the largest weight comes out too large by the square of it."""
    part = linear.scheme.global_scale or linear.scheme.scale
    if largest > LARGEST_WEIGHT:
        if linear.scheme.global_scale:
            other = "a factor where a divisor is meant" if linear.scheme.convention == "divisor" else "a divisor where a factor is meant"
            value = f"{linear.scalar(part):.4g} makes the largest weight {largest:.3g}"
            meaning = f"{other}: compressed-tensors stores 2,688 / largest, ModelOpt the inverse"
        else:
            value, meaning = (
                f"the largest weight would be {largest:.3g}",
                "the inverse of a scale where the scale is meant, or memory never written",
            )
        yield _finding("error", "weights-too-large", linear.tensor(part), value, meaning, largest)
    elif largest < SMALLEST_LARGEST_WEIGHT:
        value = f"the largest weight would be {largest:.3g}"
        yield _finding(
            "error",
            "weights-too-small",
            linear.tensor(part),
            value,
            "the inverse of a scale where the scale is meant, or an underflow",
            -largest,
        )


def _shape_of_values(linear: Linear, found: _Count) -> Iterator[Finding]:
    """Distributions that no quantizer leaves behind.

    Scales come from largest values, whose counts fall towards the end of the range: the bin 448 (432 and above) then holds no
    more than twice what the bin of the same kind below it holds, give or take four standard deviations of a count. GPTQ's and
    AWQ's own libraries know no scale for a whole tensor that could have been written under another name.
    """
    scheme, name = linear.scheme, linear.tensor(linear.scheme.scale)
    if scheme.scale_dtypes == ("F8_E4M3",):
        if found.top > 2 * found.next + 4 * math.sqrt(2 * found.next + 1) + 16:
            value = f"{found.top:,} of {found.total:,} are 448, {found.next:,} are 416"
            meaning = "cut off at FP8's end: multiplied after they were found, or a global scale of another tensor"
            yield _finding("warning", "scales-saturated", name, value, meaning, found.top / found.total)
        if found.total >= ALIKE_FROM and found.powers == found.total and found.smallest != found.largest:
            value = f"all {found.total:,} are powers of two"
            yield _finding(
                "warning", "scales-powers-of-two", name, value, "MXFP4's scales under NVFP4's name: three bits of mantissa lie unused", 1.0
            )
    if (
        scheme.form == "rows"
        and scheme.strategy not in ("tensor", "block")
        and found.total >= ALIKE_FROM
        and found.smallest == found.largest
    ):
        value = f"all {found.total:,} are {found.largest:.4g}"
        meaning = "one scale for the whole tensor, where the configuration promises one for each " + (
            "row" if scheme.strategy == "channel" else "group"
        )
        yield _finding("warning", "scales-all-alike", name, value, meaning, 1.0)


def _finding(severity: Severity, check: str, where: str, value: str, meaning: str, badness: float) -> Finding:
    return Finding(severity=severity, area="scales", check=check, where=where, value=value, meaning=meaning, badness=badness)
