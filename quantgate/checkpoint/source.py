"""One checkpoint folder opened: its configuration, its plan, its tensors."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from quantgate.checkpoint import dialects, integer_dialects
from quantgate.checkpoint.findings import Finding
from quantgate.checkpoint.names import canonical
from quantgate.checkpoint.plan import Group, Plan, RefusedError, Unread, is_linear
from quantgate.checkpoint.shards import read_shards
from quantgate.checkpoint.storage import Stored, Weights
from quantgate.errors import ConfigurationError
from quantgate.fingerprint import read_json

HF_QUANT = "hf_quant_config.json"
VLLM = "0.32"
"""Whose rules are told where it refuses something."""
REFUSED = Unread("quantized in a way that was refused")
MXFP4 = Plan((Group(("Linear",), Unread("experts in mxfp4"), "experts"),), method="mxfp4")
"""vLLM's mxfp4.py: experts alone are quantized."""
READERS: dict[str, Callable[[dict[str, Any]], Plan]] = {
    "compressed-tensors": dialects.compressed_tensors, "gptq": integer_dialects.gptq, "gptq_marlin": integer_dialects.gptq,
    "auto_gptq": integer_dialects.gptq, "awq": integer_dialects.awq, "awq_marlin": integer_dialects.awq,
    "auto_awq": integer_dialects.awq, "auto-round": integer_dialects.auto_round,
    "mxfp4": lambda _: MXFP4, "gpt_oss_mxfp4": lambda _: MXFP4,
}  # fmt: skip
OTHERS = (
    "fbgemm_fp8", "fp_quant", "humming", "experts_int8", "quark", "moe_wna16", "torchao", "inc", "deepseek_v4_fp8", "online", "mxfp8",
    "fp8_per_tensor", "fp8_per_block", "fp8_per_channel", "int8_per_channel_weight_only", "nvfp4_per_token",
)  # fmt: skip
"""vLLM's other methods (layers/quantization/__init__.py), which are not looked inside."""
REWRITING = re.compile(r"\b(AWQ|SmoothQuant|SpinQuant|QuIP)Modifier\b")
ITERATIVE = re.compile(r"\b(GPTQ|AutoRound|SparseGPT)(?:Modifier)?\b")


class Source(NamedTuple):
    """`rewrites`: a method of the recipe that changes weights before they are rounded; `iterates`: one that rounds
    each weight for the error of its neighbours, and so not to the nearest code. Both are empty where there is none."""

    folder: Path
    config: dict[str, Any]
    plan: Plan
    weights: Weights
    lost: set[str]
    findings: list[Finding]
    rewrites: str
    iterates: str

    @property
    def is_quantized(self) -> bool:
        return bool(self.plan.groups) or self.plan.method != "none" or self.plan.unread is not None

    def setting(self, key: str) -> Any:
        """A key of config.json, or of the text model inside a multimodal one; None where it is missing."""
        inner = self.config.get("text_config")
        return self.config[key] if key in self.config else inner.get(key) if isinstance(inner, dict) else None


def open_source(folder: Path) -> Source:
    """Headers and configuration only. Raises ConfigurationError for a folder that is no checkpoint."""
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is no folder; name a checkpoint's folder or a hub id")
    config = read_json(folder / "config.json")
    shards = read_shards(folder)
    plan, problem = _plan(folder, config)
    recipe = _text(folder / "recipe.yaml")
    rewriting, iterative = REWRITING.search(recipe), ITERATIVE.search(recipe)
    return Source(
        folder, config, plan, Weights(shards.tensors), shards.lost, [*shards.findings, *problem],
        plan.rewrites or (rewriting.group(1) if rewriting else ""), plan.iterates or (iterative.group(1) if iterative else ""),
    )  # fmt: skip


def without_weights(folder: Path) -> Source:
    """What configuration alone tells of a folder that holds no weights. Raises ConfigurationError where there is no config.json."""
    config = read_json(folder / "config.json")
    plan, problem = _plan(folder, config)
    return Source(folder, config, plan, Weights({}), set(), problem, plan.rewrites, plan.iterates)


