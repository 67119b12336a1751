"""Three ways of writing down how a model was quantized: compressed-tensors, ModelOpt, and the `fp8` of Qwen and DeepSeek.

Each function takes the raw configuration and returns a Plan, or raises MalformedError with what cannot be meant.
"""

from typing import Any, cast

from quantgate.checkpoint import schemes
from quantgate.checkpoint.plan import Group, Plan
from quantgate.checkpoint.schemes import Scheme, Strategy

STRATEGIES = ("tensor", "channel", "group", "tensor_group", "block")


class MalformedError(Exception):
    """A quantization configuration that no engine could follow; one sentence."""


def compressed_tensors(raw: dict[str, Any]) -> Plan:
    """`config_groups`: each with targets, weights, input_activations and, in mixed-precision checkpoints, a format of its own."""
    groups = raw.get("config_groups")
    if not isinstance(groups, dict) or not groups:
        raise MalformedError(f"config_groups is {groups!r}; a compressed-tensors configuration has at least one group")
    found = []
    for name, group in groups.items():
        if not isinstance(group, dict) or not isinstance(group.get("weights"), dict):
            raise MalformedError(f"config_groups.{name} has no weights; say how its targets are stored")
        targets = group.get("targets")
        if not isinstance(targets, list) or not targets:
            raise MalformedError(f"config_groups.{name}.targets is {targets!r}; name at least one module or class")
        own = group.get("format") or raw.get("format")
        found.append(Group([str(target) for target in targets], _compressed(name, group, own)))
    status = raw.get("quantization_status", "compressed")
    if status != "compressed":
        raise MalformedError(f"quantization_status is {status!r}; only compressed checkpoints can be served")
    return Plan(tuple(found), tuple(map(str, raw.get("ignore") or ())), "compressed-tensors", _cache(raw.get("kv_cache_scheme")))


def _compressed(name: str, group: dict[str, Any], own: str | None) -> Scheme:
    weights, activations = group["weights"], group.get("input_activations")
    bits, kind, strategy = weights.get("num_bits"), weights.get("type", "int"), weights.get("strategy")
    size, block = weights.get("group_size"), weights.get("block_structure")
    strategy = strategy or ("group" if (size or 0) > 0 else "channel" if size == -1 else "tensor")
    where = f"config_groups.{name}.weights: {bits} bits, type {kind}, strategy {strategy}, format {own}"
    if strategy not in STRATEGIES:
        raise MalformedError(f"{where}: strategy is none of {', '.join(STRATEGIES)}")
    if strategy in ("group", "tensor_group") and not (isinstance(size, int) and size > 0):
        raise MalformedError(f"{where}: group_size is {size!r}; groups need one above 0")
    if strategy == "block" and not (isinstance(block, list) and len(block) == 2):
        raise MalformedError(f"{where}: block_structure is {block!r}; blocks need [rows, columns]")
    if (bits, kind) == (4, "float"):
        if strategy == "tensor_group" and own == "nvfp4-pack-quantized":
            if size != 16:
                raise MalformedError(f"{where}: group_size is {size}; NVFP4 has 16")
            return schemes.nvfp4(activations=activations is not None)
        if own == "mxfp4-pack-quantized":
            return Scheme(
                label="MXFP4", codes="fp4", bits=4, strategy="group", group=32, weight="weight_packed", scale_dtypes=("U8", "F8_E8M0")
            )
        raise MalformedError(f"{where}: FP4 is stored as nvfp4-pack-quantized (strategy tensor_group) or mxfp4-pack-quantized")
    static = activations is not None and activations.get("dynamic") is False
    shared: dict[str, Any] = {
        "strategy": cast("Strategy", strategy), "bits": bits, "group": size if isinstance(size, int) and size > 0 else None,
        "block": tuple(block) if block else None, "is_symmetric": weights.get("symmetric", True) is not False,
        "has_order": weights.get("actorder") == "group", "input_scale": "input_scale" if static else None,
    }  # fmt: skip
    if (bits, kind) == (8, "float") and own in ("float-quantized", "naive-quantized"):
        return Scheme(label=f"FP8 ({_unit(strategy, size, block)}, {'static' if static else 'dynamic'})", codes="fp8", **shared)
    if kind == "int" and bits == 8 and own in ("int-quantized", "naive-quantized"):
        return Scheme(label=f"INT8 ({_unit(strategy, size, block)})", codes="int", **shared)
    if kind == "int" and own == "pack-quantized" and bits in (4, 8):
        return Scheme(label=f"INT{bits} ({_unit(strategy, size, block)})", codes="packed", weight="weight_packed", **shared)
    raise MalformedError(f"{where}: no engine that we know stores weights so")


