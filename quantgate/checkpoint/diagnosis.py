"""Why a decode is far from its original: hypotheses, each tried on a sample of rows; the first that explains it is told."""

import math
from typing import NamedTuple

import numpy as np

from quantgate.checkpoint.codes import sample_rows
from quantgate.checkpoint.decode import Linear
from quantgate.checkpoint.fidelity import Fidelity, base_rows
from quantgate.checkpoint.numerics import Floats
from quantgate.checkpoint.storage import Weights
from quantgate.checkpoint.yardstick import decibels

ROWS = 64
EXPLAINED_DB = 3.0
"""A hypothesis explains a decode that it brings to within this of the yardstick."""
OTHERS_DB = 1.5
LEAST_FACTOR = 0.75
"""Closer to 1 than this, runs of 16 weights with noise on them agree on a factor by chance."""
ALIKE = 0.9
LEAST_CUT = 0.8
"""Cutting off takes at most a step of each weight, about a fifth of a typical FP4 value; scales off by a factor take more."""
UNRELATED = 0.2


class Cause(NamedTuple):
    name: str
    meaning: str


class Sample(NamedTuple):
    """Some rows of a linear: as decoded and as they were, FP32 (rows, width)."""

    linear: Linear
    rows: list[int]
    decoded: Floats
    weights: Floats
    found: Fidelity


def cause(linear: Linear, base: Weights, found: Fidelity) -> Cause:
    """The likely reason for a fidelity that is too low."""
    rows = sample_rows(linear.rows, 1, ROWS).tolist()
    decoded = np.concatenate([linear.decode(row, row + 1) for row in rows])
    weights = np.concatenate([base_rows(linear, base, row, row + 1) for row in rows])
    sample = Sample(linear, rows, decoded, weights, found)
    return next(told for told in (hypothesis(sample) for hypothesis in HYPOTHESES) if told is not None)


def _never_written(sample: Sample) -> Cause | None:
    return None if sample.decoded.any() else Cause("zero", "all zeros: a tensor that was allocated and never written")


def _nibbles_swapped(sample: Sample) -> Cause | None:
    if sample.linear.scheme.per_code == 1 or sample.linear.width % 2:
        return None
    swapped = sample.decoded.reshape(len(sample.rows), -1, 2)[..., ::-1].reshape(sample.decoded.shape)
    if _cosine(swapped, sample.weights) <= max(ALIKE, _cosine(sample.decoded, sample.weights) + 0.1):
        return None
    return Cause("nibbles", "each pair of codes is the wrong way round: packed with the first weight in the high four bits")


def _some_rows(sample: Sample) -> Cause | None:
    found = sample.found
    if found.bad_rows == 0 or not found.others_db > found.expected_db - OTHERS_DB:  # NaN: there are no others
        return None
    gain = _factor(sample.decoded, sample.weights, sample.linear.width)
    told = f" (about {gain.factor:.3g} times their size)" if gain.share else ""
    meaning = f"{found.bad_rows:,} of {found.rows:,} rows are wrong{told}: a tile or shard written with other scales, or not at all"
    return Cause("rows", meaning)


def _cut_off(sample: Sample) -> Cause | None:
    """Rounding to nearest lets half of the weights grow."""
    grown = float(np.mean(np.abs(sample.decoded) > np.abs(sample.weights) * np.float32(1.0 + 1e-6)))
    if grown >= 0.3 or sample.found.cosine <= ALIKE or not LEAST_CUT < sample.found.gain < 1:
        return None
    return Cause("towards-zero", "hardly a weight grew: cut off towards zero where the nearest code is meant")


def _wrong_scales(sample: Sample) -> Cause | None:
    scaled = _factor(sample.decoded, sample.weights, sample.linear.scheme.group or sample.linear.width)
    gain, remedy = sample.found.gain, "a factor folded in twice, inverted, or of another convention"
    if scaled.share > 0.05:
        which = "all of it" if scaled.share > 0.75 else f"about {100 * scaled.share:.0f} % of it"
        return Cause("scaled", f"right codes under wrong scales: {which} is {scaled.factor:.4g} times its size, {remedy}")
    if gain > 0 and _sqnr(sample.decoded / np.float32(gain), sample.weights) > sample.found.expected_db - OTHERS_DB:
        return Cause("scaled", f"right codes under wrong scales: all of it is {gain:.4g} times its size, {remedy}")
    return None


def _shifted_groups(sample: Sample) -> Cause | None:
    linear = sample.linear
    if linear.scheme.strategy not in ("group", "tensor_group") or linear.scheme.has_order or linear.width % (linear.scheme.group or 1):
        return None
    scales = np.concatenate([linear.scales(row, row + 1) for row in sample.rows])
    with np.errstate(all="ignore"):
        back = sample.decoded.reshape(len(sample.rows), scales.shape[1], -1) * (np.roll(scales, -1, -1) / scales)[..., None]
    corrected = _sqnr(np.asarray(np.nan_to_num(back.reshape(sample.decoded.shape)), np.float32), sample.weights)
    if corrected <= sample.found.expected_db - EXPLAINED_DB:
        return None
    return Cause("groups-shifted", f"each group read with its neighbour's scale (shifted back it has {corrected:.1f} dB)")


def _nothing_left(sample: Sample) -> Cause | None:
    if sample.found.cosine >= UNRELATED:
        return None
    return Cause("unrelated", "nothing of the original is left: another model's tensor, or codes and scales that do not belong together")


def _anything_else(_: Sample) -> Cause | None:
    meaning = "quantized from other weights (another revision, an adapter not merged), clipped, bits lost, or rounded by a worse rule"
    return Cause("noise", meaning)


HYPOTHESES = (_never_written, _nibbles_swapped, _some_rows, _cut_off, _wrong_scales, _shifted_groups, _nothing_left, _anything_else)


class Factor(NamedTuple):
    """`share` of the weights are `factor` times their size; share 0 where those that are off agree on no factor."""

    share: float
    factor: float


def _factor(decoded: Floats, weights: Floats, size: int) -> Factor:
    """From the gains of runs of `size` weights, which share a scale: those off by more than a tenth, if most of them agree."""
    size = size if decoded.shape[1] % size == 0 else decoded.shape[1]
    now, before = decoded.reshape(-1, size), weights.reshape(-1, size)
    power = np.einsum("ij,ij->i", before, before)
    gains = np.einsum("ij,ij->i", now, before)[power > 0] / power[power > 0]
    off = gains[np.abs(gains - 1) > 0.1]
    if not off.size:
        return Factor(0.0, 1.0)
    middle = float(np.median(off))
    if LEAST_FACTOR < middle < 1 / LEAST_FACTOR:
        return Factor(0.0, middle)
    agree = np.abs(off - middle) <= 0.1 * abs(middle)
    return Factor(off.size / gains.size if float(np.mean(agree)) > 0.6 else 0.0, middle)


def _sqnr(decoded: Floats, weights: Floats) -> float:
    found = decibels(float(np.square(weights, dtype=np.float64).sum()), float(np.square(decoded - weights, dtype=np.float64).sum()))
    return -math.inf if math.isnan(found) else found


def _cosine(one: Floats, other: Floats) -> float:
    product = float(np.einsum("ij,ij->", one, other, dtype=np.float64))
    size = math.sqrt(float(np.square(one, dtype=np.float64).sum()) * float(np.square(other, dtype=np.float64).sum()))
    return product / size if size else 0.0
