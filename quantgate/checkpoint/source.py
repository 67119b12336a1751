"""One checkpoint folder opened: its configuration, its plan, its tensors."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from quantgate.checkpoint import dialects
from quantgate.checkpoint.findings import Finding
from quantgate.checkpoint.plan import Plan
from quantgate.checkpoint.shards import read_shards
from quantgate.checkpoint.storage import Weights
from quantgate.errors import ConfigurationError
from quantgate.fingerprint import read_json

HF_QUANT = "hf_quant_config.json"
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
        return bool(self.plan.groups) or "quantization_config" in self.config

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
        plan.rewrites or (rewriting.group(1) if rewriting else ""), iterative.group(1) if iterative else "",
    )  # fmt: skip


def _plan(folder: Path, config: dict[str, Any]) -> tuple[Plan, list[Finding]]:
    try:
        return _read_plan(folder, config), []
    except dialects.MalformedError as error:
        return Plan(), [
            Finding(
                severity="error", area="structure", check="quantization-config", where="config.json", value=str(error),
                meaning="an engine refuses this, or loads the weights as something else",
            )
        ]  # fmt: skip


def _read_plan(folder: Path, config: dict[str, Any]) -> Plan:
    raw = config.get("quantization_config") or config.get("compression_config")
    if isinstance(text := config.get("text_config"), dict) and raw is None:
        raw = text.get("quantization_config")
    beside = folder / HF_QUANT
    if raw is None and beside.is_file():
        return dialects.modelopt(_object(read_json(beside).get("quantization"), f"{HF_QUANT}: quantization"))
    if raw is None:
        return Plan()
    raw = _object(raw, "quantization_config")
    method = str(raw.get("quant_method", ""))
    if method.startswith("modelopt"):
        return dialects.modelopt(_object(raw.get("quantization", raw), "quantization_config.quantization"))
    readers = {"compressed-tensors": dialects.compressed_tensors, "fp8": dialects.fp8}
    if method not in readers:
        known = "compressed-tensors, modelopt and fp8"
        raise dialects.MalformedError(f"quant_method is {method or 'missing'}; we read {known}")
    return readers[method](raw)


def _object(raw: Any, name: str) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise dialects.MalformedError(f"{name} is {json.dumps(raw)[:80]}; it must be a JSON object")
    return raw


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
