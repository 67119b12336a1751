"""What a format costs at best: weights rounded to the nearest code under scales from their largest value, and decoded.

SQNR (signal to quantization noise) in dB = 10 log10(Σ w² / Σ (w - decoded)²).
"""

import math
from functools import lru_cache

import numpy as np

from quantgate.checkpoint.numerics import FP4_MAX, FP8_MAX, Floats, round_to_e4m3, round_to_fp4
from quantgate.checkpoint.schemes import Scheme

GAUSSIAN_ROWS, GAUSSIAN_WIDTH = 128, 2048
SEED = 16


def decibels(signal: float, noise: float) -> float:
    """10 log10(signal / noise): infinite without noise, NaN where either is no number or nothing stands against nothing."""
    if math.isnan(signal) or math.isnan(noise) or (signal <= 0 and noise <= 0):
        return math.nan
    return math.inf if noise <= 0 else -math.inf if signal <= 0 or math.isinf(noise) else 10 * math.log10(signal / noise)


def through(scheme: Scheme, weights: Floats) -> Floats:
    """What the format keeps of FP32 weights (rows, width): the same shape."""
    rows, width = weights.shape
    if scheme.strategy == "block" and scheme.block:
        high, wide = scheme.block
        padded = np.zeros((-(-rows // high) * high, -(-width // wide) * wide), np.float32)
        padded[:rows, :width] = weights
        blocks = padded.reshape(padded.shape[0] // high, high, -1, wide)
        kept = _rounded(
            scheme, blocks, np.abs(blocks).max((1, 3), keepdims=True), blocks.min((1, 3), keepdims=True), blocks.max((1, 3), keepdims=True)
        )
        return kept.reshape(padded.shape)[:rows, :width]
    size = scheme.group if scheme.strategy in ("group", "tensor_group") and scheme.group else width
    padded = weights if width % size == 0 else np.pad(weights, ((0, 0), (0, -width % size)))
    grouped = padded.reshape(rows, -1, size)
    axes = (0, 1, 2) if scheme.strategy == "tensor" else (2,)
    kept = _rounded(
        scheme, grouped, np.abs(grouped).max(axes, keepdims=True), grouped.min(axes, keepdims=True), grouped.max(axes, keepdims=True)
    )
    return kept.reshape(rows, -1)[:, :width]


def _rounded(scheme: Scheme, values: Floats, largest: Floats, low: Floats, high: Floats) -> Floats:
    """Rounded under the scales that the largest magnitudes give (asymmetric: the range from `low` to `high`)."""
    if scheme.codes == "fp4":
        scale = _fp4_scales(scheme, largest)
        return np.asarray(round_to_fp4(values / scale) * scale, np.float32)
    if scheme.codes == "fp8":
        scale = _positive(largest / np.float32(FP8_MAX))
        if scheme.has_power_scales:  # MXFP8: the power of two under which nothing is cut off
            scale = np.exp2(np.ceil(np.log2(scale)))
        return np.asarray(round_to_e4m3(values / scale) * scale, np.float32)
    least, most = -(2 ** (scheme.bits - 1)), 2 ** (scheme.bits - 1) - 1
    if scheme.is_symmetric:  # compressed-tensors: the range ±largest on 2^bits - 1 steps
        scale = _positive(largest / np.float32((most - least) / 2))
        return np.asarray(np.clip(np.rint(values / scale), least, most) * scale, np.float32)
    scale = _positive((np.maximum(high, 0) - np.minimum(low, 0)) / np.float32(most - least))
    zero = np.clip(np.rint(least - np.minimum(low, 0) / scale), least, most)
    return np.asarray((np.clip(np.rint(values / scale) + zero, least, most) - zero) * scale, np.float32)


def _fp4_scales(scheme: Scheme, largest: Floats) -> Floats:
    if scheme.global_scale is None:  # MXFP4: the power of two under which the largest is at most 6 (OCP: floor(log2 max) - 2)
        return np.asarray(np.exp2(np.floor(np.log2(_positive(largest))) - 2), np.float32)
    divisor = np.float32(FP8_MAX * FP4_MAX) / _positive(largest.max(keepdims=True))
    return _positive(np.asarray(round_to_e4m3(largest / np.float32(FP4_MAX) * divisor) / divisor, np.float32))


def _positive(scale: Floats) -> Floats:
    return np.where(scale > 0, scale, np.float32(1.0)).astype(np.float32)


@lru_cache(maxsize=64)
def gaussian_sqnr_db(scheme: Scheme) -> float:
    """SQNR of a Gaussian matrix in this format: what real weights, whose tails are a little heavier, come near to."""
    rows = max(GAUSSIAN_ROWS, scheme.block[0] if scheme.block else 0)
    drawn = np.random.default_rng(SEED).standard_normal((rows, GAUSSIAN_WIDTH), np.float32)
    return decibels(float(np.square(drawn).sum()), float(np.square(drawn - through(scheme, drawn)).sum()))
