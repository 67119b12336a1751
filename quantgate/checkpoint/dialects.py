"""Ways of writing down how a model was quantized: compressed-tensors, ModelOpt, and the `fp8` of Qwen and DeepSeek.

Each function takes the raw configuration and returns a Plan. What vLLM refuses raises RefusedError with vLLM's rule; what only
we do not read is a Plan with something Unread in it.
"""

from collections import defaultdict
from typing import Any, cast

from quantgate.checkpoint import schemes
from quantgate.checkpoint.names import canonical
from quantgate.checkpoint.plan import Group, Plan, RefusedError, Unread
from quantgate.checkpoint.schemes import FLOATS, Scheme, Strategy

STRATEGIES = ("tensor", "channel", "group", "tensor_group", "block")
ACTIVATION_FORMATS = ("naive-quantized", "int-quantized", "float-quantized", "nvfp4-pack-quantized")
"""In which vLLM looks for schemes of eight bits (compressed_tensors/utils.py, is_activation_quantization_format)."""
MODELOPT_ALGORITHMS = ("FP8", "FP8_PER_CHANNEL_PER_TOKEN", "FP8_PB_WO", "NVFP4", "W4A16_NVFP4", "MXFP8", "MIXED_PRECISION")
IN_OWN_FILE = ("FP8", "FP8_PER_CHANNEL_PER_TOKEN", "FP8_PB_WO", "NVFP4")
"""That vLLM takes from hf_quant_config.json, or from `quantization` inside config.json, where the producer is modelopt."""


def compressed_tensors(raw: dict[str, Any]) -> Plan:
    """`config_groups`: each with targets, weights, input_activations and, in mixed-precision checkpoints, a format of its own.
    None of them: the KV cache alone is quantized. `quantization_status` says nothing about what is stored."""
    groups = raw.get("config_groups") or {}
    if not isinstance(groups, dict):
        raise RefusedError(f"config_groups is {groups!r}; it must be a JSON object", "groups have names")
    if isinstance(sparsity := raw.get("sparsity_config"), dict) and sparsity.get("targets"):
        raise RefusedError(f"sparsity_config targets {sparsity['targets']}", "it no longer reads sparse checkpoints")
    found = []
    for name, group in groups.items():
        targets = group.get("targets") if isinstance(group, dict) else None
        if not isinstance(targets, list) or not targets:
            raise RefusedError(f"config_groups.{name}.targets is {targets!r}; name at least one module or class", "it looks for targets")
        if len(targets) == 1 and str(targets[0]).endswith("Attention"):
            continue  # goes with the KV cache's scales
        if not isinstance(group.get("weights"), dict):
            raise RefusedError(f"config_groups.{name} has no weights; say how its targets are stored", "only attention may lack them")
        found.append(Group(tuple(map(str, targets)), _compressed(name, group, group.get("format") or raw.get("format"))))
    rotations = _rotations(raw.get("transform_config"))
    return Plan(
        tuple(found), tuple(map(str, raw.get("ignore") or ())), "compressed-tensors", _cache(raw.get("kv_cache_scheme")),
        rewrites="a rotation (transform_config)" if rotations else "", rotations=rotations,
    )  # fmt: skip


