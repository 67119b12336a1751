"""What an inspection found, in one value: findings, a line for each kind of linear, the worst linears, sizes."""

from collections import defaultdict
from collections.abc import Mapping
from statistics import fmean
from typing import Literal

import msgspec

from quantgate.checkpoint.codes import CodeSummary
from quantgate.checkpoint.decode import Linear
from quantgate.checkpoint.fidelity import Fidelity
from quantgate.checkpoint.findings import Finding
from quantgate.checkpoint.names import kind_of
from quantgate.checkpoint.scales import ScaleSummary
from quantgate.checkpoint.size import Size
from quantgate.checkpoint.yardstick import gaussian_sqnr_db

WORST = 10


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
