"""A checkpoint folder as a model that needs no server: transformers' Qwen3 with quantized linears of our own.

The linears mean what vLLM makes of compressed-tensors checkpoints: of fused parts (q/k/v, gate/up) the largest divisor
counts, NVFP4 activations are quantized in groups, FP8 activations per token, and decoded weights are rounded to BF16.
"""

from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import linear
from transformers import DynamicCache, Qwen3Config, Qwen3ForCausalLM

from mutation.stored import Tensors, UnloadableError, divisor, read_tensors
from quantgate.fingerprint import read_json
from quantgate.vllm_plugin.fp4 import FP8_MAX, decode, quantize_and_decode

FP8_SMALLEST_SCALE = 1 / (FP8_MAX * 512)  # vLLM's floor under a token's scale


class NvFp4Linear(torch.nn.Module):
    """NVFP4 W4A4: weights (out, in) decoded once, activations quantized at every call."""

    weight: torch.Tensor
    input_divisor: torch.Tensor

    def __init__(self, weight: torch.Tensor, input_divisor: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("input_divisor", input_divisor, persistent=False)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return linear(quantize_and_decode(values, self.input_divisor), self.weight)


class Fp8Linear(torch.nn.Module):
    """FP8 W8A8: codes (out, in) kept as numbers, scales (out, 1); activations quantized per token."""

    codes: torch.Tensor
    scales: torch.Tensor

    def __init__(self, codes: torch.Tensor, scales: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("codes", codes)
        self.register_buffer("scales", scales)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        scale = (values.abs().amax(-1, keepdim=True).to(torch.float32) / FP8_MAX).clamp(min=FP8_SMALLEST_SCALE)
        kept = (values.to(torch.float32) * scale.reciprocal()).clamp(-FP8_MAX, FP8_MAX).to(torch.float8_e4m3fn)
        return (linear(kept.to(torch.float32), self.codes) * scale * self.scales.t()).to(values.dtype)


class Fp8Cache(DynamicCache):
    """A KV cache that keeps FP8 numbers at a scale of 1: what vLLM does where a checkpoint asks for FP8 and brings no scales."""

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **named: Any) -> Any:
        return super().update(_through_fp8(key_states), _through_fp8(value_states), *args, **named)


def _through_fp8(values: torch.Tensor) -> torch.Tensor:
    return values.clamp(-FP8_MAX, FP8_MAX).to(torch.float8_e4m3fn).to(values.dtype)


def new_cache(folder: Path) -> DynamicCache:
    """An empty KV cache of the kind that the folder's config.json asks for."""
    quantized = read_json(folder / "config.json").get("quantization_config") or {}
    return Fp8Cache() if quantized.get("kv_cache_scheme") else DynamicCache()


def config_of(folder: Path) -> tuple[Qwen3Config, float]:
    """The configuration and the base of its rotary angles, which transformers 4 and 5 keep under different names."""
    raw = {key: value for key, value in read_json(folder / "config.json").items() if key != "quantization_config"}
    theta = float((raw.get("rope_parameters") or {}).get("rope_theta") or raw["rope_theta"])
    return Qwen3Config(**{**raw, "rope_theta": theta}), theta


def load(folder: Path, device: str, dtype: torch.dtype = torch.float32) -> Qwen3ForCausalLM:
    """The model on `device`, its arithmetic in `dtype`. Raises UnloadableError where a tensor is missing or has a wrong shape."""
    config, theta = config_of(folder)
    tensors, model = read_tensors(folder), Qwen3ForCausalLM(config)
    for prefix in sorted({name.rpartition(".")[0] for name in tensors if name.endswith(("_packed", ".weight_scale"))}):
        parent, _, part = prefix.rpartition(".")
        setattr(model.get_submodule(parent), part, quantized_linear(tensors, prefix, dtype))
    plain = {name: tensor for name, tensor in tensors.items() if not _is_quantized(name, tensors)}
    if config.tie_word_embeddings:
        plain["lm_head.weight"] = plain["model.embed_tokens.weight"]
    wanted = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    if wanted - plain.keys():
        raise UnloadableError(f"{folder}: {', '.join(sorted(wanted - plain.keys()))} missing from the weights")
    try:
        model.load_state_dict(plain, strict=False)
    except RuntimeError as error:
        raise UnloadableError(f"{folder}: {error}") from error
    torch.nn.Module.to(model, device=device, dtype=dtype)
    angles = model.model.rotary_emb
    places = torch.arange(0, config.head_dim, 2, dtype=torch.float32, device=device)
    angles.inv_freq = 1.0 / theta ** (places / config.head_dim)  # said once more: whichever name this transformers reads
    for layer in model.modules():
        if isinstance(layer, NvFp4Linear | Fp8Linear):
            for name, buffer in layer.named_buffers():
                if name != "weight":
                    setattr(layer, name, buffer.to(torch.float32))
    return model.eval()


def _is_quantized(name: str, tensors: Tensors) -> bool:
    prefix = name.rpartition(".")[0]
    return f"{prefix}.weight_scale" in tensors


def quantized_linear(tensors: Tensors, prefix: str, dtype: torch.dtype) -> NvFp4Linear | Fp8Linear:
    """The linear `prefix` (`model.layers.0.mlp.up_proj`), NVFP4 or FP8 as its tensors are."""
    if f"{prefix}.weight_packed" in tensors:
        weight = decode(
            tensors[f"{prefix}.weight_packed"], tensors[f"{prefix}.weight_scale"], divisor(tensors, prefix, "weight_global_scale")
        )
        return NvFp4Linear(weight.to(dtype), divisor(tensors, prefix, "input_global_scale"))
    codes, scales = tensors[f"{prefix}.weight"], tensors[f"{prefix}.weight_scale"]
    return Fp8Linear(codes.to(torch.float32), scales.to(torch.float32))
