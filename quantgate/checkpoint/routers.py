"""Routers of experts, by what vLLM's model class does with them: most build a plain one, some hand it the quantization as any linear."""

from collections.abc import Iterator
from typing import NamedTuple

from quantgate.checkpoint.findings import Finding
from quantgate.checkpoint.source import Source

ROUTERS = ("gate", "router", "shared_expert_gate")
PLAIN_EVERYWHERE = ("shared_expert_gate",)
"""No class of vLLM 0.32 quantizes these."""
QUANTIZING = (
    "qwen3_moe", "qwen3_vl_moe", "qwen3_vl_moe_text", "qwen3_omni_moe", "qwen3_omni_moe_thinker", "qwen3_omni_moe_text", "lfm2_moe",
    "k2_horizon",
)  # fmt: skip
"""model_type of classes that build `GateLinear(…, quant_config=quant_config)`: models/qwen3_moe.py, lfm2_moe.py, k2_horizon.py."""
PLAIN = (
    "afmoe", "axk1", "bailing_moe", "bailing_moe_v2", "cohere2_moe", "dbrx", "deepseek", "deepseek_v2", "deepseek_v3", "deepseek_v32",
    "ernie4_5_moe", "exaone_moe", "glm4_moe", "glm4_moe_lite", "gpt_oss", "granitemoe", "granitemoehybrid", "hy_v3", "interns1_pro",
    "jamba", "kimi_k2", "laguna", "llama4", "llama4_text", "longcat_flash", "mimo_v2", "mimo_v2_flash", "minicpm", "minimax_m2", "mixtral",
    "nemotron_h", "olmoe", "openpangu", "phimoe", "qwen2_moe", "qwen3_next", "qwen3_5_moe", "qwen3_5_moe_text", "sarvam", "step3_text",
    "step3p5",
)  # fmt: skip
"""model_type of classes whose `GateLinear` has no quant_config."""

OF_DEEPSEEK_V4 = "moe_quant_algo"
"""A key that vLLM's DeepSeek-V4 alone reads (models/deepseek_v4/quant_config.py); its router is plain."""


class Left(NamedTuple):
    is_damage: bool
    meaning: str


def is_router(module: str) -> bool:
    return module.rpartition(".")[2] in ROUTERS


def left_as_it_is(source: Source, module: str) -> Left | None:
    """What an unquantized module means that the configuration does not ignore; None where it is no router."""
    if not is_router(module):
        return None
    if _is_quantized_by_class(source, module):
        meaning = (
            f"vLLM's class for {_model(source)} quantizes its router as any linear: it refuses this, or copies BF16 into FP8 without a"
            " scale; add it to `ignore`"
        )
        return Left(is_damage=True, meaning=meaning)
    return Left(is_damage=False, meaning="engines keep routers as they are")


def check_quantized(source: Source, module: str, label: str) -> Iterator[Finding]:
    """A router that went through quantization with the rest."""
    if not is_router(module):
        return
    if _is_quantized_by_class(source, module):
        severity, meaning = "warning", "it is served so, and which experts are asked is decided with rounded numbers"
    elif module.rpartition(".")[2] in PLAIN_EVERYWHERE or _model(source) in PLAIN:
        severity, meaning = (
            "error",
            f"vLLM's class for {_model(source)} builds a plain router: its loader has no place for codes and scales",
        )
    else:
        severity, meaning = "warning", "most engines keep routers as they are and have no place for codes and scales"
    yield Finding(
        severity="error" if severity == "error" else "warning", area="structure", check="router-quantized", where=module, value=label,
        meaning=meaning,
    )  # fmt: skip


def _is_quantized_by_class(source: Source, module: str) -> bool:
    if _model(source) not in QUANTIZING or module.rpartition(".")[2] in PLAIN_EVERYWHERE:
        return False
    raw = source.config.get("quantization_config")
    return not (isinstance(raw, dict) and raw.get(OF_DEEPSEEK_V4))


def _model(source: Source) -> str:
    """The text model's, where one stands inside another."""
    inner = source.config.get("text_config")
    told = inner.get("model_type") if isinstance(inner, dict) else None
    return str(told or source.config.get("model_type"))