def _compressed(name: str, group: dict[str, Any], own: str | None) -> Scheme | Unread:
    weights, activations = group["weights"], group.get("input_activations")
    bits, kind, strategy = weights.get("num_bits", 8), weights.get("type", "int"), weights.get("strategy")
    size, block = weights.get("group_size"), weights.get("block_structure")
    strategy = strategy or ("group" if (size or 0) > 0 else "channel" if size == -1 else "tensor")
    where = f"config_groups.{name}.weights: {bits} bits, type {kind}, strategy {strategy}, format {own}"
    if strategy not in STRATEGIES:
        raise RefusedError(f"{where}: strategy is none of {', '.join(STRATEGIES)}", "it has these strategies for weights")
    if strategy in ("group", "tensor_group") and not (isinstance(size, int) and size > 0):
        raise RefusedError(f"{where}: group_size is {size!r}; groups need one above 0", "groups have a size")
    if strategy == "block" and not (isinstance(block, list) and len(block) == 2):
        raise RefusedError(f"{where}: block_structure is {block!r}; blocks need [rows, columns]", "blocks have a size")
    if weights.get("actorder") in (True, "group", "dynamic"):
        raise RefusedError(f"{where}: actorder {weights['actorder']!r}; weight or static order is read", "it no longer reads this order")
    is_symmetric = weights.get("symmetric", True) is not False
    is_static = _is_static(where, strategy, activations)
    if (bits, kind) == (4, "float"):
        return _fp4(where, strategy, size, activations, is_symmetric=is_symmetric)
    shared: dict[str, Any] = {
        "strategy": cast("Strategy", strategy), "bits": bits, "group": size if isinstance(size, int) and size > 0 else None,
        "block": tuple(block) if block else None, "is_symmetric": is_symmetric, "input_scale": "input_scale" if is_static else None,
        "optional": ("input_zero_point",) if is_static else (),
    }  # fmt: skip
    if (bits, kind) == (8, "float"):
        if strategy == "group" and size == 32 and "uint8" in str(weights.get("scale_dtype")):
            return schemes.mxfp8()
        if own in ACTIVATION_FORMATS and strategy in ("tensor", "channel", "block"):
            return Scheme(label=f"FP8 ({_unit(strategy, size, block)}, {'static' if is_static else 'dynamic'})", codes="fp8", **shared)
    if kind == "int" and own == "pack-quantized" and strategy in ("channel", "group") and bits in range(2, 9):
        return Scheme(label=f"INT{bits} ({_unit(strategy, size, block)})", codes="packed", weight="weight_packed", **shared)
    if kind == "int" and bits == 8 and own in ACTIVATION_FORMATS:
        return Scheme(label=f"INT8 ({_unit(strategy, size, block)})", codes="int", **shared)
    if kind == "int" and own in ACTIVATION_FORMATS:
        return Unread(f"INT{bits} in {own}")
    raise RefusedError(f"{where}: no engine that we know stores weights so", "no scheme of it fits")


def _is_static(where: str, strategy: str, activations: Any) -> bool:
    """Whether a scale for activations is stored: where `dynamic` is left out it means false (QuantizationArgs)."""
    if not isinstance(activations, dict) or activations.get("dynamic"):
        return False
    if activations.get("strategy") == "token":
        raise RefusedError(f"{where}; activations: strategy token without dynamic", "tokens are scaled while it runs")
    if strategy == "block":
        raise RefusedError(f"{where} with static activations", "blocks go with dynamic activations")
    return True


def _fp4(where: str, strategy: str, size: int | None, activations: Any, *, is_symmetric: bool) -> Scheme:
    if strategy == "tensor_group" and size == 16 and is_symmetric:
        if activations is not None and (activations.get("num_bits", 8), activations.get("type", "int")) != (4, "float"):
            raise RefusedError(f"{where} with other activations", "NVFP4's activations are NVFP4, or not quantized")
        return schemes.nvfp4(activations=activations is not None)
    if strategy == "group" and size == 32 and is_symmetric:
        return schemes.mxfp4()
    if strategy == "tensor_group" and size != 16:
        raise RefusedError(f"{where}: group_size is {size}; NVFP4 has 16", "no scheme of it fits")
    told = "FP4 is stored as NVFP4 (strategy tensor_group, 16) or MXFP4 (strategy group, 32), symmetric"
    raise RefusedError(f"{where}: {told}", "no scheme of it fits")


def _unit(strategy: str, size: int | None, block: list[int] | None) -> str:
    if strategy == "block" and block:
        return f"blocks of {block[0]}x{block[1]}"
    return f"groups of {size}" if strategy == "group" else strategy


def _cache(scheme: Any) -> bool:
    """Are scales for the KV cache promised? Those found while running need none."""
    if scheme is not None and not isinstance(scheme, dict):
        raise RefusedError(f"kv_cache_scheme is {scheme!r}; it must be a JSON object or null", "it reads the scheme's keys")
    return isinstance(scheme, dict) and bool(scheme) and not scheme.get("dynamic")


