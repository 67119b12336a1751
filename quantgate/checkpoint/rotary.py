"""Rotary settings by meaning: what transformers itself builds of a configuration, whichever version wrote it.

Version 4 has `rope_theta`, `rope_scaling` and, for layers with a window, `rope_local_base_freq`; version 5 has `rope_parameters`,
flat or nested by kind of layer, and fills in the defaults of the model's class (`RotaryEmbeddingConfigMixin`).
"""

from typing import Any

KEYS = (
    "rope_parameters", "rope_scaling", "rope_theta", "rope_local_base_freq", "partial_rotary_factor", "rotary_pct", "rotary_emb_base",
    "original_max_position_embeddings",
)  # fmt: skip
NEW_NAMES = {"su": "longrope", "mrope": "default"}
STRETCHED = ("llama3", "yarn", "longrope")
"""Kinds that scale from the length of training, which is max_position_embeddings where nothing else is said."""
LOCAL = {"gemma3_text": 1e4, "gemma3n_text": 1e4, "t5gemma2_text": 1e4, "embedding_gemma2": 1e4}
"""model_type → theta of layers with a window; scaling is for the others alone."""
SCALED_WITHOUT_WINDOW = ("olmo3",)
"""The same, with one theta."""
THETAS = {
    1e4: (
        "llama", "mistral", "ministral", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "qwen3_next", "qwen3_5_text", "qwen3_5_moe_text",
        "gemma", "gemma2", "phi", "phi3", "deepseek_v2", "deepseek_v3", "glm", "glm4", "glm4_moe", "olmo", "olmo2", "granite",
        "granitemoe", "stablelm", "nemotron", "starcoder2", "falcon", "gpt_neox", "persimmon",
    ),
    2.5e4: ("fuyu",), 1e5: ("helium",), 1.5e5: ("gpt_oss",),
    5e5: (
        "bitnet", "cohere", "ernie4_5", "ernie4_5_moe", "flex_olmo", "llama4_text", "mllama_text_model", "olmo3", "qwen3_vl_text",
        "qwen3_vl_moe_text",
    ),
    1e6: (
        "cwm", "emu3_text_model", "gemma3_text", "gemma3n_text", "t5gemma2_text", "embedding_gemma2", "lfm2", "lfm2_moe", "minimax",
        "mixtral", "phimoe", "qwen2_vl_text", "qwen2_5_vl_text", "qwen2_5_omni_text", "qwen3_omni_moe_text", "solar_open",
    ),
    2e6: ("smollm3",), 5e6: ("minimax_m2", "minimax_m3_vl_text"), 1e7: ("longcat_flash",), 11_158_840.0: ("hy_v3",), 1.2e7: ("apertus",),
}  # fmt: skip
"""Theta of a class that is told none → model_type; others are not known here."""
PARTS = dict.fromkeys(
    ("nemotron", "glm", "glm4", "glm4_moe", "glm4v_moe_text", "phi", "persimmon", "fuyu", "recurrent_gemma"), 0.5
) | dict.fromkeys(("qwen3_next", "qwen3_5_text", "qwen3_5_moe_text", "stablelm", "gpt_neox"), 0.25)
"""model_type → the share of a head that is rotated, where it is not all of it."""

Angles = dict[str, Any]


def angles(config: dict[str, Any]) -> dict[str, Angles]:
    """Kind of layer → rotary settings; one kind, "", where all layers have the same. Nothing where the model says nothing of them."""
    model = str(config.get("model_type"))
    if not any(config.get(key) is not None for key in KEYS[:5]) and not any(model in models for models in THETAS.values()):
        return {}
    told = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(told, dict):
        return {"": {"unreadable": str(told)}}
    nested = {kind: dict(one) for kind, one in told.items() if isinstance(one, dict)}
    if nested:
        return {kind: _complete(config, one, config.get("rope_theta")) for kind, one in nested.items()}
    local = config.get("rope_local_base_freq") or LOCAL.get(model)
    theta = next((one for key in ("rope_theta", "rotary_emb_base") if (one := config.get(key)) is not None), None)
    if local is None and model not in SCALED_WITHOUT_WINDOW:
        return {"": _complete(config, dict(told), theta)}
    return {
        "full_attention": _complete(config, dict(told), theta),
        "sliding_attention": _complete(config, {}, theta if local is None else local),
    }


def apart(one: dict[str, Angles], other: dict[str, Angles]) -> tuple[str, str] | None:
    """The first setting that differs, as each has it; None where the angles are the same. "unset": left to a default we do not know."""
    for kind in sorted(({*one, *other} - {""}) or {""}):
        first, second = one.get(kind, one.get("", {})), other.get(kind, other.get("", {}))
        for key in sorted(first.keys() | second.keys(), key=lambda key: (key != "rope_type", key)):
            if first.get(key) != second.get(key):
                where = f"{kind}.{key}" if kind else key
                return f"{where} {first.get(key, 'unset')}", f"{where} {second.get(key, 'unset')}"
    return None


def _complete(config: dict[str, Any], told: Angles, theta: Any) -> Angles:
    """One kind's settings under the names of version 5, with what the class fills in."""
    found = {key: value for key, value in told.items() if value is not None and key != "type"}
    kind = str(told.get("rope_type") or told.get("type") or "default")
    found["rope_type"] = NEW_NAMES.get(kind, kind)
    model = str(config.get("model_type"))
    if found.get("rope_theta") is None:
        theta = theta if theta is not None else next((one for one, models in THETAS.items() if model in models), None)
        found |= {"rope_theta": theta} if theta is not None else {}
    share = next((one for key in ("partial_rotary_factor", "rotary_pct") if (one := config.get(key)) is not None), None)
    if share is None and isinstance(config.get("rotary_dim"), int) and isinstance(config.get("head_dim"), int):
        share = config["rotary_dim"] / config["head_dim"]
    found.setdefault("partial_rotary_factor", PARTS.get(model, 1.0) if share is None else share)
    if found["rope_type"] in STRETCHED:
        length = config.get("original_max_position_embeddings") or found.get("original_max_position_embeddings")
        length = length or config.get("max_position_embeddings")
        found |= {"original_max_position_embeddings": length} if length is not None else {}
    return {key: float(value) if isinstance(value, int) and not isinstance(value, bool) else value for key, value in found.items()}
