"""Names of a configuration against names of modules, by the rules of each engine path."""

from typing import Any

import pytest

from quantgate.checkpoint.matching import class_of, names, unused
from quantgate.checkpoint.names import canonical, is_expert, spellings
from tests_fixtures.doubles.made_checkpoints import plan_of

Q0 = "model.layers.0.self_attn.q_proj"
TOWER = "visual.blocks.0.attn.qkv"
EXPERT = "model.layers.0.mlp.experts.3.up_proj"


@pytest.mark.parametrize(
    ("pattern", "method", "module", "is_match"),
    [
        (Q0, "compressed-tensors", Q0, True), ("q_proj", "compressed-tensors", Q0, False), ("re:.*q_proj$", "compressed-tensors", Q0, True),
        ("re:q_proj", "compressed-tensors", Q0, False), ("re:model", "compressed-tensors", Q0, True),
        ("re:(", "compressed-tensors", Q0, False), (f"model.{TOWER}", "compressed-tensors", TOWER, True),
        (TOWER, "compressed-tensors", f"model.{TOWER}", True), ("re:visual.*", "compressed-tensors", f"model.{TOWER}", True),
        ("model.layers.0.self_attn.qkv_proj", "compressed-tensors", Q0, True),
        ("model.layers.0*", "modelopt", Q0, True), ("model.layers.0", "modelopt", Q0, True), ("model.layers.00*", "modelopt", Q0, False),
        ("layers.0.self_attn", "modelopt", Q0, True), ("*self_attn*", "modelopt", Q0, True), ("*.mlp.*", "modelopt", Q0, False),
        ("model.layers.1", "modelopt", "model.layers.11.mlp.up_proj", True), ("language_model.model.layers.0", "modelopt", Q0, True),
        (Q0, "fp8", Q0, True), ("q_proj", "fp8", Q0, False), ("model.layers.0.self_attn", "fp8", Q0, False),
        ("model.layers.0", "fp8", Q0, False),
        ("model.layers.0.mlp.experts.0.gate_proj", "fp8", EXPERT, True), ("model.layers.1.mlp.experts", "fp8", EXPERT, False),
        ("self_attn", "awq", Q0, True), ("mlp", "awq", Q0, False), (r".*\.self_attn\..*", "gptq", Q0, True), (Q0, "auto-round", Q0, True),
    ],
)  # fmt: skip
def test_patterns_match_as_the_engines_match_them(pattern: str, method: str, module: str, is_match: bool) -> None:
    assert names((pattern,), method).hold(module) is is_match
    if method != "fp8":  # of experts one entry is enough there
        assert unused([pattern], method, [module]) == ([] if is_match else [pattern])


def test_wrappers_of_multimodal_models_are_no_part_of_a_name() -> None:
    assert {canonical(name) for name in ("model.language_model.layers.0.a", "language_model.model.layers.0.a", "model.layers.0.a")} == {
        "layers.0.a"
    }
    assert (canonical("model.visual.blocks.0"), canonical("language_model.lm_head")) == ("visual.blocks.0", "lm_head")
    assert "language_model.model.layers.0.self_attn.qkv_proj" in spellings(Q0)


def test_classes_are_guessed_from_names() -> None:
    told = {name: class_of(name) for name in (Q0, "lm_head", "model.embed_tokens", EXPERT)}
    assert list(told.values()) == ["LinearBase", "ParallelLMHead", "VocabParallelEmbedding", "LinearBase"]
    assert (is_expert(EXPERT), is_expert("model.layers.0.mlp.experts"), is_expert("model.layers.0.mlp.shared_experts.up_proj")) == (
        True, True, False,
    )  # fmt: skip


FP8: dict[str, Any] = {"num_bits": 8, "type": "float", "strategy": "channel"}


def compressed(*targets: str) -> dict[str, Any]:
    groups = {"a": {"targets": list(targets), "weights": FP8}}
    return {"quant_method": "compressed-tensors", "format": "float-quantized", "config_groups": groups}


HEADS: dict[str, tuple[dict[str, Any], bool]] = {
    "compressed-tensors takes no output layer under Linear": (compressed("Linear"), False),
    "unless a target names it": (compressed("Linear", "re:.*lm_head"), True),
    "fp8 takes linears alone": ({"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}, False),
    "ModelOpt takes the output layer": ({"quant_method": "modelopt", "quant_algo": "FP8"}, True),
    "mixed precision takes it where it is listed": (
        {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "quantized_layers": {"lm_head": {"quant_algo": "FP8"}}},
        True,
    ),
    "and not elsewhere": (
        {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "quantized_layers": {Q0: {"quant_algo": "FP8"}}},
        False,
    ),
    "GPTQ says so by a key": ({"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False, "sym": True}, False),
}


@pytest.mark.parametrize("rule", HEADS)
def test_whether_an_output_layer_is_quantized(rule: str) -> None:
    quantization, is_quantized = HEADS[rule]
    assert (plan_of(quantization).of("lm_head") is not None) is is_quantized


@pytest.mark.parametrize(
    "module", ["model.layers.61.eh_proj", "model.layers.61.shared_head.head", "vision_tower.layers.0.fc1", "vision_model.a"]
)
def test_what_is_never_built_quantized_is_promised_nothing(module: str) -> None:
    assert plan_of({"quant_method": "modelopt", "quant_algo": "NVFP4"}).of(module) is None


def test_an_embedding_has_the_scheme_of_its_own_group() -> None:
    groups = {
        "linears": {"targets": ["Linear"], "weights": {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32}},
        "embedding": {"targets": ["Embedding"], "weights": {"num_bits": 8, "type": "int", "strategy": "group", "group_size": 32}},
        "attention": {"targets": ["Qwen3Attention"], "weights": None},
    }
    plan = plan_of({"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": groups})
    assert [one.label for name in ("model.embed_tokens", Q0) if (one := plan.of(name))] == ["INT8 (groups of 32)", "INT4 (groups of 32)"]


def test_experts_and_others_have_schemes_of_their_own() -> None:
    raw = {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128], "moe_quant_algo": "NVFP4"}
    assert [one.label for name in (EXPERT, Q0) if (one := plan_of(raw).of(name))] == ["NVFP4 (ModelOpt)", "FP8 (blocks of 128x128)"]
    layers = {"model.layers.0.mlp.experts": {"quant_algo": "FP8_PB_WO"}, Q0: {"quant_algo": "FP8_PB_WO"}}
    plan = plan_of({"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "quantized_layers": layers})
    shapes = [one.scale_shapes(256, 128) for name in (EXPERT, Q0) if (one := plan.scheme_of(name))]
    assert shapes == [((2, 1),), ((2, 1, 1, 1),)]
