"""Is every tensor there that the configuration promises, in the promised dtype and shape, and none besides?"""

from collections import defaultdict
from collections.abc import Iterator

from quantgate.checkpoint import routers
from quantgate.checkpoint.decode import Linear
from quantgate.checkpoint.findings import Finding, Severity
from quantgate.checkpoint.names import fused_with
from quantgate.checkpoint.plan import Unread, is_linear
from quantgate.checkpoint.schemes import OF_OUTPUTS, Scheme
from quantgate.checkpoint.source import Source
from quantgate.checkpoint.storage import Stored

CODE_DTYPES = ("U8", "I8", "I32", "F8_E4M3", "F8_E5M2")
"""In which codes are stored; F8_E8M0 holds scales alone."""
CACHE_SCALES = ("k_scale", "v_scale", "q_scale", "kv_scale", "prob_scale")


def check_linears(source: Source, base: Source | None) -> tuple[list[Linear], list[Finding]]:
    """The linears whose tensors are all as promised, and what is wrong with the others."""
    parts = parts_by_module(source)
    found, findings = list[Linear](), list[Finding]()
    if source.plan.unread is not None:
        return found, findings
    for module, present in parts.items():
        plain = present.get("weight")
        if not (source.plan.parts & present.keys() or (plain and is_linear(module, len(plain.shape)))):
            continue
        promised = source.plan.of(module)
        if isinstance(promised, Unread):
            continue
        scheme = promised
        if scheme is None:
            findings.extend(_not_promised(source, module, present))
            continue
        if plain is not None and plain.dtype not in CODE_DTYPES:
            if not source.plan.follows_files:
                findings.append(_unquantized(source, module, plain, scheme))
            continue
        findings.extend(routers.check_quantized(source, module, scheme.label))
        problems = list(_against_promise(source, base, module, present, scheme))
        findings.extend(problems)
        if not any(one.severity == "error" for one in problems) and scheme.weight in present and scheme.scale in present:
            rows, width = _shape(source, base, module, present, scheme)
            found.append(Linear(module, scheme, source.weights, rows, width))
    findings.extend(_matching(source, parts, base))
    return found, findings


def parts_by_module(source: Source) -> dict[str, dict[str, Stored]]:
    """Module → last part of a tensor's name → tensor."""
    parts: dict[str, dict[str, Stored]] = defaultdict(dict)
    for name, stored in source.weights.tensors.items():
        module, _, part = name.rpartition(".")
        parts[module][part] = stored
    return parts


def _shape(source: Source, base: Source | None, module: str, present: dict[str, Stored], scheme: Scheme) -> tuple[int, int]:
    """Of the weight before quantization: the base's, else what was written down, else as many as the codes hold."""
    original = base.weights.tensors.get(f"{module}.weight") if base else None
    if original and len(original.shape) == 2:
        return original.shape[0], original.shape[1]
    if "weight_shape" in present and present["weight_shape"].shape == (2,):
        rows, width = source.weights.read(f"{module}.weight_shape").tolist()
        return int(rows), int(width)
    return scheme.weight_shape(present[scheme.weight].shape)


def _against_promise(source: Source, base: Source | None, module: str, present: dict[str, Stored], scheme: Scheme) -> Iterator[Finding]:
    rows, width = _shape(source, base, module, present, scheme) if scheme.weight in present else (0, 0)
    promised = scheme.promised(rows, width)
    for part, (dtypes, shapes) in promised.items():
        name = f"{module}.{part}"
        if name in source.lost:
            continue
        if part not in present:
            yield _error("tensor-missing", name, f"promised by {scheme.label}", "loaders refuse it, or leave memory that was never written")
        elif present[part].dtype not in dtypes:
            yield _error(
                "tensor-dtype", name, f"{present[part].dtype}, promised {' or '.join(dtypes)}", "the bits are read as other numbers"
            )
        elif rows and present[part].shape not in shapes:
            told = f"{list(present[part].shape)}, promised {' or '.join(str(list(shape)) for shape in shapes)}"
            meaning = "the scales belong to another grouping" if part == scheme.scale else "cut, padded or transposed, or another model's"
            if part == scheme.weight and scheme.codes == "packed" and 32 % scheme.bits:
                meaning = "vLLM reads one stream of bits; compressed-tensors' own packing leaves some of each INT32 unused"
            yield _error("tensor-shape", name, told, meaning)
    for part in (present.keys() & (source.plan.parts | {"weight"})) - promised.keys() - set(scheme.optional) - OF_OUTPUTS:
        meaning = f"{scheme.label} has no such tensor: the configuration describes another format than the weights"
        yield Finding(
            severity="warning",
            area="structure",
            check="tensor-besides",
            where=f"{module}.{part}",
            value=present[part].dtype,
            meaning=meaning,
        )


def _unquantized(source: Source, module: str, plain: Stored, scheme: Scheme) -> Finding:
    routed = routers.left_as_it_is(source, module)
    severity: Severity = "note" if routed is not None and not routed.is_damage else "error"
    meaning = routed.meaning if routed is not None else "add it to `ignore`, or quantize it: an engine looks for tensors that are not there"
    return _finding(severity, "not-quantized", module, f"{plain.dtype}, promised {scheme.label}", meaning)


def _not_promised(source: Source, module: str, present: dict[str, Stored]) -> Iterator[Finding]:
    parts = source.plan.parts
    codes = [part for part, stored in present.items() if part in parts or (part == "weight" and stored.dtype in CODE_DTYPES)]
    if not codes:
        return
    if not source.is_quantized:
        yield _error(
            "no-quantization-config", module, ", ".join(sorted(codes)), "quantized tensors, and config.json does not say how: loaders fail"
        )
    else:
        why = "ignore" if source.plan.is_ignored(module) else "no target"
        yield _error(
            "quantized-although-ignored",
            module,
            f"{', '.join(sorted(codes))}; {why} in the configuration",
            "a layer that should not have been touched",
        )


def _matching(source: Source, parts: dict[str, dict[str, Stored]], base: Source | None) -> Iterator[Finding]:
    """Fused parts under one scheme; patterns that match nothing."""
    if not source.plan.groups:
        return
    modules = [module for module, present in parts.items() if "weight" in present or source.plan.parts & present.keys()]
    seen = set[tuple[str, ...]]()
    for module in modules:
        together = tuple(other for other in fused_with(module) if other in parts)
        if len(together) < 2 or together in seen:
            continue
        seen.add(together)
        labels = {promised.label if (promised := source.plan.of(other)) else "not quantized" for other in together}
        if len(labels) > 1:
            names = ", ".join(other.rpartition(".")[2] for other in together)
            yield _error(
                "fused-parts-differ",
                together[0],
                f"{names}: {' and '.join(sorted(labels))}",
                "engines run these as one matrix and refuse two schemes",
            )
    known = [*modules, "lm_head", *(name.rpartition(".")[0] for name in (base.weights.tensors if base else ()))]
    for pattern in source.plan.unused(known):
        yield _finding("note", "ignore-unused", pattern, "matches no module", "a name from another model or library version")


def _error(check: str, where: str, value: str, meaning: str) -> Finding:
    return _finding("error", check, where, value, meaning)


def _finding(severity: Severity, check: str, where: str, value: str, meaning: str) -> Finding:
    return Finding(severity=severity, area="structure", check=check, where=where, value=value, meaning=meaning)
