"""Rotary settings: equal where the library builds the same angles of them, whichever version wrote them down."""

import json
from typing import Any

import pytest

from quantgate.checkpoint.rotary import angles, apart

Config = dict[str, Any]
LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
GEMMA4 = {
    "model_type": "gemma3_text",
    "rope_theta": 1_000_000,
    "rope_local_base_freq": 10_000,
    "rope_scaling": {"factor": 8, "rope_type": "linear"},
}
GEMMA5 = {
    "model_type": "gemma3_text", "rope_parameters": {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    },
}  # fmt: skip
SAME: dict[str, tuple[Config, Config]] = {
    "a theta beside or inside": ({"rope_theta": 1_000_000}, {"rope_parameters": {"rope_theta": 1e6, "rope_type": "default"}}),
    "type and rope_type": (
        {"rope_theta": 5e5, "rope_scaling": {"type": "yarn", **LLAMA3}},
        {"rope_parameters": {"rope_type": "yarn", "rope_theta": 5e5, **LLAMA3}},
    ),
    "su is longrope": (
        {"rope_theta": 1e4, "rope_scaling": {"type": "su", **LLAMA3}},
        {"rope_theta": 1e4, "rope_scaling": {"rope_type": "longrope", **LLAMA3}},
    ),
    "layers with a window": (GEMMA4, GEMMA5),
    "Gemma 3 by its class alone": (
        {"model_type": "gemma3_text"},
        GEMMA5
        | {
            "rope_parameters": {
                "full_attention": {"rope_type": "default", "rope_theta": 1e6},
                "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
            }
        },
    ),
    "the part of a head beside or inside": (
        {"rope_theta": 1e4, "partial_rotary_factor": 0.5},
        {"rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.5}},
    ),
    "a part that the class knows": (
        {"model_type": "glm4", "rope_theta": 1e4},
        {"model_type": "glm4", "rope_theta": 1e4, "partial_rotary_factor": 0.5},
    ),
    "a theta that the class knows": ({"model_type": "mixtral"}, {"model_type": "mixtral", "rope_parameters": {"rope_theta": 1e6}}),
    "a length that is the model's": (
        {"rope_theta": 1e6, "max_position_embeddings": 4096, "rope_scaling": {"type": "yarn", "factor": 4.0}},
        {"rope_parameters": {"rope_theta": 1e6, "rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 4096}},
    ),
    "GPT-NeoX's own names": (
        {"model_type": "gpt_neox", "rotary_pct": 0.25, "rotary_emb_base": 10_000},
        {"model_type": "gpt_neox", "rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.25}},
    ),
    "one for all layers, written for each": (
        {"rope_theta": 1e4},
        {"rope_parameters": {kind: {"rope_theta": 1e4, "rope_type": "default"} for kind in ("full_attention", "sliding_attention")}},
    ),
    "none in either": ({"model_type": "mamba"}, {"model_type": "mamba", "rope_scaling": None}),
}


@pytest.mark.parametrize("way", SAME)
def test_the_same_angles_are_equal_however_they_are_written(way: str) -> None:
    one, other = SAME[way]
    assert apart(angles(one), angles(other)) is None
    assert apart(angles(other), angles(one)) is None


def inside(kind: str, **settings: Any) -> Config:
    found: Config = json.loads(json.dumps(GEMMA5))
    found["rope_parameters"][kind].update(settings)
    return found


OTHERS: dict[str, tuple[Config, Config, str]] = {
    "theta": ({"rope_theta": 1e4}, {"rope_theta": 1e6}, "rope_theta 10000.0"),
    "a theta lost to the class's": (
        {"model_type": "llama", "rope_theta": 5e5},
        {"model_type": "llama", "rope_scaling": {"rope_type": "default"}},
        "rope_theta 500000.0",
    ),
    "scaling lost": ({"rope_theta": 1e4, "rope_scaling": {"rope_type": "llama3", **LLAMA3}}, {"rope_theta": 1e4}, "rope_type llama3"),
    "another factor": (
        {"rope_theta": 1e4, "rope_scaling": {"type": "yarn", "factor": 4.0}},
        {"rope_theta": 1e4, "rope_scaling": {"type": "yarn", "factor": 8.0}},
        "factor 4.0",
    ),
    "full attention's theta": (GEMMA4, inside("full_attention", rope_theta=1e4), "full_attention.rope_theta 1000000"),
    "the window's theta": (GEMMA4, inside("sliding_attention", rope_theta=1e6), "sliding_attention.rope_theta 10000"),
    "part of a head": ({"rope_theta": 1e4, "partial_rotary_factor": 0.5}, {"rope_theta": 1e4}, "partial_rotary_factor 0.5"),
}


@pytest.mark.parametrize("way", OTHERS)
def test_other_angles_are_told_by_the_setting(way: str) -> None:
    one, other, told = OTHERS[way]
    found = apart(angles(one), angles(other))
    assert found is not None
    assert found[0].startswith(told)


SIZES = {
    "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "num_hidden_layers": 6, "intermediate_size": 64,
    "vocab_size": 128, "max_position_embeddings": 8192,
}  # fmt: skip
WRITTEN_BY_4: list[Config] = [
    GEMMA4, {"model_type": "gemma3_text"}, {"model_type": "gemma2"}, {"model_type": "mixtral"}, {"model_type": "glm4"},
    {"model_type": "llama", "rope_theta": 5e5, "rope_scaling": {"rope_type": "llama3", **LLAMA3}},
    {"model_type": "qwen2", "rope_theta": 1e6, "rope_scaling": {"type": "yarn", "factor": 4.0}},
    {"model_type": "qwen3", "rope_theta": 1_000_000}, {"model_type": "qwen3_next", "rope_theta": 1e7, "partial_rotary_factor": 0.25},
    {"model_type": "gpt_oss", "rope_theta": 150_000, "rope_scaling": {"rope_type": "yarn", "factor": 32.0, "truncate": False}},
    {"model_type": "olmo3", "rope_theta": 5e5, "rope_scaling": {"rope_type": "yarn", "factor": 8.0}},
    {"model_type": "deepseek_v3", "rope_theta": 1e4, "rope_scaling": {"type": "yarn", "factor": 40, "mscale": 1.0}},
    {"model_type": "gpt_neox", "rotary_pct": 0.25, "rotary_emb_base": 10_000}, {"model_type": "smollm3", "rope_theta": 5e6},
    {"model_type": "minimax_m2", "rotary_dim": 8, "rope_theta": 5_000_000}, {"model_type": "stablelm"}, {"model_type": "phi3"},
]  # fmt: skip


@pytest.mark.thorough
def test_transformers_itself_builds_the_same_angles() -> None:
    transformers = pytest.importorskip("transformers")
    for told in WRITTEN_BY_4:
        config = SIZES | told
        built = json.loads(json.dumps(transformers.AutoConfig.for_model(**json.loads(json.dumps(config))).to_dict()))
        assert apart(angles(config), angles(built)) is None, told
