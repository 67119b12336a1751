"""Experts in one tensor: `…experts.gate_up_proj` of (experts, …) codes, its scales beside it under longer names.

As Llama-4 and transformers 5 write them: `_weight_scale`, `_weight_scale_2`, `_input_scale` (ModelOpt), `_scale_inv` or `_scale` (FP8),
`_blocks` and `_scales` (gpt-oss). Scales are read whole, codes of a sample of experts are decoded where there is a base.
"""

import re
from collections.abc import Iterable, Iterator, Set
from typing import NamedTuple

import numpy as np

from quantgate.checkpoint.codes import sample_rows
from quantgate.checkpoint.findings import Finding, Severity
from quantgate.checkpoint.numerics import Floats, look_up, to_floats
from quantgate.checkpoint.schemes import Scheme, modelopt_nvfp4
from quantgate.checkpoint.source import Source
from quantgate.checkpoint.storage import Raw, Stored, Weights, row_blocks
from quantgate.checkpoint.verdicts import ERROR_DB, GAIN, MEANT, MOVED_AT_MOST, WARNING_DB
from quantgate.checkpoint.yardstick import decibels, through

CODES = ("U8", "I8", "F8_E4M3")
SCALE = re.compile(r"_(?:weight_)?(?:scales?|scale_inv|scale_2|global_scale)$")
INPUT = re.compile(r"_(?:input_scale|input_global_scale|activation_scale)$")
ONE_EACH = ("_scale_2", "_global_scale")
EXPERTS, OUTPUTS = 4, 64
"""Of each tensor, so many experts and so many of their outputs are decoded."""
TRANSPOSED = ("llama4", "llama4_text", "gpt_oss")
"""model_type of classes that keep (experts, inputs, outputs); the others (experts, outputs, inputs)."""


class Together(NamedTuple):
    """`codes`, and what stands beside: end of the name → tensor."""

    stem: str
    codes: Stored
    beside: dict[str, Stored]

    @property
    def names(self) -> list[str]:
        return [self.codes.name, *(one.name for one in self.beside.values())]


def find(source: Source) -> list[Together]:
    found = []
    for name, stored in source.weights.tensors.items():
        if ".experts." not in name or len(stored.shape) < 3 or stored.dtype not in CODES or SCALE.search(name):
            continue
        stem = name.removesuffix("_blocks")
        ends = (end for end in _ends(source, stem) if SCALE.fullmatch(end) or INPUT.fullmatch(end))
        if beside := {end: source.weights[stem + end] for end in ends}:
            found.append(Together(stem, stored, beside))
    return found


def _ends(source: Source, stem: str) -> Iterator[str]:
    """Behind the stem, of the tensors that share it; looked up, as a model has thousands of other names."""
    for kind in ("scale", "scales", "scale_inv", "scale_2", "global_scale", "input_scale", "input_global_scale", "activation_scale"):
        yield from (end for end in (f"_{kind}", f"_weight_{kind}") if stem + end in source.weights)


def check_experts(source: Source, base: Source | None, found: Iterable[Together], read: Set[str] = frozenset()) -> Iterator[Finding]:
    """`read`: tensors whose values another check has read."""
    for one in found:
        for end, stored in one.beside.items():
            if stored.name not in read:
                yield from _scales(source.weights, end, stored)
        yield from _codes(source.weights, one)
        if base is not None and not source.rewrites and one.stem in base.weights:
            yield from _fidelity(source.weights, base.weights, one)


