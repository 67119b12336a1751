"""`inspect_checkpoint(folder, base)`: every check, each tensor read once, two threads."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, TypeVar

from quantgate.checkpoint import experts, report, verdicts
from quantgate.checkpoint.beside import check_copy
from quantgate.checkpoint.blocks import block_tensors, check_mxfp4_blocks
from quantgate.checkpoint.cache import check_cache
from quantgate.checkpoint.codes import CodeSummary, check_codes
from quantgate.checkpoint.companions import check_companions, check_manifest
from quantgate.checkpoint.configuration import check_configuration, is_other_model
from quantgate.checkpoint.decode import Linear
from quantgate.checkpoint.fidelity import Compared, compare
from quantgate.checkpoint.findings import Finding, grouped
from quantgate.checkpoint.inputs import check_experts_apart, check_fused, check_inputs, check_layers_alike
from quantgate.checkpoint.layout import check_against_names, check_layout
from quantgate.checkpoint.plain import check_plain
from quantgate.checkpoint.precision import check_declared
from quantgate.checkpoint.refusals import check_blocks, check_refusals
from quantgate.checkpoint.report import Report
from quantgate.checkpoint.scales import ScaleSummary, check_scales
from quantgate.checkpoint.source import Source, check_own_file, in_names_of, open_source
from quantgate.checkpoint.spreading import check_tensor_parallel
from quantgate.checkpoint.structure import check_linears
from quantgate.checkpoint.unread import check_unread
from quantgate.errors import ConfigurationError
from quantgate.registry import read_manifest

THREADS = 2
"""numpy lets go of the interpreter while it computes; more than two would only wait for the disk."""

Given = TypeVar("Given")
Made = TypeVar("Made")


class Looked(NamedTuple):
    """One quantized linear, read."""

    scales: ScaleSummary | None
    codes: CodeSummary
    compared: Compared | None
    findings: list[Finding]


def inspect_checkpoint(
    folder: Path,
    base: Path | None = None,
    tensor_parallel: int | None = None,
    *,
    declared: str | None = None,
    serve_args: Sequence[str] = (),
) -> Report:
    """`tensor_parallel`: over how many devices it is to be spread; `declared`: the precision that models.toml says it has, `serve_args`:
    the engine's arguments there; each where it is known.

    Raises ConfigurationError where there is nothing to inspect, or `base` is no whole BF16 checkpoint.
    """
    source = open_source(folder)
    original = in_names_of(_open_base(base), source) if base is not None else None
    findings = list(source.findings)
    if original is not None and (other := is_other_model(source, original)) is not None:
        findings.append(other)
        original = None
    elif original is not None:
        findings += [*check_configuration(source, original), *check_against_names(source, original)]
    findings += [
        *check_declared(source, declared, serve_args),
        *check_own_file(source),
        *check_refusals(source),
        *check_layout(source),
        *check_companions(source, original),
        *check_manifest(source),
    ]
    with ExitStack() as opened:
        opened.enter_context(source.weights)
        if original is not None:
            original = original._replace(weights=experts.taken_apart(source, original))
            opened.enter_context(original.weights)
        linears, problems = check_linears(source, original)
        findings += problems
        looked = dict(zip((one.name for one in linears), _on_all(lambda one: _look(source, original, one), linears), strict=True))
        findings += [finding for one in looked.values() for finding in one.findings]
        blocks, together = block_tensors(source), experts.find(source)
        in_one = {name for one in together for name in one.names}
        findings += experts.check_experts(source, original, together, blocks)
        plain = list(_plain_tensors(source, original, linears, in_one | blocks))
        findings += [*check_blocks(linears), *check_mxfp4_blocks(source)]
        findings += check_tensor_parallel(source, linears, tensor_parallel)
        findings += check_unread(source, _read_names(linears) | blocks | in_one)
        findings += [
            *check_inputs(source, linears),
            *check_fused(linears),
            *check_experts_apart(linears),
            *check_cache(source),
            *check_copy(source),
        ]
        scales = {name: one.scales for name, one in looked.items() if one.scales is not None}
        named = {one.name: one for one in linears}
        for label in dict.fromkeys(one.scheme.label for one in linears):  # formats have scales of unlike sizes
            findings += check_layers_alike({name: one for name, one in scales.items() if named[name].scheme.label == label})
        compared = {name: (named[name], one.compared) for name, one in looked.items() if one.compared is not None}
        judged = list[Finding]()
        if original is not None:
            odd = {name for name, one in looked.items() if one.findings}
            judged = list(verdicts.judge(source, original.weights, compared, odd))
        findings += [*verdicts.trained(source, plain, len(_comparable(source, original)), judged), *judged]
    return _report(source, base, findings, named, looked, scales)


def _open_base(base: Path) -> Source:
    """The original: whole, and in BF16 (or FP16, FP32)."""
    found = open_source(base)
    if found.is_quantized:
        raise ConfigurationError(
            f"--against {base} is quantized itself ({', '.join(found.plan.labels) or 'unknown format'}); name the BF16 original"
        )
    broken = next((one for one in found.findings if one.severity == "error"), None)
    if broken is not None:
        raise ConfigurationError(f"--against {base}: {broken.where}: {broken.value}: {broken.meaning}")
    return found


def _look(source: Source, base: Source | None, linear: Linear) -> Looked:
    scales, findings = check_scales(linear)
    codes, others = check_codes(linear)
    compared = None
    if base is not None and not source.rewrites and f"{linear.name}.weight" in base.weights and linear.rows * linear.width:
        compared = compare(linear, base.weights)
        others = [one for one in others if one.check != "rows-zero"]  # the base itself tells whether they should be
    return Looked(scales, codes, compared, findings + others)


def _plain_tensors(source: Source, base: Source | None, linears: Sequence[Linear], looked: set[str]) -> Iterator[Finding]:
    taken = {linear.tensor(part) for linear in linears for part in (linear.scheme.weight, linear.scheme.scale)} | looked
    names = [name for name in source.weights.tensors if name not in taken and name.rpartition(".")[2] not in source.plan.parts]
    original = base.weights if base is not None else None
    for found in _on_all(lambda name: list(check_plain(source.weights, name, original, source.rewrites)), names):
        yield from found


def _comparable(source: Source, base: Source | None) -> list[str]:
    """Tensors that were not quantized, and that the base has as well."""
    own = source.weights.tensors
    return [
        name for name, one in (base.weights.tensors if base is not None else {}).items() if name in own and own[name].dtype == one.dtype
    ]


def _read_names(linears: Sequence[Linear]) -> set[str]:
    """Tensors that the checks of linears have looked at."""
    return {one.tensor(part) for one in linears for part in one.scheme.promised(one.rows, one.width)}


def _on_all(work: Callable[[Given], Made], given: Sequence[Given]) -> list[Made]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, given))


def _report(
    source: Source,
    base: Path | None,
    findings: list[Finding],
    linears: dict[str, Linear],
    looked: dict[str, Looked],
    scales: dict[str, ScaleSummary],
) -> Report:  # fmt: skip
    merged = grouped(findings)
    fidelity = {name: one.compared.fidelity for name, one in looked.items() if one.compared is not None}
    return Report(
        checkpoint=str(source.folder), against=str(base) if base is not None else None,
        formats=source.plan.labels or ["BF16, FP8 KV cache" if source.plan.has_cache_scales else "BF16"],
        linears=len(linears), tensors=len(source.weights.tensors),
        verdict="fail" if any(one.severity == "error" for one in merged) else "pass",
        findings=merged, kinds=report.kinds(linears, scales, {name: one.codes for name, one in looked.items()}, fidelity),
        worst=report.worst(fidelity), scale_histogram=report.histogram(linears, scales), size=report.sizes(source, list(linears.values())),
        made_by=str(told) if (told := read_manifest(source.folder)) is not None else None,
    )  # fmt: skip
