"""Small checkpoints in every format that `inspect` reads, quantized from random weights, and their BF16 originals."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from quantgate.checkpoint.encoding import Tensor, bf16, encode, write_shard
from quantgate.checkpoint.names import fused_with
from quantgate.checkpoint.numerics import Floats, bf16_to_fp32
from quantgate.checkpoint.plan import Plan
from quantgate.checkpoint.source import read_plan
from quantgate.checkpoint.storage import STORED, read_header

REFERENCE = Path(__file__).parents[2] / "fixtures" / "reference"
COMPANIONS = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")
VOCABULARY, KEYS = 64, 128


def _tensors(weights: dict[str, Any], form: str, activations: dict[str, Any] | None = None) -> dict[str, Any]:
    group = {"targets": ["Linear"], "weights": weights, "input_activations": activations}
    return {"quant_method": "compressed-tensors", "format": form, "config_groups": {"group_0": group}, "ignore": ["lm_head"]}


FP4 = {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16}
FP8 = {"num_bits": 8, "type": "float", "strategy": "channel"}
INT4 = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32}
MX8 = {"num_bits": 8, "type": "float", "strategy": "group", "group_size": 32, "scale_dtype": "torch.uint8"}
MIXED = {
    "quant_method": "compressed-tensors", "format": "mixed-precision", "ignore": ["re:.*lm_head"], "config_groups": {
        "mlp": {
            "targets": ["re:.*mlp.*"], "weights": FP4, "format": "nvfp4-pack-quantized", "input_activations": FP4 | {"dynamic": "local"},
        },
        "attention": {
            "targets": ["re:.*self_attn.*"], "weights": FP8, "format": "float-quantized", "input_activations": FP8 | {"dynamic": True},
        },
    },
}  # fmt: skip
FORMATS: dict[str, dict[str, Any]] = {
    "nvfp4": _tensors(FP4, "nvfp4-pack-quantized", FP4 | {"dynamic": "local"}),
    "nvfp4a16": _tensors(FP4, "nvfp4-pack-quantized"),
    "mxfp4": _tensors({"num_bits": 4, "type": "float", "strategy": "group", "group_size": 32}, "mxfp4-pack-quantized"),
    "fp8-dynamic": _tensors(FP8, "float-quantized", FP8 | {"dynamic": True}),
    "fp8-static": _tensors(FP8 | {"strategy": "tensor"}, "float-quantized", FP8 | {"strategy": "tensor", "dynamic": False}),
    "fp8-block": _tensors(
        {"num_bits": 8, "type": "float", "strategy": "block", "block_structure": [128, 128]}, "float-quantized", FP8 | {"dynamic": True}
    ),
    "int8": _tensors(
        {"num_bits": 8, "type": "int", "strategy": "channel"}, "int-quantized", {"num_bits": 8, "type": "int", "dynamic": True}
    ),
    "int4": _tensors(INT4, "pack-quantized"),
    "mixed": MIXED,
    "modelopt-nvfp4": {"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["lm_head"]},
    "modelopt-fp8": {"quant_method": "modelopt", "quant_algo": "FP8", "exclude_modules": ["lm_head*"]},
    "qwen-fp8": {
        "quant_method": "fp8",
        "weight_block_size": [128, 128],
        "activation_scheme": "dynamic",
        "modules_to_not_convert": ["lm_head"],
    },
    "fp8-no-dynamic": _tensors(FP8 | {"strategy": "tensor"}, "naive-quantized", FP8 | {"strategy": "tensor"})
    | {"quantization_status": "frozen"},
    "mxfp8": _tensors(MX8, "mxfp8-quantized", MX8 | {"dynamic": True}),
    "int2": _tensors(INT4 | {"num_bits": 2}, "pack-quantized"),
    "int3": _tensors(INT4 | {"num_bits": 3}, "pack-quantized"),
    "int7": _tensors(INT4 | {"num_bits": 7}, "pack-quantized"),
    "modelopt-mxfp8": {"quant_method": "modelopt", "quant_algo": "MXFP8", "ignore": ["lm_head"]},
    "modelopt-blocks": {"quant_method": "modelopt", "quant_algo": "FP8_PB_WO", "ignore": ["lm_head"]},
    "modelopt-w4a16": {
        "quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["lm_head"],
        "config_groups": {"group_0": {"targets": ["Linear"], "input_activations": None}},
    },
    "gptq": {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False, "sym": True},
    "gptq-8-bits": {"quant_method": "gptq", "bits": 8, "group_size": -1, "desc_act": False, "sym": True},
    "auto-round": {"quant_method": "auto-round", "bits": 4, "group_size": 32, "sym": True, "packing_format": "auto_round:auto_gptq"},
    "bf16": {},
}  # fmt: skip
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"}


def plan_of(quantization: dict[str, Any]) -> Plan:
    """The plan that config.json's quantization means."""
    return read_plan(quantization or None, {})


