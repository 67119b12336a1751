"""What the weights take: bytes by dtype, against the same model in BF16, and the devices whose memory holds them."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from quantgate.checkpoint.decode import Linear
from quantgate.checkpoint.source import Source

BF16_BYTES = 2
GIB = 1 << 30
DEVICES_GIB = {
    "8 GiB": 8, "12 GiB": 12, "16 GiB": 16, "24 GiB (RTX 4090, L4)": 24, "32 GiB (RTX 5090)": 32, "48 GiB (L40S)": 48,
    "80 GiB (A100, H100)": 80, "96 GiB (RTX PRO 6000)": 96, "141 GB (H200)": 141e9 / GIB, "192 GB (B200)": 192e9 / GIB,
}  # fmt: skip
"""Memory by the makers' data sheets."""


class Size(msgspec.Struct, frozen=True):
    """`smallest_device`: the first whose memory is larger than the weights alone; KV cache and activations come on top."""

    bytes_by_dtype: dict[str, int]
    total_bytes: int
    bf16_bytes: int
    compression_ratio: float
    smallest_device: str


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
