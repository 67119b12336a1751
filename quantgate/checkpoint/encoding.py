"""Weights put into a format, as a quantizer that rounds to nearest writes them: for tests, examples and benchmarks.

The inverse of `decode`, from the same parts as `yardstick`; compressed-tensors' and ModelOpt's names and conventions.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from quantgate.checkpoint.decode import AWQ_ORDER
from quantgate.checkpoint.numerics import FP4_MAX, FP4_VALUES, FP8_MAX, Floats, e4m3_table, fp32_to_bf16, round_to_e4m3, round_to_fp4
from quantgate.checkpoint.schemes import Scheme
from quantgate.checkpoint.storage import Raw

Tensor: TypeAlias = tuple[str, Raw]
"""safetensors' dtype and the bits."""


def encode(scheme: Scheme, weights: Floats, amax: float | None = None, activation: float = 8.0) -> dict[str, Tensor]:
    """Last part of the name → tensor. `amax`: the largest weight of all fused parts; `activation`: the largest input."""
    rows, width = weights.shape
    if scheme.codes == "fp4":
        return _fp4(scheme, weights, float(np.abs(weights).max()) if amax is None else amax, activation)
    high, wide = _unit(scheme, rows, width)
    padded = np.zeros((-(-rows // high) * high, -(-width // wide) * wide), np.float32)
    padded[:rows, :width] = weights
    blocks = padded.reshape(padded.shape[0] // high, high, -1, wide)
    steps = FP8_MAX if scheme.codes == "fp8" else (2**scheme.bits - 1) / 2
    scales = (np.abs(blocks).max((1, 3)) / np.float32(steps)).astype(np.float32)
    if scheme.has_power_scales:
        scales = np.exp2(np.ceil(np.log2(np.where(scales > 0, scales, 1)))).astype(np.float32)
    scaled = (blocks / np.where(scales > 0, scales, 1)[:, None, :, None]).reshape(padded.shape)[:rows, :width]
    found: dict[str, Tensor] = {scheme.scale: ("F32", scales.reshape(-1)[:1] if scheme.strategy == "tensor" else scales)}
    if scheme.has_power_scales:
        found[scheme.scale] = (scheme.scale_dtypes[0], (np.log2(scales) + 127).astype(np.uint8))
    elif scheme.has_4d_scales:
        found[scheme.scale] = ("F32", scales[:, None, :, None])
    if scheme.codes == "fp8":
        found[scheme.weight] = ("F8_E4M3", e4m3_codes(round_to_e4m3(scaled)))
    else:
        least = -(2 ** (scheme.bits - 1))
        codes = np.clip(np.rint(scaled), least, -least - 1).astype(np.int8)
        found[scheme.weight] = ("I8", codes) if scheme.codes == "int" else ("I32", _packed(codes, scheme.bits))
    if scheme.form == "awq":
        numbers = codes.T.astype(np.int64) + 8
        found[scheme.weight] = ("I32", _awq(numbers))
        found[scheme.scale] = ("F16", np.ascontiguousarray(scales.T.astype(np.float16)))
        found[scheme.zero_point] = ("I32", _awq(np.full((scales.shape[1], rows), 8)))
    elif scheme.form == "gptq":
        found[scheme.weight] = ("I32", np.ascontiguousarray(found[scheme.weight][1].T))
        found[scheme.scale] = ("F16", np.ascontiguousarray(scales.T.astype(np.float16)))
        middle = np.full((scales.shape[1], rows), 2 ** (scheme.bits - 1) - 1, np.int64)  # GPTQ stores one less
        found[scheme.zero_point] = ("I32", _packed(middle - 2 ** (scheme.bits - 1), scheme.bits))
    elif scheme.codes == "packed":
        found["weight_shape"] = ("I64", np.array([rows, width], np.int64))
    if scheme.input_scale:
        found[scheme.input_scale] = ("F32", np.array([activation / steps], np.float32))
    return found


def _unit(scheme: Scheme, rows: int, width: int) -> tuple[int, int]:
    """Rows and columns that share a scale."""
    if scheme.strategy == "block" and scheme.block:
        return scheme.block
    return (rows, width) if scheme.strategy == "tensor" else (1, scheme.group or width)


def _fp4(scheme: Scheme, weights: Floats, amax: float, activation: float) -> dict[str, Tensor]:
    grouped = weights.reshape(len(weights), -1, scheme.group or 16)
    largest = np.abs(grouped).max(-1)
    if scheme.global_scale is None:  # MXFP4: powers of two, stored as their exponents
        divisor = np.float32(1.0)
        scales = np.exp2(np.floor(np.log2(largest)) - 2).astype(np.float32)
        stored: Tensor = "U8", (np.log2(scales) + 127).astype(np.uint8)
    else:
        divisor = np.float32(FP8_MAX * FP4_MAX / amax)
        scales = round_to_e4m3(largest / np.float32(FP4_MAX) * divisor)
        stored = "F8_E4M3", e4m3_codes(scales)
    unit = np.where(scales > 0, scales, np.float32(1)) / divisor
    values = round_to_fp4(np.asarray(grouped / unit[..., None], np.float32)).reshape(weights.shape)
    codes = (np.searchsorted(np.array(FP4_VALUES, np.float32), np.abs(values)) | (np.signbit(values) << 3)).astype(np.uint8)
    is_divisor = scheme.convention == "divisor"
    found: dict[str, Tensor] = {
        scheme.weight: ("U8", codes[:, ::2] | (codes[:, 1::2] << 4)),
        scheme.scale: stored,
    }
    if scheme.global_scale:
        found[scheme.global_scale] = ("F32", np.array([divisor if is_divisor else 1 / divisor], np.float32))
    if scheme.input_scale:
        claimed = np.float32(FP8_MAX * FP4_MAX / activation)
        found[scheme.input_scale] = ("F32", np.array([claimed if is_divisor else 1 / claimed], np.float32))
    return found


def e4m3_codes(values: Floats) -> Raw:
    """Bytes of values that E4M3 has."""
    table = e4m3_table()[:0x7F]
    codes: Raw = (np.searchsorted(table, np.abs(values)) | (np.signbit(values) << 7)).astype(np.uint8)
    return codes


def _packed(codes: Raw, bits: int) -> Raw:
    """INT32 of one stream of bits, the first number in the lowest, half the range added."""
    numbers = (codes.astype(np.int64) + 2 ** (bits - 1)).astype(np.uint8)
    stream = np.unpackbits(numbers[..., None], axis=-1, count=bits, bitorder="little").reshape(len(codes), -1)
    stream = np.pad(stream, ((0, 0), (0, -stream.shape[1] % 32)))
    return np.packbits(stream, axis=1, bitorder="little").view(np.int32)


def _awq(numbers: Raw) -> Raw:
    """INT32 of eight neighbouring numbers from 0 to 15, in AWQ's order."""
    ordered = numbers.reshape(len(numbers), -1, 8)[..., list(AWQ_ORDER)]
    return np.asarray((ordered << (4 * np.arange(8))).sum(-1).astype(np.uint32).view(np.int32))


def bf16(values: Floats) -> Tensor:
    return "BF16", fp32_to_bf16(values)


def write_shard(tensors: Mapping[str, Tensor], file: Path) -> None:
    """A safetensors file with the tensors in the order given."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, (dtype, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(raw.shape), "data_offsets": [at, at + raw.nbytes]}
        at += raw.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as opened:
        opened.write(len(text).to_bytes(8, "little") + text)
        for _, raw in tensors.values():
            opened.write(np.ascontiguousarray(raw).data)
