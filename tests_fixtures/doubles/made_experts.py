"""Small checkpoints with routed experts: one linear an expert, or all of a layer's in one tensor, and their BF16 originals."""

from pathlib import Path
from typing import Any

import numpy as np

from quantgate.checkpoint.encoding import Tensor, bf16, encode
from quantgate.checkpoint.numerics import Floats, bf16_to_fp32
from quantgate.checkpoint.schemes import Scheme, modelopt_nvfp4
from tests_fixtures.doubles.made_checkpoints import write

HIDDEN, INNER, LAYERS = 64, 32, 2
NVFP4 = {"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 16, "ignore": ["lm_head", "*self_attn*"]}
FP8 = {
    "quant_method": "compressed-tensors", "format": "float-quantized", "ignore": ["lm_head", "re:.*self_attn.*", r"re:.*mlp\.gate$"],
    "config_groups": {
        "group_0": {
            "targets": ["Linear"], "weights": {"num_bits": 8, "type": "float", "strategy": "channel"},
            "input_activations": {"num_bits": 8, "type": "float", "strategy": "token", "dynamic": True},
        },
    },
}  # fmt: skip
CHANNEL = Scheme(label="FP8", codes="fp8", bits=8, strategy="channel")


def config(count: int, model_type: str = "qwen3_moe") -> dict[str, Any]:
    return {
        "architectures": ["Qwen3MoeForCausalLM"], "model_type": model_type, "hidden_size": HIDDEN, "num_hidden_layers": LAYERS,
        "num_experts": count, "moe_intermediate_size": INNER, "vocab_size": 64, "tie_word_embeddings": True, "eos_token_id": 4,
    }  # fmt: skip


def original(count: int, seed: int = 0) -> dict[str, Tensor]:
    """One linear an expert, BF16."""
    rng = np.random.default_rng(seed)
    found = {"model.embed_tokens.weight": _drawn(rng, 64, HIDDEN)}
    for layer in range(LAYERS):
        stem = f"model.layers.{layer}"
        found[f"{stem}.self_attn.o_proj.weight"] = _drawn(rng, HIDDEN, HIDDEN)
        found[f"{stem}.mlp.gate.weight"] = _drawn(rng, count, HIDDEN)
        for expert in range(count):
            for part, shape in (("gate", (INNER, HIDDEN)), ("up", (INNER, HIDDEN)), ("down", (HIDDEN, INNER))):
                found[f"{stem}.mlp.experts.{expert}.{part}_proj.weight"] = _drawn(rng, *shape)
    return found


def together(tensors: dict[str, Tensor], count: int, *, transposed: bool = False) -> dict[str, Tensor]:
    """The experts of each layer in one tensor, (experts, outputs, inputs) as transformers 5 has it, or (experts, inputs, outputs)."""
    found = {name: tensor for name, tensor in tensors.items() if ".experts." not in name}
    for layer in range(LAYERS):
        stem = f"model.layers.{layer}.mlp.experts"
        for name, parts in (("gate_up_proj", ("gate", "up")), ("down_proj", ("down",))):
            stacks = [np.concatenate([tensors[f"{stem}.{expert}.{part}_proj.weight"][1] for part in parts]) for expert in range(count)]
            whole = np.stack(stacks)
            found[f"{stem}.{name}"] = "BF16", np.ascontiguousarray(whole.swapaxes(1, 2)) if transposed else whole
    return found


def quantized(tensors: dict[str, Tensor], scheme: Scheme, activation: dict[str, float] | None = None) -> dict[str, Tensor]:
    """Every expert's linears; gate and up under one range."""
    found = dict(tensors)
    for name in [name for name in tensors if ".experts." in name]:
        module = name.removesuffix(".weight")
        pair = [name, name.replace("gate_proj", "up_proj"), name.replace("up_proj", "gate_proj")]
        amax = max(float(np.abs(_exact(tensors[one])).max()) for one in pair if one in tensors)
        parts = encode(scheme, _exact(found.pop(name)), amax if scheme.codes == "fp4" else None, (activation or {}).get(module, 8.0))
        found.update({f"{module}.{part}": tensor for part, tensor in parts.items()})
    return found


def fused_nvfp4(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """ModelOpt's form of (experts, inputs, outputs): codes packed along the inputs, scales beside under longer names."""
    found = dict(tensors)
    for name in [name for name in tensors if name.endswith(("gate_up_proj", "down_proj"))]:
        each = [encode(modelopt_nvfp4(), np.ascontiguousarray(_exact(("BF16", one)).T)) for one in found.pop(name)[1]]
        for part, end in (
            ("weight", ""),
            ("weight_scale", "_weight_scale"),
            ("weight_scale_2", "_weight_scale_2"),
            ("input_scale", "_input_scale"),
        ):
            dtype = each[0][part][0]
            stacked = np.stack([one[part][1].T if one[part][1].ndim == 2 else one[part][1][0] for one in each])
            found[f"{name}{end}"] = dtype, np.ascontiguousarray(stacked)
    return found


def make(root: Path, name: str, tensors: dict[str, Tensor], count: int, quantization: dict[str, Any] | None, **settings: Any) -> Path:
    more = {"quantization_config": quantization} if quantization else {}
    return write(root / name, tensors, config(count) | more | settings)


def _drawn(rng: np.random.Generator, rows: int, width: int) -> Tensor:
    return bf16(rng.standard_normal((rows, width), np.float32) * np.float32(0.03))


def _exact(tensor: Tensor) -> Floats:
    return bf16_to_fp32(tensor[1])
