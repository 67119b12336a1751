"""How far a linear's decode lies from the BF16 weight: SQNR, relative error, cosine, gain, and rows that are worse than the rest.

The yardstick is the format itself: a sample of the base's own rows, rounded to the nearest code under scales from their
largest value (see `yardstick`). What is stored cannot be worse than that by much, whatever the weights look like.
"""

import math
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from quantgate.checkpoint.codes import sample_rows
from quantgate.checkpoint.decode import Linear
from quantgate.checkpoint.numerics import Floats, to_floats
from quantgate.checkpoint.storage import Weights, row_blocks
from quantgate.checkpoint.yardstick import decibels, through

BLOCK_FP32_BYTES = 1 << 20
SAMPLED, SAMPLED_ROWS = 1 << 19, 64
SKETCH_ROWS, SKETCH_COLUMNS = 16, 32
"""A sketch of 512 weights: of two unrelated matrices the cosine is 0 ± 0.044."""
ROW_LIMIT_DB = 6.0
"""A row with four times its expected noise; sampling does not enter, as the expectation is worked out on the same row."""
SUSPECTS = 64

Doubles = npt.NDArray[np.float64]


class Fidelity(msgspec.Struct, frozen=True):
    """Against the base. dB; `gain`: Σ w·d / Σ w² (1 is right); `bad_rows` of `rows` have four times the noise they should have,
    and `others_db` is the SQNR of those that were not even suspected of it."""

    sqnr_db: float
    expected_db: float
    relative_error: float
    cosine: float
    gain: float
    expected_gain: float
    rows: int
    bad_rows: int
    others_db: float
    is_finite: bool


class Compared(NamedTuple):
    """`own`, `original`: sketches (SKETCH_ROWS · SKETCH_COLUMNS) of the decode and of the base."""

    fidelity: Fidelity
    own: Floats
    original: Floats


def compare(linear: Linear, base: Weights) -> Compared:
    """One pass over all rows, then the yardstick on a sample of them."""
    signal, noise, product = (np.zeros(linear.rows, np.float64) for _ in range(3))
    wanted, columns = sketch_places(linear.rows, linear.width)
    own, original = [], []
    multiple = linear.scheme.block[0] if linear.scheme.block else 1
    for start, stop in row_blocks(linear.rows, 4 * linear.width, min(multiple, 128), BLOCK_FP32_BYTES):
        weights, decoded = base_rows(linear, base, start, stop), linear.decode(start, stop)
        inside = wanted[(wanted >= start) & (wanted < stop)] - start
        own.append(decoded[np.ix_(inside, columns)])
        original.append(weights[np.ix_(inside, columns)])
        with np.errstate(all="ignore"):
            signal[start:stop] = np.vecdot(weights, weights)
            product[start:stop] = np.vecdot(weights, decoded)
            decoded -= weights
            noise[start:stop] = np.vecdot(decoded, decoded)
    fidelity = _summed(linear, base, signal, noise, product)
    return Compared(fidelity, np.concatenate(own).reshape(-1), np.concatenate(original).reshape(-1))


def base_rows(linear: Linear, base: Weights, start: int, stop: int) -> Floats:
    name = f"{linear.name}.weight"
    return to_floats(base.read(name, start, stop), base[name].dtype)


def sketch_places(rows: int, width: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and columns of a sketch; equal for matrices of equal shape."""
    return sample_rows(rows, 1, SKETCH_ROWS), sample_rows(width, 1, SKETCH_COLUMNS)


def _summed(linear: Linear, base: Weights, signal: Doubles, noise: Doubles, product: Doubles) -> Fidelity:
    with np.errstate(all="ignore"):
        all_signal, all_noise, all_product = float(signal.sum()), float(noise.sum()), float(product.sum())
    is_finite = math.isfinite(all_noise)
    own_power = all_noise + 2 * all_product - all_signal  # Σ d², of d - w and w
    length = math.sqrt(all_signal * max(own_power, 0.0)) if is_finite else math.nan
    rows = _yardstick_rows(linear)
    best, gain = _expected(linear, base, rows, signal)
    expected = decibels(float(signal[rows].sum()), float(best.sum()))
    bad, others = _bad_rows(linear, base, signal, noise, expected) if is_finite else (linear.rows, math.nan)
    return Fidelity(
        sqnr_db=decibels(all_signal, all_noise), expected_db=expected,
        relative_error=math.sqrt(all_noise / all_signal) if is_finite and all_signal else math.nan,
        cosine=all_product / length if length else math.nan, gain=all_product / all_signal if all_signal else math.nan,
        expected_gain=gain, rows=linear.rows, bad_rows=bad if is_finite else linear.rows, others_db=others, is_finite=is_finite,
    )  # fmt: skip


def _yardstick_rows(linear: Linear) -> npt.NDArray[np.int64]:
    if linear.scheme.strategy == "block" and linear.scheme.block:  # blocks cannot be judged by single rows: one row of blocks in the middle
        high = linear.scheme.block[0]
        start = linear.rows // 2 // high * high
        return np.arange(start, min(start + high, linear.rows), dtype=np.int64)
    return sample_rows(linear.rows, linear.width, SAMPLED, SAMPLED_ROWS)


def _expected(linear: Linear, base: Weights, rows: npt.NDArray[np.int64], signal: Doubles) -> tuple[Doubles, float]:
    """Noise of each of these rows, and their gain, rounded at best."""
    is_contiguous = len(rows) == rows[-1] - rows[0] + 1
    if is_contiguous:
        weights = base_rows(linear, base, int(rows[0]), int(rows[-1]) + 1)
    else:
        weights = np.concatenate([base_rows(linear, base, row, row + 1) for row in rows.tolist()])
    kept = through(linear.scheme, weights)
    total = float(signal[rows].sum())
    gain = float(np.einsum("ij,ij->", weights, kept, dtype=np.float64)) / total if total else math.nan
    error = weights - kept
    return np.einsum("ij,ij->i", error, error).astype(np.float64), gain


def _bad_rows(linear: Linear, base: Weights, signal: Doubles, noise: Doubles, expected_db: float) -> tuple[int, float]:
    """Rows with more than ROW_LIMIT_DB too much noise: suspected against the matrix, convicted against their own best.

    Of many suspects some are tried, and the share of the convicted is taken for all. Scales that serve many rows, whose
    own best is not a row's affair, are left to the matrix's SQNR.
    """
    if linear.scheme.strategy in ("tensor", "block") or not math.isfinite(expected_db):
        return 0, math.nan
    limit = 10 ** (ROW_LIMIT_DB / 10)
    is_suspect = noise > limit * signal * 10 ** (-expected_db / 10)
    suspects, others_db = np.flatnonzero(is_suspect), decibels(float(signal[~is_suspect].sum()), float(noise[~is_suspect].sum()))
    if not suspects.size:
        return 0, others_db
    tried = suspects[sample_rows(len(suspects), 1, SUSPECTS)]
    best, _ = _expected(linear, base, tried, signal)
    return round(len(suspects) * float(np.mean(noise[tried] > limit * best))), others_db
