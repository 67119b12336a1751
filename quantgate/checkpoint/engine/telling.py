"""The engine's answer as findings: what it refuses and what it leaves without a value are errors, what it passes over is told."""

import re
from collections.abc import Iterator

import msgspec

from quantgate.checkpoint.engine.answer import Answer, Problem
from quantgate.checkpoint.findings import SEVERITIES, Finding, Severity, grouped
from quantgate.checkpoint.report import Report

DEVICE = "for want of a device"
NOT_ASKED = (
    (r"ModuleNotFoundError|ImportError", "this environment lacks what the model's class needs"),
    (r"MemoryError|can't allocate memory|out of memory", "it wants more memory than this machine has"),
    (r"trust_remote_code", "it wants code of the checkpoint's own to be run; trust_remote_code in its serve allows that"),
    (r"not supported for now|does not recognize this architecture|failed to be inspected", "this vLLM does not know the model's class"),
    (r"is not supported for quantization method", "its dtype is another than this method takes; set dtype in its serve"),
    (r"[Ff]ind a kernel|no kernel|backend supports|[Cc]apability|\bGPU\b|CUDA|ROCm|XPU|\bsm_?\d\d|[Tt]riton", DEVICE),
    (r"_OpNamespace|torch\.ops|object has no attribute '_C|(?:supported|implemented) only (?:on|for)", DEVICE),
)
"""Refusals that say nothing about the checkpoint: in the exception's kind or its first words."""
LOOKED_AT = 300
REFUSED = {
    "configuration": "its configuration", "model": "to build the model that it describes", "weights": "its weights",
    "cache scales": "its scales of the KV cache",
}  # fmt: skip
NEEDED = re.compile(r"weight|scale|zero|codebook|blocks")
"""In the last part of a parameter's name: without these a layer computes with whatever was there."""
ORDER = re.compile(r"g_idx$|input_scale_ub$|weight_shape$")
"""Of these the class makes its own where none are stored."""
SCALES = re.compile(r"(?:^|[._])(?:\w*scales?(?:_inv|_2)?|\w*zero_point|qzeros)$")
CACHE = re.compile(r"(?:^|[._])(?:[kvq]v?|prob|kv_cache)_scale$|_cache\.\w+$")


def with_engine(report: Report, answer: Answer) -> Report:
    """The report with the engine's word beside what the files say; its errors count as theirs do."""
    findings = [*report.findings, *grouped(tell(answer, is_doubted=report.verdict == "fail"))]
    findings.sort(key=lambda one: SEVERITIES.index(one.severity))
    failed = any(one.severity == "error" for one in findings)
    return msgspec.structs.replace(report, findings=findings, verdict="fail" if failed else "pass")


def tell(answer: Answer, *, is_doubted: bool = False) -> list[Finding]:
    """`is_doubted`: the files alone speak against the checkpoint, and what the engine takes all the same is said beside that."""
    engine = f"vLLM {answer.vllm}" if answer.vllm else "vLLM"
    if answer.ended:
        return [_not_asked(engine, f"while it was at {REFUSED.get(answer.stage, answer.stage)}, {answer.ended}")]
    if (error := answer.error) is not None:
        return [_refusal(engine, answer, error)]
    found = [*_unwritten(engine, answer), *_casts(engine, answer), *_unused(engine, answer)]
    if not any(one.severity == "error" for one in found):
        found.append(_loads(engine, answer, is_doubted=is_doubted))
    return found


def _refusal(engine: str, answer: Answer, error: Problem) -> Finding:
    text = " ".join(error.text.removeprefix("Value error, ").partition(" The available parameters")[0].split()) or error.line
    said = f"{error.kind}: {text}"
    if answer.stage == "import":
        return _not_asked(engine, f"it cannot be imported: {said}")
    for pattern, why in NOT_ASKED:
        if re.search(pattern, said[:LOOKED_AT]):
            return _not_asked(engine, f"{why} ({said[:LOOKED_AT]})")
    where = answer.reading or ("config.json" if answer.stage in {"configuration", "model"} else answer.stage)
    refused = f"{engine} refuses {REFUSED[answer.stage]} ({error.where}), and no server of this version will start with this checkpoint"
    return _finding("error", "engine-refuses", where, said[:LOOKED_AT], refused)


def _unwritten(engine: str, answer: Answer) -> Iterator[Finding]:
    served = f"{engine} finds nothing in the files for it and serves whatever its memory held"
    for name, value in [(name, "never written") for name in answer.unwritten] + [
        (name, f"{missing:,} of {rows:,} rows never written") for name, missing, rows in answer.partly
    ]:
        part = name.rpartition(".")[2]
        if ORDER.search(part):
            continue
        if NEEDED.search(part):
            yield _finding("error", "engine-unwritten", name, value, served)
        else:
            yield _finding("warning", "engine-unwritten-besides", name, value, f"{engine} leaves it as the model's class made it")


def _casts(engine: str, answer: Answer) -> Iterator[Finding]:
    scaled = {name.rpartition(".")[0] for name in answer.unwritten}
    for name, kinds in answer.casts.items():
        module, _, part = name.rpartition(".")
        if module in scaled or part == "weight":
            meaning = f"{engine} copies the one into the other without a word: what is stored and what the configuration says differ"
            yield _finding("error", "engine-cast", name, kinds, meaning)


def _unused(engine: str, answer: Answer) -> Iterator[Finding]:
    for name in answer.unused:
        is_scale = SCALES.search(name) is not None and CACHE.search(name) is None
        meaning = f"{engine} makes nothing of this tensor"
        if is_scale:
            meaning += ", a scale: what belongs to it is read as something else, or in another way than the configuration says"
        yield _finding("warning" if is_scale else "note", "engine-unused-scale" if is_scale else "engine-unused", name, "stored", meaning)


def _loads(engine: str, answer: Answer, *, is_doubted: bool) -> Finding:
    read = f"all {answer.parameters:,} parameters written"
    if answer.layers is not None:
        read = f"layers {', '.join(map(str, answer.layers))} stand for all; their parameters written"
    meaning = f"{engine} reads this checkpoint: names, dtypes and shapes are what it wants"
    if is_doubted:
        meaning += "; what the errors above say of values and of the original it does not look at"
    return _finding("note", "engine-loads", "all files", read, meaning)


def _not_asked(engine: str, why: str) -> Finding:
    undecided = f"{engine} has not decided about this checkpoint"
    return _finding("note", "engine-not-asked", "all files", f"cannot be asked here: {why}", undecided)


def _finding(severity: Severity, check: str, where: str, value: str, meaning: str) -> Finding:
    return Finding(severity=severity, area="engine", check=check, where=where, value=value, meaning=meaning)
