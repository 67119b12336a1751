"""In how many bits a checkpoint asks to be computed: weights and activations, as its configuration declares them ("W4A4").

What an engine computes is another question, which its kernels answer.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quantgate.checkpoint.source import quantization
from quantgate.errors import ConfigurationError
from quantgate.fingerprint import read_json
from quantgate.records import PLAIN

MODELOPT = {
    "FP8": "W8A8",
    "FP8_PER_CHANNEL_PER_TOKEN": "W8A8",
    "FP8_PB_WO": "W8A8",  # whatever the name says (modelopt.py: "dynamic per-block activation (W8A8)")
    "NVFP4": "W4A4",
    "W4A16_NVFP4": "W4A16",
    "MXFP8": "W8A8",
}
WEIGHTS_ALONE = ("gptq", "gptq-marlin", "auto-gptq", "awq", "awq-marlin", "auto-awq", "auto-round", "moe-wna16")
HALF = 16
"""Bits from which on a module counts as left as it was."""


def declared_numerics(folder: Path) -> list[str]:
    """Each pair of bits that some quantized layer is declared to have, in the order of the configuration; `PLAIN` where nothing is
    quantized, nothing where the configuration does not tell."""
    try:
        config = read_json(folder / "config.json")
        raw = quantization(folder, config)
    except (OSError, ConfigurationError):
        return []
    if raw is None:
        return [PLAIN]
    return list(dict.fromkeys(_declared(raw, config))) if isinstance(raw, dict) else []


def _declared(raw: dict[str, Any], config: dict[str, Any]) -> Iterator[str]:
    method = str(raw.get("quant_method") or "").lower().replace("_", "-")
    if method == "compressed-tensors":
        groups = [
            one for one in (raw.get("config_groups") or {}).values() if isinstance(one, dict) and isinstance(one.get("weights"), dict)
        ]
        yield from (_pair(_bits(one["weights"]), _bits(one.get("input_activations"))) for one in groups)
        if not groups:
            yield PLAIN  # the KV cache alone is quantized
    elif method.startswith("modelopt") or "quantization" in raw:
        yield from _modelopt(raw.get("quantization", raw))
    elif method == "fp8" and config.get("model_type") != "deepseek_v4" and "moe_quant_algo" not in raw:
        yield "W8A8"
    elif method in WEIGHTS_ALONE:
        found = [raw, *(one for key in ("dynamic", "extra_config") for one in (raw.get(key) or {}).values())]
        said = [one.get("bits", one.get("w_bit")) for one in found if isinstance(one, dict)]
        yield from (_pair(bits, HALF) for bits in said if isinstance(bits, int) and bits < HALF)
    elif method in ("mxfp4", "gpt-oss-mxfp4"):
        yield "W4A16"


def _bits(told: Any) -> int:
    """Of weights or activations, as compressed-tensors has them; what is not mentioned stays as it is."""
    return int(told.get("num_bits", 8)) if isinstance(told, dict) else HALF


def _modelopt(inner: Any) -> Iterator[str]:
    algorithm = str(inner.get("quant_algo") or "").upper() if isinstance(inner, dict) else ""
    if algorithm == "MIXED_PRECISION":
        layers = inner.get("quantized_layers")
        names = [str(one.get("quant_algo") or "").upper() for one in (layers or {}).values() if isinstance(one, dict)]
        yield from (MODELOPT[name] for name in names if name in MODELOPT)
        return
    groups = inner.get("config_groups") if isinstance(inner, dict) else None
    told = [one for one in groups.values() if isinstance(one, dict)] if isinstance(groups, dict) else []
    if algorithm == "NVFP4" and told and all(one.get("input_activations") is None for one in told):
        yield "W4A16"
    elif algorithm in MODELOPT:
        yield MODELOPT[algorithm]


def _pair(weights: int, activations: int) -> str:
    return f"W{weights}A{activations}"
