"""What a linear's fidelity means: limits with their reasons, and the likely cause of what lies beyond them."""

import math
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from quantgate.checkpoint import diagnosis
from quantgate.checkpoint.decode import Linear
from quantgate.checkpoint.fidelity import Compared
from quantgate.checkpoint.findings import Finding, Severity
from quantgate.checkpoint.names import kind_of
from quantgate.checkpoint.source import Source
from quantgate.checkpoint.storage import Weights

WARNING_DB, ERROR_DB = 1.0, 3.0
"""Behind nearest rounding: a quarter more noise than the format needs (scales found in BF16 or by another observer cost
a few hundredths), and twice as much."""
ITERATIVE_DB = 3.0
"""More, where the recipe rounds for the layer's output (GPTQ): up to half of the weights are then rounded the other way."""
GAIN = 0.015
"""Scales rounded to BF16 are off by at most 0.4 %, clipping that pays takes about 1 %; rounding to nearest is unbiased."""
FOREIGN_COSINE, FOREIGN_LEAD = 0.5, 0.3
"""Another layer's weights: a sketch's cosine with an unrelated matrix is 0 ± 0.044, so 0.5 is eleven standard deviations."""


def judge(source: Source, base: Weights, compared: dict[str, tuple[Linear, Compared]]) -> Iterator[Finding]:
    """Findings for every linear whose decode is not what the base lets expect."""
    if source.rewrites:
        yield Finding(
            severity="note", area="fidelity", check="weights-rewritten", where="recipe", value=source.rewrites,
            meaning="it changes weights before they are rounded, so linears cannot be compared with the base one by one",
        )  # fmt: skip
        return
    foreign = _foreign(compared)
    for name, (linear, one) in compared.items():
        found = one.fidelity
        margin = ITERATIVE_DB if source.iterates else 0.0
        behind = found.expected_db - found.sqnr_db
        if not found.is_finite:
            yield _finding("error", "decode-not-finite", name, "NaN or infinite", "a scale or a code that is no number", math.inf)
        elif name in foreign:
            other, cosine = foreign[name]
            value = f"cosine {one.fidelity.cosine:.2f} with its own original, {cosine:.2f} with {other}"
            yield _finding(
                "error",
                "another-layer",
                name,
                value,
                "layers exchanged, or a buffer that was used again: the tensors of another one",
                behind,
            )
        elif behind >= ERROR_DB + margin or (math.isnan(behind) and found.rows):
            if math.isnan(found.sqnr_db):
                continue  # zeros that decode to zeros
            cause = diagnosis.cause(linear, base, found)
            value = f"SQNR {found.sqnr_db:.1f} dB, the format keeps {found.expected_db:.1f}; gain {found.gain:.3g}"
            yield _finding("error", f"fidelity-{cause.name}", name, value, cause.meaning, behind)
        elif found.bad_rows:
            value = f"{found.bad_rows:,} of {found.rows:,} rows have more than four times the noise they should have"
            yield _finding(
                "error", "rows-apart", name, value, "a tile or shard written with other scales, or not at all", found.bad_rows / found.rows
            )
        elif behind >= WARNING_DB + margin:
            value = f"SQNR {found.sqnr_db:.1f} dB, the format keeps {found.expected_db:.1f}"
            yield _finding(
                "warning",
                "fidelity-low",
                name,
                value,
                "rounded for something else than the nearest code (GPTQ does so), or slightly wrong scales",
                behind,
            )
        elif abs(found.gain - found.expected_gain) > GAIN:
            value = f"decoded {100 * (found.gain - 1):+.1f} % of the original's size"
            yield _finding("warning", "gain", name, value, "scales are rounded one way or multiplied by something", abs(found.gain - 1))


def _foreign(compared: dict[str, tuple[Linear, Compared]]) -> dict[str, tuple[str, float]]:
    """Linear → the base's linear of the same projection whose weights it holds instead of its own, and the cosine with that."""
    kinds: dict[tuple[str, int, int], list[str]] = defaultdict(list)
    for name, (linear, _) in compared.items():
        kinds[kind_of(name), linear.rows, linear.width].append(name)
    found = {}
    for names in kinds.values():
        originals = np.stack([_unit(compared[name][1].original) for name in names])
        for place, name in enumerate(names):
            with np.errstate(all="ignore"):
                cosines = originals @ _unit(compared[name][1].own)
            if not np.isfinite(cosines).all():
                continue
            best = int(cosines.argmax())
            if best != place and cosines[best] > FOREIGN_COSINE and cosines[best] > cosines[place] + FOREIGN_LEAD:
                found[name] = (names[best], float(cosines[best]))
    return found


def _unit(sketch: "np.typing.NDArray[np.float32]") -> "np.typing.NDArray[np.float64]":
    wide = sketch.astype(np.float64)
    with np.errstate(all="ignore"):
        length = float(np.sqrt(np.square(wide).sum()))
    return wide / length if length else wide


def _finding(severity: Severity, check: str, where: str, value: str, meaning: str, badness: float) -> Finding:
    return Finding(severity=severity, area="fidelity", check=check, where=where, value=value, meaning=meaning, badness=badness)
