"""The codes themselves: NaN, rows never written, ranges not used or cut off.

Whole tensors are only searched for what one byte can show; shares come from a sample of rows.
"""

import math
from collections.abc import Iterator

import msgspec
import numpy as np

from quantgate.checkpoint.decode import Linear, unpacked
from quantgate.checkpoint.findings import Finding, Severity
from quantgate.checkpoint.storage import Raw, row_blocks

SAMPLED_CODES = 1 << 18
SMALLEST_NORMAL = 2.0**-6
"""FP8 group scales below this have lost bits of their mantissa, and their groups' codes no longer reach 6."""
FP4_SEVEN, FP4_SIX = 7, 6


class CodeSummary(msgspec.Struct, frozen=True):
    """Shares of a sample: codes that mean 0, and codes at the end of the range (±6, ±448, ±127 …)."""

    at_zero: float
    at_end: float


def check_codes(linear: Linear) -> tuple[CodeSummary, list[Finding]]:
    name, findings = linear.tensor(linear.scheme.weight), list[Finding]()
    empty, broken = _search(linear)
    if broken:
        value = f"{broken:,} rows hold a NaN"
        findings.append(
            _finding("error", "code-not-a-number", name, value, "every answer becomes NaN: memory never written, or another FP8", broken)
        )
    if empty:
        value = f"all {linear.rows:,} rows are 0" if empty == linear.rows else f"{empty:,} of {linear.rows:,} rows are 0"
        severity: Severity = "error" if empty == linear.rows else "warning"
        findings.append(
            _finding(
                severity, "rows-zero", name, value, "memory that was allocated and never written, or a pruned model", empty / linear.rows
            )
        )
    summary, problems = _sampled(linear)
    return summary, findings + problems