def _rotations(told: Any) -> tuple[str, ...]:
    """Last parts of the tensors of online rotations: `R4_input`, for a rotation of what a linear is given."""
    groups = told.get("config_groups") if isinstance(told, dict) else None
    return tuple(f"{name}_{where}" for name in groups or () for where in ("input", "output", "weight_input", "weight_output"))


def modelopt(raw: dict[str, Any]) -> Plan:
    """hf_quant_config.json (its keys inside `quantization`), or quantization_config with quant_method modelopt."""
    inner = raw.get("quantization", raw)
    is_nested = "quantization" in raw
    if not isinstance(inner, dict):
        raise RefusedError(f"quantization is {inner!r}; it must be a JSON object", "it reads quant_algo there")
    algorithm = str(inner.get("quant_algo") or "").upper()
    _check_modelopt(raw, inner, algorithm, is_nested=is_nested)
    ignore = inner.get("exclude_modules" if is_nested else "ignore") or ()
    cache = inner.get("kv_cache_quant_algo") if is_nested else raw.get("kv_cache_scheme")
    wants_cache = bool(cache) if is_nested else isinstance(cache, dict) and (cache.get("type"), cache.get("num_bits")) == ("float", 8)
    if algorithm == "MIXED_PRECISION":
        return Plan(tuple(_mixed(inner.get("quantized_layers"))), tuple(map(str, ignore)), "modelopt-mixed", wants_cache)
    others = Group(("Linear", "ParallelLMHead"), _algorithm(algorithm, inner), "others")
    experts = Group(("Linear",), _algorithm(algorithm, inner, experts=True), "experts")
    return Plan((others, experts), tuple(map(str, ignore)), "modelopt", wants_cache)


def _check_modelopt(raw: dict[str, Any], inner: dict[str, Any], algorithm: str, *, is_nested: bool) -> None:
    """What vLLM asks before it reads anything (modelopt.py, model_arch_config_convertor.py)."""
    known = ", ".join(MODELOPT_ALGORITHMS)
    producer = raw.get("producer")
    is_named = isinstance(producer, dict) and producer.get("name") == "modelopt"
    if not algorithm:
        raise RefusedError(f"quant_algo is missing; known are {known}", "it looks for quant_algo")
    if algorithm not in MODELOPT_ALGORITHMS:
        raise RefusedError(f"quant_algo is {algorithm}; known are {known}", f"its ModelOpt algorithms are {known}")
    if not is_nested:
        return
    if is_named and algorithm not in IN_OWN_FILE:
        rule = f"of hf_quant_config.json, or `quantization` in config.json, it takes {', '.join(IN_OWN_FILE)}"
        raise RefusedError(f"quant_algo {algorithm} inside `quantization`; write its keys into config.json's quantization_config", rule)
    if not is_named and not str(raw.get("quant_method", "")).lower().startswith("modelopt") and "modelopt_quant_config" not in inner:
        raise RefusedError("neither quant_method nor producer.name says modelopt; add one", "it takes the model for unquantized")
    wanted = {"NVFP4": ("group_size", "kv_cache_quant_algo", "exclude_modules"), "MXFP8": ("kv_cache_quant_algo", "exclude_modules")}
    if missing := [key for key in wanted.get(algorithm, ()) if key not in inner]:
        told = f"quant_algo {algorithm} without {', '.join(missing)}; add them (null where there is none)"
        raise RefusedError(told, "it wants these keys")