def _unit(strategy: str, size: int | None, block: list[int] | None) -> str:
    if strategy == "block" and block:
        return f"blocks of {block[0]}x{block[1]}"
    return f"groups of {size}" if strategy == "group" else strategy


def _cache(scheme: Any) -> bool:
    """Are scales for the KV cache promised? Those found while running need none."""
    if scheme is not None and not isinstance(scheme, dict):
        raise MalformedError(f"kv_cache_scheme is {scheme!r}; it must be a JSON object or null")
    return isinstance(scheme, dict) and bool(scheme) and not scheme.get("dynamic")


def modelopt(raw: dict[str, Any]) -> Plan:
    """hf_quant_config.json's `quantization`, or quantization_config with quant_method modelopt; both have `quant_algo`."""
    algorithm = str(raw.get("quant_algo") or "").upper()
    ignore = tuple(map(str, raw.get("exclude_modules") or raw.get("ignore") or ()))
    wants_cache = bool(raw.get("kv_cache_quant_algo")) or isinstance(raw.get("kv_cache_scheme"), dict)
    if algorithm == "MIXED_PRECISION":
        layers = raw.get("quantized_layers")
        if not isinstance(layers, dict) or not layers:
            raise MalformedError(f"quant_algo is MIXED_PRECISION and quantized_layers is {layers!r}; name the layers")
        groups = tuple(Group([name], _algorithm(str(told.get("quant_algo", "")).upper(), told)) for name, told in layers.items())
    else:
        groups = (Group(["Linear"], _algorithm(algorithm, raw)),)
    return Plan(groups, ignore, "modelopt", wants_cache, rewrites="AWQ" if "AWQ" in algorithm else "")


def _algorithm(name: str, told: dict[str, Any]) -> Scheme:
    if name in ("NVFP4", "NVFP4_AWQ", "W4A16_NVFP4"):
        size = told.get("group_size") or 16
        if size != 16:
            raise MalformedError(f"quant_algo {name} with group_size {size}; NVFP4 has 16")
        return schemes.modelopt_nvfp4(activations=name != "W4A16_NVFP4")
    if name == "FP8":
        return schemes.modelopt_fp8()
    if name == "FP8_PER_CHANNEL_PER_TOKEN":
        return Scheme(label="FP8 (ModelOpt, channel)", codes="fp8", bits=8, strategy="channel")
    if name == "FP8_PB_WO":
        return Scheme(label="FP8 (ModelOpt, blocks)", codes="fp8", bits=8, strategy="block", block=(128, 128))
    raise MalformedError(
        f"quant_algo is {name or 'missing'}; known are NVFP4, NVFP4_AWQ, W4A16_NVFP4, FP8 and its variants, MIXED_PRECISION"
    )


def fp8(raw: dict[str, Any]) -> Plan:
    """`quant_method: fp8`: blocks where weight_block_size is given, else one scale a tensor."""
    block = raw.get("weight_block_size")
    static = raw.get("activation_scheme") == "static"
    if block is not None and not (
        isinstance(block, list) and len(block) == 2 and all(isinstance(side, int) and side > 0 for side in block)
    ):
        raise MalformedError(f"weight_block_size is {block!r}; it must be [rows, columns]")
    if block:
        scheme = schemes.block_fp8((block[0], block[1]), static=static)
    else:
        scheme = Scheme(label="FP8 (tensor)", codes="fp8", bits=8, strategy="tensor", input_scale="input_scale" if static else None)
    ignore = raw.get("modules_to_not_convert") or raw.get("ignored_layers") or ()
    return Plan((Group(["Linear"], scheme),), tuple(map(str, ignore)), "fp8", False)