def _search(linear: Linear) -> tuple[int, int]:
    """Rows that are all zero, and rows with a NaN. The sign bits are masked, so that the largest byte of a row tells both."""
    empty = broken = 0
    kind = linear.scheme.codes
    mask = np.uint8({"fp4": 0x77, "fp8": 0x7F}.get(kind, 0xFF))
    row_bytes = linear.weights[linear.tensor(linear.scheme.weight)].size_bytes // max(1, linear.rows)
    for start, stop in row_blocks(linear.rows, row_bytes):
        octets = np.ascontiguousarray(linear.codes(start, stop)).view(np.uint8).reshape(stop - start, -1)
        if kind == "packed":  # half the range is added before packing: a row of zeros is a row of 0x88 (0x80 for 8 bits)
            octets = octets[:, : linear.width * linear.scheme.bits // 8]
            octets = octets ^ np.resize(_zeros(linear.scheme.bits), octets.shape[1])
        largest = (octets & mask).max(axis=1)
        empty += int(np.count_nonzero(largest == 0))
        broken += int(np.count_nonzero(largest == 0x7F)) if kind == "fp8" else 0
    return empty, broken


def _zeros(bits: int) -> Raw:
    """Bytes of eight packed zeros."""
    return np.packbits((1 << (bits - 1) >> np.tile(np.arange(bits), 8)) & 1, bitorder="little").astype(np.uint8)


def sample_rows(rows: int, width: int, elements: int, least: int = 1) -> Raw:
    """Numbers of rows spread evenly over the matrix: all, where they have no more than `elements`."""
    wanted = min(rows, max(least, elements // max(1, width)))
    return np.unique(np.linspace(0, rows - 1, wanted).astype(np.int64))


def _sampled(linear: Linear) -> tuple[CodeSummary, list[Finding]]:
    numbers = sample_rows(linear.rows, linear.width, SAMPLED_CODES)
    is_whole = len(numbers) == linear.rows
    octets = np.concatenate([linear.codes(0)] if is_whole else [linear.codes(row, row + 1) for row in numbers.tolist()])
    octets = np.ascontiguousarray(octets).view(np.uint8).reshape(len(numbers), -1)
    if linear.scheme.codes == "fp4":
        return _fp4(linear, octets, numbers, is_whole=is_whole)
    if linear.scheme.bits not in (4, 8):
        steps = 1 << linear.scheme.bits
        numbers = unpacked(octets, linear.scheme.bits)[:, : linear.width] + steps // 2
        seen = np.bincount(numbers.astype(np.int64).reshape(-1), minlength=steps)
        return CodeSummary(float(seen[steps // 2] / seen.sum()), float(seen[[0, -1]].sum() / seen.sum())), []
    counts = np.bincount(octets.reshape(-1), minlength=256)
    if linear.scheme.codes == "fp8":
        zero, end, below = counts[[0x00, 0x80]].sum(), counts[[0x7E, 0xFE]].sum(), counts[[0x7D, 0xFD]].sum()
    elif linear.scheme.bits == 8:
        middle = 0x80 if linear.scheme.codes == "packed" else 0x00
        zero, end, below = counts[middle], counts[[middle ^ 0x7F, middle ^ 0x80]].sum(), counts[[middle ^ 0x7E, middle ^ 0x81]].sum()
    else:
        halves = np.bincount((octets & 0xF).reshape(-1), minlength=16) + np.bincount((octets >> 4).reshape(-1), minlength=16)
        return CodeSummary(float(halves[8] / halves.sum()), float(halves[[0, 15]].sum() / halves.sum())), []
    summary = CodeSummary(float(zero / octets.size), float(end / octets.size))
    return summary, list(_cut_off(linear, int(end), int(below), len(numbers), octets.size))


def _cut_off(linear: Linear, end: int, below: int, rows: int, total: int) -> Iterator[Finding]:
    """Counts fall towards the end of a range, so the last bin holds no more than twice the one before it, and one code for each scale."""
    scheme = linear.scheme
    columns = scheme.block[1] if scheme.block else scheme.group or linear.width
    scales = rows * -(-linear.width // columns)
    allowed = 2 * below + 2 * scales
    if scheme.is_symmetric and end > allowed + 4 * math.sqrt(allowed + 1) + 16:
        value = f"{100 * end / total:.2g} % of codes at the end of the range, {100 * below / total:.2g} % one below"
        meaning = "the largest weights are cut off: a scale for less than their range"
        yield _finding("warning", "codes-saturated", linear.tensor(scheme.weight), value, meaning, end / total)


def _fp4(linear: Linear, octets: Raw, numbers: Raw, *, is_whole: bool) -> tuple[CodeSummary, list[Finding]]:
    """Group by group: a scale is its group's largest weight / 6, so that its largest code is 6 (or 4, where a quantizer
    takes the better of two scales, or a power of two); never less while the scale is a normal FP8 number."""
    counts = np.bincount(octets.reshape(-1), minlength=256).reshape(16, 16)
    codes = counts.sum(0) + counts.sum(1)
    summary = CodeSummary(float(codes[[0, 8]].sum() / codes.sum()), float(codes[[FP4_SEVEN, FP4_SEVEN | 8]].sum() / codes.sum()))
    size = linear.scheme.group or 16
    if octets.shape[1] * 2 % size or linear.scheme.global_scale is None:
        return summary, []
    scales = linear.scales(0) if is_whole else np.concatenate([linear.scales(row, row + 1) for row in numbers.tolist()])
    largest = np.maximum(octets & 7, (octets >> 4) & 7).reshape(len(octets), -1, size // 2).max(-1)
    normal = scales >= SMALLEST_NORMAL
    unused, total = int(np.count_nonzero(normal & (largest < FP4_SIX))), int(np.count_nonzero(normal))
    if total and unused > 0.01 * total + 4 * math.sqrt(0.01 * total):
        value = f"{100 * unused / total:.1f} % of groups never reach ±4"
        meaning = "their scales were made for larger weights: scales or codes of another tensor, one scale for all, or codes never written"
        return summary, [_finding("warning", "groups-unused", linear.tensor(linear.scheme.weight), value, meaning, unused / total)]
    return summary, []


def _finding(severity: Severity, check: str, where: str, value: str, meaning: str, badness: float) -> Finding:
    return Finding(severity=severity, area="scales", check=check, where=where, value=value, meaning=meaning, badness=badness)
