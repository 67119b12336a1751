"""Tensors that were not quantized: no NaN in them, and the very bytes of the base's."""

from collections.abc import Iterator

import numpy as np

from quantgate.checkpoint.findings import Finding
from quantgate.checkpoint.numerics import to_floats
from quantgate.checkpoint.storage import STORED, Raw, Stored, Weights, row_blocks

FLOATING = ("BF16", "F16", "F32", "F64")
COMPARED_ROWS = 4_096
"""Rows of a changed tensor from which its difference is worked out."""


def check_plain(weights: Weights, name: str, base: Weights | None, rewrites: str) -> Iterator[Finding]:
    """`base`: where the same name's original lies, if it has one; `rewrites`: a method that is known to change such tensors."""
    stored = weights[name]
    original = base[name] if base is not None and name in base else None
    if original is not None and stored.dtype not in FLOATING and original.dtype in FLOATING:
        original = None  # codes, which the structure's checks have named where they are wrong
    if original is not None and (original.dtype, original.shape) != (stored.dtype, stored.shape):
        told = f"{stored.dtype} {list(stored.shape)}, the base's {original.dtype} {list(original.shape)}"
        yield Finding(
            severity="error", area="structure", check="plain-dtype-or-shape", where=name, value=told,
            meaning="it should be the base's tensor as it was: converted on the way, or another model's",
        )  # fmt: skip
        original = None
    broken = differs = 0
    for start, stop in row_blocks(stored.rows, stored.size_bytes // max(1, stored.rows)):
        raw = weights.read(name, start, stop)
        if stored.dtype in FLOATING:
            broken += _not_finite(raw, stored.dtype)
        if original is not None and base is not None and not _same(raw, base.read(name, start, stop)):
            differs += 1
    if broken:
        yield Finding(
            severity="error", area="structure", check="plain-not-finite", where=name,
            value=f"{broken:,} of {stored.elements:,} are NaN or infinite",
            meaning="every answer becomes NaN: a training run that diverged, or memory never written", badness=broken,
        )  # fmt: skip
    elif differs and base is not None:
        yield _changed(weights, base, stored, rewrites)


def _not_finite(raw: Raw, dtype: str) -> int:
    """Values whose exponent is all ones; BF16 by its bits, which is several times faster than decoding."""
    if dtype != "BF16":
        return int(raw.size - np.count_nonzero(np.isfinite(raw)))
    bits = raw & np.uint16(0x7FFF)
    return int(np.count_nonzero(bits >= 0x7F80)) if bits.size and bits.max() >= 0x7F80 else 0


def _same(one: Raw, other: Raw) -> bool:
    """Bit for bit, so that a NaN equals itself and −0 is not 0."""
    width = STORED["U64"][1]
    first, second = one.reshape(-1).view(np.uint8), other.reshape(-1).view(np.uint8)
    if first.size % width == 0:
        first, second = first.view(np.uint64), second.view(np.uint64)
    return np.array_equal(first, second)


def _changed(weights: Weights, base: Weights, stored: Stored, rewrites: str) -> Finding:
    rows = min(stored.rows, COMPARED_ROWS)
    now, before = (to_floats(of.read(stored.name, 0, rows), stored.dtype).astype(np.float64) for of in (weights, base))
    differing = int(np.count_nonzero(now != before))
    scale = float(np.sqrt(np.square(before).sum()))
    relative = float(np.sqrt(np.square(now - before).sum())) / scale if scale else float("inf")
    kind = "norm" if "norm" in stored.name else "embedding" if "embed" in stored.name else "tensor"
    meaning = {
        "norm": "a norm that should be the base's: folded, refilled, or from another revision",
        "embedding": "an embedding or output layer that should be the base's: quantized, resized, or from another revision",
        "tensor": "a tensor that should not have been touched: fine-tuned, rounded, pruned, or from another revision",
    }[kind]
    told = f"{differing:,} of {now.size:,} values differ, by {relative:.2g} of its size"
    if rewrites:
        meaning = f"{rewrites} in the recipe changes such tensors on purpose"
    return Finding(
        severity="note" if rewrites else "error", area="structure", check=f"changed-{kind}", where=stored.name, value=told,
        meaning=meaning, badness=relative,
    )  # fmt: skip