def make_pair(
    root: Path,
    form: str | dict[str, Any],
    seed: int = 0,
    *,
    hidden: int = 128,
    intermediate: int = 256,
    layers: int = 4,
    tails: bool = False,
) -> tuple[Path, Path]:
    """(checkpoint, original). `form`: a key of FORMATS, or a quantization of one's own. `tails`: weights with tails like
    Student's t of four degrees of freedom, not Gaussian ones."""
    rng = np.random.default_rng(seed)
    shapes = {
        "self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (KEYS, hidden),
        "self_attn.v_proj": (KEYS, hidden), "self_attn.o_proj": (hidden, hidden),
        "mlp.gate_proj": (intermediate, hidden), "mlp.up_proj": (intermediate, hidden), "mlp.down_proj": (hidden, intermediate),
    }  # fmt: skip
    plain = {"model.embed_tokens.weight": bf16(_drawn(rng, (VOCABULARY, hidden), tails=False))}
    linears: dict[str, Floats] = {}
    for layer in range(layers):
        for norm in ("input_layernorm", "post_attention_layernorm"):
            plain[f"model.layers.{layer}.{norm}.weight"] = bf16(1 + 0.1 * _drawn(rng, (hidden,), tails=False))
        for name, shape in shapes.items():
            linears[f"model.layers.{layer}.{name}"] = 0.02 * (1 + layer % 3) * _drawn(rng, shape, tails=tails)
    rounded = {name: bf16(drawn) for name, drawn in linears.items()}
    exact = {name: bf16_to_fp32(raw) for name, (_, raw) in rounded.items()}
    quantization = FORMATS[form] if isinstance(form, str) else form
    plan, quantized = plan_of(quantization), dict(plain)
    for name, weights in exact.items():
        scheme = plan.scheme_of(name)
        amax = max(float(np.abs(exact[other]).max()) for other in fused_with(name))
        parts = encode(scheme, weights, amax) if scheme else {"weight": rounded[name]}
        quantized.update({f"{name}.{part}": tensor for part, tensor in parts.items()})
    config: dict[str, Any] = {
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": hidden, "num_hidden_layers": layers,
        "vocab_size": VOCABULARY, "tie_word_embeddings": True, "eos_token_id": 4,
    }  # fmt: skip
    base = write(root / "original", {**plain, **{f"{name}.weight": tensor for name, tensor in rounded.items()}}, config)
    folder = root / (form if isinstance(form, str) else "own")
    return write(folder, quantized, config | ({"quantization_config": quantization} if quantization else {})), base


def _drawn(rng: np.random.Generator, shape: tuple[int, ...], *, tails: bool) -> Floats:
    return rng.standard_t(4, shape).astype(np.float32) if tails else rng.standard_normal(shape, np.float32)


def write(folder: Path, tensors: dict[str, Tensor], config: dict[str, Any]) -> Path:
    """A whole checkpoint of these tensors, companions and papers beside them."""
    folder.mkdir(parents=True)
    write_shard(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for name in COMPANIONS:
        shutil.copy(REFERENCE / "bf16" / name, folder)
    (folder / "README.md").write_text("# card", encoding="utf-8")
    (folder / "LICENSE").write_text("terms", encoding="utf-8")
    return folder


def read(folder: Path) -> dict[str, Tensor]:
    """Every tensor as it is stored."""
    file = folder / "model.safetensors"
    content = file.read_bytes()
    return {
        name: (one.dtype, np.frombuffer(content[one.begin : one.begin + one.size_bytes], STORED[one.dtype][0]).reshape(one.shape).copy())
        for name, one in read_header(file).items()
    }


def change(folder: Path, edit: Callable[[dict[str, Tensor]], object]) -> Path:
    """Tensors changed in place (or put in others' places) and written again."""
    tensors = read(folder)
    edit(tensors)
    write_shard(tensors, folder / "model.safetensors")
    return folder


def configure(folder: Path, edit: Callable[[dict[str, Any]], object], name: str = "config.json") -> Path:
    """A JSON file changed in place."""
    raw = json.loads((folder / name).read_text(encoding="utf-8"))
    edit(raw)
    (folder / name).write_text(json.dumps(raw), encoding="utf-8")
    return folder
