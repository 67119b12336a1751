"""gpt-oss's experts: MXFP4 in one tensor a layer, `<name>_blocks` (experts, rows, groups, 16 bytes) and `<name>_scales`."""

from collections.abc import Iterator

import numpy as np

from quantgate.checkpoint.findings import Area, Finding, percent
from quantgate.checkpoint.source import Source
from quantgate.checkpoint.storage import row_blocks

BLOCKS, SCALES = "_blocks", "_scales"
BYTES = 16
"""Of 32 codes."""
NOT_A_NUMBER = 255


def block_tensors(source: Source) -> set[str]:
    """Names of all codes and scales in this form."""
    if source.plan.method != "mxfp4":
        return set()
    return {name for name, stored in source.weights.tensors.items() if name.endswith((BLOCKS, SCALES)) and stored.dtype == "U8"}


def check_mxfp4_blocks(source: Source) -> Iterator[Finding]:
    """Each with its partner, in its shape, and no scale that is no number."""
    found = block_tensors(source)
    if found:
        share = sum(source.weights[name].size_bytes for name in found) / sum(one.size_bytes for one in source.weights.tensors.values())
        yield Finding(
            severity="note", area="structure", check="not-looked-inside", where=min(found),
            value=f"{percent(share)} of the weights are experts in mxfp4",
            meaning="their shapes and scales were checked, of their codes only that they are not all 0; vLLM decides", badness=share,
        )  # fmt: skip
    for name in sorted(found):
        stem, is_codes = (name.removesuffix(BLOCKS), True) if name.endswith(BLOCKS) else (name.removesuffix(SCALES), False)
        partner, stored = stem + (SCALES if is_codes else BLOCKS), source.weights[name]
        if partner not in found:
            if partner not in source.lost:
                yield _error(
                    "structure", "tensor-missing", partner, f"promised beside {name}", "loaders refuse it, or it was never written"
                )
            continue
        if is_codes:
            groups = source.weights[partner].shape
            if stored.shape != (*groups, BYTES):
                value = f"{list(stored.shape)}, promised {[*groups, BYTES]} by the scales"
                yield _error("structure", "tensor-shape", name, value, "the scales belong to another grouping")
            continue
        broken = zero = 0
        for start, stop in row_blocks(stored.rows, stored.size_bytes // max(1, stored.rows)):
            raw = source.weights.read(name, start, stop)
            broken += int(np.count_nonzero(raw == NOT_A_NUMBER))
            zero += int(np.count_nonzero(raw == 0))
        if broken:
            value = f"{broken:,} of {stored.elements:,} are NaN"
            yield _error("scales", "scale-not-finite", name, value, "every product with them is NaN: memory never written", broken)
        elif zero == stored.elements:
            yield _error("scales", "scale-zero", name, f"all {zero:,} are 2^-127", "allocated and never written", zero)


def _error(area: Area, check: str, where: str, value: str, meaning: str, badness: float = 0.0) -> Finding:
    return Finding(severity="error", area=area, check=check, where=where, value=value, meaning=meaning, badness=badness)