def _mixed(layers: Any) -> list[Group]:
    """One group for each scheme, of the modules (or parents of modules) that `quantized_layers` names."""
    if not isinstance(layers, dict) or not layers:
        told = f"quant_algo is MIXED_PRECISION and quantized_layers is {layers!r}; name the layers"
        raise RefusedError(told, "it wants quantized_layers")
    together: dict[tuple[str, Any], set[str]] = defaultdict(set)
    for name, one in layers.items():
        if not isinstance(one, dict) or not isinstance(one.get("quant_algo"), str):
            value = f"quantized_layers.{name} has no quant_algo; each layer names its own"
            raise RefusedError(value, "it finds no layer quantized, and no place for their tensors")
        together[one["quant_algo"].upper(), one.get("group_size")].add(name)
    found = []
    for (algorithm, size), modules in together.items():
        own = {"group_size": size}
        trees = frozenset(map(canonical, modules))
        for only in ("others", "experts"):
            found.append(Group((), _algorithm(algorithm, own, experts=only == "experts"), only, trees))
    return found


def _algorithm(name: str, told: dict[str, Any], *, experts: bool = False) -> Scheme | Unread:
    if name in ("NVFP4", "W4A16_NVFP4"):
        size = told.get("group_size") or 16
        if size != 16:
            raise RefusedError(f"quant_algo {name} with group_size {size}; NVFP4 has 16", "its kernels have groups of 16")
        groups = told.get("config_groups")
        is_weight_only = (
            isinstance(groups, dict)
            and groups
            and all(isinstance(one, dict) and one.get("input_activations") is None for one in groups.values())
        )
        return schemes.modelopt_nvfp4(activations=name == "NVFP4" and not is_weight_only)
    if name == "FP8":
        return schemes.modelopt_fp8()
    if name == "FP8_PER_CHANNEL_PER_TOKEN":
        return Scheme(label="FP8 (ModelOpt, channel)", codes="fp8", bits=8, strategy="channel")
    if name in ("FP8_PB_WO", "FP8_BLOCK_SCALES"):
        return schemes.modelopt_block_fp8(int(told.get("group_size") or 128), experts=experts)
    return schemes.mxfp8() if name == "MXFP8" else Unread(f"ModelOpt's {name}")


def fp8(raw: dict[str, Any], model: dict[str, Any] | None = None) -> Plan:
    """`quant_method: fp8`: blocks where weight_block_size is given, else one scale a tensor. `model`: config.json, which says more
    of DeepSeek-V4: scales are called `scale` and are powers of two, experts are MXFP4 or (moe_quant_algo) NVFP4."""
    block, activations = raw.get("weight_block_size"), raw.get("activation_scheme")
    if activations not in ("static", "dynamic"):
        raise RefusedError(f"activation_scheme is {activations!r}; it is static or dynamic", "it wants activation_scheme")
    if block is not None and not (
        isinstance(block, list) and len(block) == 2 and all(isinstance(side, int) and side > 0 for side in block)
    ):
        raise RefusedError(f"weight_block_size is {block!r}; it must be [rows, columns]", "blocks have two sides")
    if block and activations == "static":
        raise RefusedError("weight_block_size with activation_scheme static; blocks go with dynamic", "blocks go with dynamic activations")
    ignore = tuple(map(str, raw.get("ignored_layers") or raw.get("modules_to_not_convert") or ()))
    if not block:
        static = activations == "static"
        scheme = Scheme(label="FP8 (tensor)", codes="fp8", bits=8, strategy="tensor", input_scale="input_scale" if static else None)
        return Plan((Group(("Linear",), scheme),), ignore, "fp8")
    sides, model = (block[0], block[1]), model or {}
    is_v4, are_fp4 = model.get("model_type") == "deepseek_v4", model.get("expert_dtype", "fp4") == "fp4"
    blocks = schemes.block_fp8(sides)
    if is_v4:
        blocks = schemes.block_fp8(sides, scale="scale", scale_dtypes=("F8_E8M0",) if are_fp4 else FLOATS)
    experts = blocks
    if str(raw.get("moe_quant_algo") or "").upper() == "NVFP4":
        experts = schemes.modelopt_nvfp4()
    elif is_v4 and are_fp4:
        experts = schemes.mxfp4(weight="weight", scale="scale")
    return Plan((Group(("Linear",), blocks, "others"), Group(("Linear",), experts, "experts")), ignore, "fp8")
