"""What an inspection found, in one value: findings, a line for each kind of linear, the worst linears, and what the weights take."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Literal

import msgspec

from quantgate.checkpoint.codes import CodeSummary
from quantgate.checkpoint.decode import Linear
from quantgate.checkpoint.fidelity import Fidelity
from quantgate.checkpoint.findings import Finding
from quantgate.checkpoint.names import kind_of
from quantgate.checkpoint.scales import ScaleSummary
from quantgate.checkpoint.source import Source
from quantgate.checkpoint.yardstick import gaussian_sqnr_db

WORST = 10
BF16_BYTES = 2
GIB = 1 << 30
DEVICES_GIB = {
    "8 GiB": 8, "12 GiB": 12, "16 GiB": 16, "24 GiB (RTX 4090, L4)": 24, "32 GiB (RTX 5090)": 32, "48 GiB (L40S)": 48,
    "80 GiB (A100, H100)": 80, "96 GiB (RTX PRO 6000)": 96, "141 GB (H200)": 141e9 / GIB, "192 GB (B200)": 192e9 / GIB,
}  # fmt: skip
"""Memory by the makers' data sheets."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """All linears of one projection. Shares are means; dB against the base, None without one."""

    name: str
    scheme: str
    count: int
    codes_at_zero: float
    codes_at_end: float
    largest_weight: float
    sqnr_db_mean: float | None = None
    sqnr_db_worst: float | None = None
    expected_db: float | None = None
    gaussian_db: float | None = None


class LinearFidelity(msgspec.Struct, frozen=True):
    name: str
    fidelity: Fidelity


class Size(msgspec.Struct, frozen=True):
    """`smallest_device`: the first whose memory is larger than the weights alone; KV cache and activations come on top."""

    bytes_by_dtype: dict[str, int]
    total_bytes: int
    bf16_bytes: int
    compression_ratio: float
    smallest_device: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`verdict`: fail on any finding of severity error. `scale_histogram`: scheme → octave (log2) → scales of that size.

    `made_by`: the line of the manifest that `quantgate quantize` left, where there is one.
    """

    checkpoint: str
    against: str | None
    formats: list[str]
    linears: int
    tensors: int
    verdict: Literal["pass", "fail"]
    findings: list[Finding]
    kinds: list[Kind]
    worst: list[LinearFidelity]
    scale_histogram: dict[str, dict[int, int]]
    size: Size
    made_by: str | None = None

    def of(self, severity: str) -> list[Finding]:
        return [one for one in self.findings if one.severity == severity]


def kinds(
    linears: Mapping[str, Linear], scales: Mapping[str, ScaleSummary], codes: Mapping[str, CodeSummary], fidelity: Mapping[str, Fidelity]
) -> list[Kind]:
    """Linears summed up by projection, in the order of the checkpoint."""
    together: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, linear in linears.items():
        together[kind_of(name), linear.scheme.label].append(name)
    return [_kind(key, names, linears, scales, codes, fidelity) for key, names in together.items()]


def _kind(
    key: tuple[str, str], names: list[str], linears: Mapping[str, Linear], scales: Mapping[str, ScaleSummary],
    codes: Mapping[str, CodeSummary], fidelity: Mapping[str, Fidelity],
) -> Kind:  # fmt: skip
    seen = [codes[name] for name in names if name in codes]
    found = [fidelity[name] for name in names if name in fidelity]
    compared = {
        "sqnr_db_mean": fmean(one.sqnr_db for one in found), "sqnr_db_worst": min(one.sqnr_db for one in found),
        "expected_db": fmean(one.expected_db for one in found), "gaussian_db": gaussian_sqnr_db(linears[names[0]].scheme),
    } if found else {}  # fmt: skip
    return Kind(
        name=key[0], scheme=key[1], count=len(names), codes_at_zero=fmean(one.at_zero for one in seen) if seen else 0.0,
        codes_at_end=fmean(one.at_end for one in seen) if seen else 0.0,
        largest_weight=max((scales[name].largest for name in names if name in scales), default=0.0), **compared,
    )  # fmt: skip


def worst(fidelity: Mapping[str, Fidelity]) -> list[LinearFidelity]:
    """The WORST linears, furthest below what their format keeps first; those that are no numbers before all."""
    ordered = sorted(fidelity.items(), key=lambda one: (one[1].is_finite, -(one[1].expected_db - one[1].sqnr_db)))
    return [LinearFidelity(name, found) for name, found in ordered[:WORST]]


def histogram(linears: Mapping[str, Linear], scales: Mapping[str, ScaleSummary]) -> dict[str, dict[int, int]]:
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for name, summary in scales.items():
        counts = found[linears[name].scheme.label]
        for octave, count in summary.histogram.items():
            counts[octave] = counts.get(octave, 0) + count
    return {label: dict(sorted(counts.items())) for label, counts in found.items()}


def sizes(source: Source, linears: Sequence[Linear]) -> Size:
    """From the headers alone. In BF16 a quantized linear takes two bytes a weight, every other tensor what it takes."""
    by_dtype: Counter[str] = Counter()
    for stored in source.weights.tensors.values():
        by_dtype[stored.dtype] += stored.size_bytes
    total = sum(by_dtype.values())
    replaced = {linear.tensor(part) for linear in linears for part in linear.scheme.promised(linear.rows, linear.width)}
    quantized = sum(source.weights[name].size_bytes for name in replaced if name in source.weights)
    bf16 = total - quantized + BF16_BYTES * sum(linear.rows * linear.width for linear in linears)
    fits = next((name for name, memory in DEVICES_GIB.items() if total < memory * GIB), "several devices")
    return Size(dict(by_dtype.most_common()), total, bf16, bf16 / total if total else 1.0, fits)
