"""What vLLM refuses before it loads a weight, as far as config.json and tensors' names and shapes tell it: each with its rule."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from quantgate.checkpoint.decode import Linear
from quantgate.checkpoint.findings import Finding
from quantgate.checkpoint.names import fused_with, is_expert
from quantgate.checkpoint.source import VLLM, Source

QUANTIZER = re.compile(r"\.(?:weight|input|output)_quantizer\.")
DROPS_QUANTIZERS = "cohere"
"""Of models whose loader drops such tensors (models/commandr.py)."""
DEPRECATED = ("fbgemm_fp8", "fp_quant")
FIRST_OF_EXPERT = ("gate_proj", "up_proj", "w1", "w3")


def check_refusals(source: Source) -> Iterator[Finding]:
    """Of the configuration and of names."""
    for config in (source.config, source.config.get("text_config")):
        if isinstance(config, dict):
            yield from _layer_types(config)
    if source.plan.method in DEPRECATED:
        meaning = f"vLLM {VLLM} refuses it unless it is told --allow-deprecated-quantization"
        yield Finding(
            severity="warning", area="structure", check="deprecated-method", where="config.json", value=source.plan.method, meaning=meaning
        )  # fmt: skip
    names = source.weights.tensors
    if source.plan.rotations and not any(source.plan.is_rotation(name.rpartition(".")[0]) for name in names):
        yield from _rotations(source.config)
    for name in names:
        if QUANTIZER.search(name) and not str(source.setting("model_type")).startswith(DROPS_QUANTIZERS):
            yield _error("tensor-leaked", name, names[name].dtype, "it knows no such tensor: a quantizer's own state, left by the export")


def _layer_types(config: dict[str, Any]) -> Iterator[Finding]:
    """transformers' validate_layer_type."""
    count = config.get("num_hidden_layers")
    for key in ("layer_types", "mlp_layer_types"):
        kinds = config.get(key)
        if isinstance(kinds, list) and isinstance(count, int) and len(kinds) != count:
            told = f"{key} has {len(kinds)} entries, num_hidden_layers is {count}"
            yield _error(f"config-{key}", "config.json", told, "each layer has one entry")


def _rotations(config: dict[str, Any]) -> Iterator[Finding]:
    """Of what a linear is given or gives, while the engine runs (the others are folded into weights). Hadamard's own is computed."""
    told = config.get("quantization_config") or {}
    for name, group in ((told.get("transform_config") or {}).get("config_groups") or {}).items():
        online = [one.get("location") for one in group.get("apply") or () if "Embedding" not in (one.get("targets") or ())]
        if not {"input", "output"} & set(online):
            continue
        value, kind = f"transform_config promises the rotation {name}, not stored", group.get("type")
        if kind == "hadamard":
            meaning = f"vLLM {VLLM} computes this matrix where it has a kernel for it; other engines look for the tensor"
            yield Finding(severity="warning", area="structure", check="rotation-missing", where="config.json", value=value, meaning=meaning)
        else:
            meaning = "its matrix is memory that was never written: every linear behind it answers at random"
            yield Finding(severity="error", area="structure", check="rotation-missing", where="config.json", value=value, meaning=meaning)


def check_blocks(linears: Sequence[Linear]) -> Iterator[Finding]:
    """Blocks may not lie across the matrices that vLLM joins (fp8_utils.py, validate_fp8_block_shape and …_moe)."""
    named = {linear.name: linear for linear in linears}
    for linear in linears:
        if not linear.scheme.block or linear.scheme.strategy != "block":
            continue
        high = linear.scheme.block[0]
        together = [other for other in fused_with(linear.name) if other in named]
        is_last = not together or linear.name == together[-1]
        last = linear.name.rpartition(".")[2]
        if linear.rows % high and (last in FIRST_OF_EXPERT if is_expert(linear.name) else len(together) > 1 and not is_last):
            told = f"{linear.rows:,} rows, blocks of {high}"
            yield _error("block-shape", linear.name, told, "the rows of joined matrices are whole blocks; quantize it in smaller ones")


def _error(check: str, where: str, value: str, rule: str) -> Finding:
    meaning = f"vLLM {VLLM} refuses it: {rule}"
    return Finding(severity="error", area="structure", check=check, where=where, value=value, meaning=meaning)