def _scales(weights: Weights, end: str, stored: Stored) -> Iterator[Finding]:
    broken = negative = zero = 0
    dtype = "F8_E8M0" if stored.dtype == "U8" else stored.dtype
    for start, stop in row_blocks(stored.rows, stored.size_bytes // max(1, stored.rows)):
        values = to_floats(weights.read(stored.name, start, stop), dtype)
        broken += int(np.count_nonzero(~np.isfinite(values)))
        negative += int(np.count_nonzero(values < 0))
        zero += int(np.count_nonzero(values == 0))
    total = stored.elements
    if INPUT.fullmatch(end):
        if wrong := broken + negative + zero:
            meaning = "memory that no calibration wrote to: every logprob becomes NaN or nothing; quantize with calibration data"
            yield _finding("error", "input-scale", stored.name, f"{wrong:,} of {total:,} are not above 0", meaning, wrong)
        return
    if broken:
        meaning = "every product with them is NaN: memory never written"
        yield _finding("error", "scale-not-finite", stored.name, f"{broken:,} of {total:,} are NaN or infinite", meaning, broken)
    if negative:
        meaning = "no quantizer writes these: read in another dtype"
        yield _finding("error", "scale-negative", stored.name, f"{negative:,} of {total:,} are negative", meaning, negative)
    if zero and (end.endswith(ONE_EACH) or 2 * zero > total):
        meaning = "all that they scale is 0: an underflow, or a tensor never written"
        yield _finding("error", "scale-zero", stored.name, f"{zero:,} of {total:,} are 0", meaning, zero)


def _codes(weights: Weights, one: Together) -> Iterator[Finding]:
    """NaN in FP8, and experts of which nothing is left."""
    is_fp8 = one.codes.dtype == "F8_E4M3"
    mask = np.uint8(0x7F if is_fp8 else 0x77)
    broken, empty = 0, list[int]()
    for expert in range(one.codes.rows):
        octets = weights.read(one.codes.name, expert, expert + 1).view(np.uint8) & mask
        empty += [expert] if not octets.any() else []
        broken += int(np.count_nonzero(octets == 0x7F)) if is_fp8 else 0
    if broken:
        meaning = "every answer that asks the expert becomes NaN: memory never written, or another FP8"
        yield _finding("error", "code-not-a-number", one.codes.name, f"{broken:,} codes are NaN", meaning, broken)
    if empty:
        severity: Severity = "error" if len(empty) == one.codes.rows else "warning"
        value = f"{len(empty):,} of {one.codes.rows:,} experts are 0"
        meaning = "memory that was allocated and never written, or a pruned model"
        yield _finding(severity, "rows-zero", one.codes.name, value, meaning, len(empty))


def _fidelity(weights: Weights, base: Weights, one: Together) -> Iterator[Finding]:
    """A sample, decoded, against the base's tensor of the same name; nothing where the shapes are of a form that we do not know."""
    original = base[one.stem]
    signal = noise = best = product = best_product = 0.0
    for expert in sample_rows(one.codes.rows, 1, EXPERTS).tolist():
        before = to_floats(base.read(one.stem, expert, expert + 1)[0], original.dtype) if len(original.shape) == 3 else None
        pair = _decoded(weights, one, expert, before) if before is not None else None
        if pair is None:
            return
        scheme, decoded, wanted = pair
        kept = through(scheme, wanted)
        signal += float(np.square(wanted, dtype=np.float64).sum())
        noise += float(np.square(decoded - wanted, dtype=np.float64).sum())
        best += float(np.square(kept - wanted, dtype=np.float64).sum())
        product += float(np.vdot(decoded, wanted))
        best_product += float(np.vdot(kept, wanted))
    sqnr, expected = decibels(signal, noise), decibels(signal, best)
    if not expected - sqnr >= WARNING_DB or not signal:
        return
    value = f"SQNR {sqnr:.1f} dB, the format keeps {expected:.1f}; gain {product / signal:.3g}"
    distance = np.sqrt(max(0.0, (noise - best) / signal))
    if expected - sqnr >= ERROR_DB and (distance > MOVED_AT_MOST or abs(product - best_product) > GAIN * signal):
        meaning = "scales and codes that do not belong together, a wrong factor, or other weights"
        yield _finding("error", "experts-fidelity", one.stem, value, meaning, expected - sqnr, "fidelity")
    else:
        yield _finding("warning", "weights-moved", one.stem, value, MEANT, float(distance), "fidelity")


def _decoded(weights: Weights, one: Together, expert: int, before: Floats) -> tuple[Scheme, Floats, Floats] | None:
    """(scheme, decode, original), (outputs, inputs), of NVFP4 as ModelOpt has it, packed along the inputs, whichever axis that is."""
    scale, factor = one.beside.get("_weight_scale"), one.beside.get("_weight_scale_2")
    if one.codes.dtype != "U8" or scale is None or factor is None or scale.dtype != "F8_E4M3":
        return None
    octets: Raw = weights.read(one.codes.name, expert, expert + 1)[0]
    scales = to_floats(weights.read(scale.name, expert, expert + 1)[0], scale.dtype)
    if octets.shape == (before.shape[0] // 2, before.shape[1]):
        octets, scales, before = octets.T, scales.T, before.T
    width = before.shape[1]
    if octets.shape != (before.shape[0], width // 2) or scales.shape != (before.shape[0], width // 16) or factor.rows != one.codes.rows:
        return None
    rows = sample_rows(before.shape[0], 1, OUTPUTS)
    one_each = np.float32(to_floats(weights.read(factor.name, expert, expert + 1), factor.dtype).max())
    values = look_up("fp4", np.ascontiguousarray(octets[rows]))
    decoded = values * np.repeat(scales[rows] * one_each, 16, axis=-1)
    return modelopt_nvfp4(), np.nan_to_num(decoded), np.ascontiguousarray(before[rows])


def taken_apart(source: Source, base: Source) -> Weights:
    """The base's tensors, and each expert's linears out of those that it keeps in one, where the checkpoint has them one by one."""
    found = dict(base.weights.tensors)
    if str(base.setting("model_type")) in TRANSPOSED:
        return Weights(found)
    for name, stored in source.weights.tensors.items():
        told = re.fullmatch(r"(.*\.experts)\.(\d+)\.(gate|up|down)_proj\.weight(?:_packed)?", name)
        if told is None or (linear := f"{told[1]}.{told[2]}.{told[3]}_proj.weight") in found:
            continue
        whole = found.get(f"{told[1]}.{'down' if told[3] == 'down' else 'gate_up'}_proj")
        parts = 1 if told[3] == "down" else 2
        if whole is None or len(whole.shape) != 3 or whole.shape[1] != parts * stored.rows or int(told[2]) >= whole.rows:
            continue
        size = whole.size_bytes // whole.rows // parts
        begin = whole.begin + (int(told[2]) * parts + (told[3] == "up")) * size
        found[linear] = Stored(linear, whole.dtype, (stored.rows, whole.shape[2]), whole.file, begin, size)
    return Weights(found)


def _finding(
    severity: Severity, check: str, where: str, value: str, meaning: str, badness: float, area: str = "scales"
) -> Finding:  # fmt: skip
    return Finding(
        severity=severity, area="fidelity" if area == "fidelity" else "scales", check=check, where=where, value=value, meaning=meaning,
        badness=badness,
    )  # fmt: skip