def in_names_of(base: Source, source: Source) -> Source:
    """The base with its modules called as the checkpoint calls them: versions of transformers put other wrappers before them."""
    own = {name.rpartition(".")[0] for name in source.weights.tensors}
    spelled = {canonical(module): module for module in own}
    tensors: dict[str, Stored] = {}
    for name, stored in base.weights.tensors.items():
        module, _, part = name.rpartition(".")
        now = f"{spelled[canonical(module)]}.{part}" if module not in own and canonical(module) in spelled else name
        now = name if now in base.weights.tensors else now
        tensors[now] = msgspec.structs.replace(stored, name=now) if now != name else stored
    return base._replace(weights=Weights(tensors)) if tensors.keys() != base.weights.tensors.keys() else base


def _plan(folder: Path, config: dict[str, Any]) -> tuple[Plan, list[Finding]]:
    """What is refused is named once, and nothing is asked of tensors that no engine will see."""
    try:
        return read_plan(quantization(folder, config), config), []
    except RefusedError as error:
        meaning = f"vLLM {VLLM} refuses it: {error.rule}"
        where = "config.json" if _in_config(config) is not None else HF_QUANT
        return Plan(unread=REFUSED), [
            Finding(severity="error", area="structure", check="quantization-config", where=where, value=str(error), meaning=meaning)
        ]


def _in_config(config: dict[str, Any]) -> Any:
    """As vLLM looks for it: config.json, the text model inside it, and hf_quant_config.json only where these say nothing."""
    raw = config.get("quantization_config") or config.get("compression_config")
    text = config.get("text_config")
    return text.get("quantization_config") if raw is None and isinstance(text, dict) else raw


def quantization(folder: Path, config: dict[str, Any]) -> Any:
    """The raw configuration of it, wherever it stands; None where there is none."""
    beside = folder / HF_QUANT
    raw = _in_config(config)
    return read_json(beside) if raw is None and beside.is_file() else raw


def read_plan(raw: Any, config: dict[str, Any]) -> Plan:
    """What a quantization configuration means. Raises RefusedError for what vLLM refuses."""
    if raw is None:
        return Plan()
    if not isinstance(raw, dict):
        raise RefusedError(f"quantization_config is {json.dumps(raw)[:80]}; it must be a JSON object", "it reads quant_method there")
    method = str(raw.get("quant_method") or "").lower().replace("compressed_tensors", "compressed-tensors")
    if method.startswith("modelopt") or "quantization" in raw:
        return dialects.modelopt(raw)
    if method == "fp8":
        return dialects.fp8(raw, config)
    if method in READERS:
        return READERS[method](raw)
    if method in OTHERS:
        return Plan(unread=Unread(f"in {method}"), method=method)
    known = ", ".join(sorted({*READERS, *OTHERS, "fp8", "modelopt"}))
    raise RefusedError(f"quant_method is {method or 'missing'}; known are {known}", "it has no such method")


def check_own_file(source: Source) -> Iterator[Finding]:
    """hf_quant_config.json beside a quantization_config that says something else of a module: engines read one or the other."""
    file = source.folder / HF_QUANT
    if not file.is_file() or not isinstance(_in_config(source.config), dict) or source.plan.unread is not None:
        return
    try:
        other = read_plan({"quant_method": "modelopt", **read_json(file), "producer": None}, source.config)
    except RefusedError:
        return
    modules = set()
    for name, stored in source.weights.tensors.items():
        module, _, part = name.rpartition(".")
        if part in source.plan.parts or (part == "weight" and is_linear(module, len(stored.shape))):
            modules.add(module)
    apart = [module for module in sorted(modules) if _label(source.plan, module) != _label(other, module)]
    if apart:
        told = f"{_label(source.plan, apart[0])} in config.json, {_label(other, apart[0])} in {HF_QUANT}, {len(apart)} modules"
        yield Finding(
            severity="warning", area="structure", check="files-disagree", where=apart[0], value=told,
            meaning="the two files disagree: vLLM reads config.json, TensorRT-LLM the other",
        )  # fmt: skip


def _label(plan: Plan, module: str) -> str:
    return found.label if (found := plan.of(module)) is not None else "not quantized"


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
