"""GPTQ, AWQ and AutoRound: integers packed along the inputs or along the outputs, as their own libraries write them.

Rules: vLLM's auto_gptq.py, auto_awq.py and inc/inc.py. An engine takes for unquantized what these checkpoints store so.
"""

from typing import Any

from quantgate.checkpoint import schemes
from quantgate.checkpoint.plan import Group, Plan, RefusedError, Unread
from quantgate.checkpoint.schemes import Scheme

AUTO_ROUND_FORMATS = ("auto_round:auto_gptq", "auto_round:auto_awq", "auto_round:fp8", "auto_round:llm_compressor")
FLOATING_BITS = 16


def gptq(raw: dict[str, Any]) -> Plan:
    """`dynamic`: patterns of modules that are left alone (`-:`), or have other bits or groups (`+:`)."""
    _want(raw, ("bits", "group_size", "desc_act", "sym"))
    if raw.get("checkpoint_format", "gptq") != "gptq":
        return Plan(unread=Unread(f"GPTQ in checkpoint_format {raw['checkpoint_format']}"))
    base = _gptq(raw, {})
    dynamic = raw.get("dynamic") if isinstance(raw.get("dynamic"), dict) else {}
    ignore = tuple(pattern[2:] for pattern in dynamic or {} if pattern.startswith("-:"))
    named = [(pattern.removeprefix("+:"), told) for pattern, told in (dynamic or {}).items() if not pattern.startswith("-:")]
    groups = tuple(Group((pattern,), _gptq(raw, told if isinstance(told, dict) else {})) for pattern, told in named)
    targets = ("Linear", "ParallelLMHead") if raw.get("lm_head") else ("Linear",)
    return Plan((*groups, Group(targets, base)), ignore, "gptq", iterates="GPTQ", follows_files=True)


def _gptq(raw: dict[str, Any], own: dict[str, Any]) -> Scheme:
    told = {**raw, **own}
    bits, symmetric = told["bits"], told["sym"]
    if (bits, symmetric) not in ((4, True), (8, True)):
        raise RefusedError(f"GPTQ with bits {bits!r} and sym {symmetric!r}", "it reads 4 and 8 bits, symmetric")
    return schemes.gptq(bits, _group(told["group_size"]), ordered=bool(told["desc_act"]))


def awq(raw: dict[str, Any]) -> Plan:
    """AutoAWQ's; weights were rescaled before they were rounded."""
    bits, size = raw.get("w_bit", raw.get("bits")), raw.get("q_group_size", raw.get("group_size"))
    if bits != 4:
        raise RefusedError(f"AWQ with bits {bits!r}", "it reads 4 bits")
    if size is None or "zero_point" not in raw:
        raise RefusedError("AWQ without group_size or zero_point; write both", "it wants these keys")
    if str(raw.get("version", "gemm")).lower() != "gemm":
        return Plan(unread=Unread(f"AWQ in version {raw['version']}"))
    scheme = schemes.gptq(4, _group(size), form="awq", symmetric=False, label="AWQ")
    ignore = tuple(map(str, raw.get("modules_to_not_convert") or ()))
    return Plan((Group(("Linear",), scheme),), ignore, "awq", rewrites="AWQ", follows_files=True)


def auto_round(raw: dict[str, Any]) -> Plan:
    """`extra_config`: modules with bits of their own; 16 and more means that they are left alone."""
    _want(raw, ("bits", "group_size"))
    packing, kind = raw.get("packing_format") or "auto_round:auto_gptq", raw.get("data_type", "int")
    if raw["bits"] not in range(2, 9):
        raise RefusedError(f"AutoRound with bits {raw['bits']!r}", "it reads 2 to 8 bits")
    if packing not in AUTO_ROUND_FORMATS:
        raise RefusedError(f"packing_format is {packing}; known are {', '.join(AUTO_ROUND_FORMATS)}", "it has these forms")
    if kind != "int" or packing not in AUTO_ROUND_FORMATS[:2]:
        return Plan(unread=Unread(f"AutoRound in {packing}, {kind}"))
    extra = raw.get("extra_config") if isinstance(raw.get("extra_config"), dict) else {}
    own = {name: told for name, told in (extra or {}).items() if isinstance(told, dict)}
    ignore = tuple(name for name, told in own.items() if told.get("bits", FLOATING_BITS) >= FLOATING_BITS)
    groups = [Group((name,), _auto_round({**raw, **told}, packing)) for name, told in own.items() if name not in ignore]
    groups.append(Group(("Linear",), _auto_round(raw, packing)))
    return Plan(tuple(groups), ignore, "auto-round", iterates="AutoRound", follows_files=True)


def _auto_round(told: dict[str, Any], packing: str) -> Scheme:
    if packing == "auto_round:auto_awq":
        return schemes.gptq(told["bits"], _group(told["group_size"]), form="awq", symmetric=False, label="AutoRound")
    return schemes.gptq(told["bits"], _group(told["group_size"]), symmetric=told.get("sym", True) is not False, label="AutoRound")


def _group(size: Any) -> int | None:
    return size if isinstance(size, int) and size > 0 else None


def _want(raw: dict[str, Any], keys: tuple[str, ...]) -> None:
    if missing := [key for key in keys if key not in raw]:
        raise RefusedError(f"{raw.get('quant_method')} without {', '.join(missing)}", "it wants these keys")
