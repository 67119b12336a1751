"""What vLLM refuses at once is an error with its rule, one and no more; what it takes in a form that looks odd is none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantgate.checkpoint.findings import Finding
from quantgate.checkpoint.inspection import inspect_checkpoint
from tests_fixtures.doubles.made_checkpoints import AWQ, FORMATS, change, configure, make_pair


def found(folder: Path, base: Path | None = None, tensor_parallel: int | None = None) -> dict[str, Finding]:
    return {one.check: one for one in inspect_checkpoint(folder, base, tensor_parallel).findings if one.severity != "note"}


def weights(**changed: Any) -> Callable[[dict[str, Any]], object]:
    return lambda q: q["config_groups"]["group_0"]["weights"].update(changed)


GPTQ = FORMATS["gptq"]
REFUSED: dict[str, tuple[str, dict[str, Any], Callable[[dict[str, Any]], object]]] = {
    "known are FP8": ("quant_algo is NVFP4_AWQ", FORMATS["modelopt-nvfp4"], lambda q: q.update(quant_algo="NVFP4_AWQ")),
    "it looks for quant_algo": ("quant_algo is missing", FORMATS["modelopt-nvfp4"], lambda q: q.pop("quant_algo")),
    "it no longer reads this order": ("actorder 'group'", FORMATS["int4"], weights(actorder="group")),
    "no longer reads this order": ("actorder True", FORMATS["int4"], weights(actorder=True)),
    "it no longer reads sparse checkpoints": (
        "sparsity_config targets", FORMATS["fp8-dynamic"], lambda q: q.update(sparsity_config={"targets": ["Linear"]}),
    ),
    "no scheme of it fits": ("strategy group", FORMATS["nvfp4"], weights(strategy="group")),
    "scheme of it fits": ("strategy tensor", FORMATS["int4"], weights(strategy="tensor", group_size=None)),
    "only attention may lack them": ("has no weights", FORMATS["fp8-dynamic"], lambda q: q["config_groups"]["group_0"].pop("weights")),
    "it reads the scheme's keys": ("kv_cache_scheme is 'FP8'", FORMATS["fp8-dynamic"], lambda q: q.update(kv_cache_scheme="FP8")),
    "tokens are scaled while it runs": (
        "strategy token", FORMATS["fp8-static"], lambda q: q["config_groups"]["group_0"]["input_activations"].update(strategy="token"),
    ),
    "are NVFP4, or not quantized": (
        "with other activations", FORMATS["nvfp4"], lambda q: q["config_groups"]["group_0"].update(input_activations={"dynamic": True}),
    ),
    "it wants activation_scheme": ("activation_scheme is None", FORMATS["qwen-fp8"], lambda q: q.pop("activation_scheme")),
    "blocks go with dynamic activations": ("static", FORMATS["qwen-fp8"], lambda q: q.update(activation_scheme="static")),
    "it reads 4 and 8 bits, symmetric": ("sym False", GPTQ, lambda q: q.update(sym=False)),
    "4 and 8 bits, symmetric": ("bits 3", GPTQ, lambda q: q.update(bits=3)),
    "it wants these keys": ("gptq without desc_act", GPTQ, lambda q: q.pop("desc_act")),
    "it reads 4 bits": ("bits 8", AWQ, lambda q: q.update(bits=8)),
    "it has no such method": ("quant_method is bitnet", GPTQ, lambda q: q.update(quant_method="bitnet")),
}  # fmt: skip


@pytest.mark.parametrize("rule", REFUSED)
def test_a_refused_configuration_is_one_error_with_its_rule(rule: str, tmp_path: Path) -> None:
    value, form, edit = REFUSED[rule]
    folder, base = make_pair(tmp_path, json.loads(json.dumps(form)), layers=2)
    configure(folder, lambda raw: edit(raw["quantization_config"]))
    for original in (None, base):
        seen = found(folder, original)
        assert list(seen) == ["quantization-config"]
        assert value in seen["quantization-config"].value
        assert seen["quantization-config"].meaning.startswith("vLLM 0.32 refuses it: ")
        assert rule in f"{seen['quantization-config'].meaning} {seen['quantization-config'].value}"


TAKEN: dict[str, tuple[str, Callable[[dict[str, Any]], object]]] = {
    "status frozen": ("fp8-dynamic", lambda q: q.update(quantization_status="frozen")),
    "sparsity without targets": ("fp8-dynamic", lambda q: q.update(sparsity_config={"format": "dense"})),
    "actorder weight": ("int4", weights(actorder="weight")),
    "underscore for hyphen": ("fp8-dynamic", lambda q: q.update(quant_method="compressed_tensors")),
    "lower case": ("modelopt-nvfp4", lambda q: q.update(quant_algo="nvfp4")),
    "an attention group": ("fp8-dynamic", lambda q: q["config_groups"].update(a={"targets": ["LlamaAttention"], "weights": None})),
}


@pytest.mark.parametrize("form", TAKEN)
def test_what_the_engine_takes_is_no_fault(form: str, tmp_path: Path) -> None:
    name, edit = TAKEN[form]
    folder, base = make_pair(tmp_path, name, layers=2)
    assert found(configure(folder, lambda raw: edit(raw["quantization_config"])), base) == {}


def own_file(folder: Path, **told: Any) -> Path:
    (folder / "hf_quant_config.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


ALONE: dict[str, tuple[str, dict[str, Any]]] = {
    "without kv_cache_quant_algo": ("quant_algo NVFP4", {"quant_algo": "NVFP4", "group_size": 16, "exclude_modules": []}),
    "write its keys into config.json": ("MIXED_PRECISION", {"quant_algo": "MIXED_PRECISION", "quantized_layers": {"a": {}}}),
    "inside `quantization`": ("W4A16_NVFP4", {"quant_algo": "W4A16_NVFP4", "group_size": 16, "exclude_modules": []}),
}


@pytest.mark.parametrize("told", ALONE)
def test_hf_quant_config_alone_must_hold_what_vllm_asks_of_it(told: str, tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "modelopt-nvfp4", layers=1)
    configure(folder, lambda raw: raw.pop("quantization_config"))
    value, quantization = ALONE[told]
    own_file(folder, producer={"name": "modelopt"}, quantization=quantization)
    seen = found(folder)["quantization-config"]
    assert (value in seen.value, told in seen.value, seen.where) == (True, True, "hf_quant_config.json")


def test_two_files_that_disagree_are_a_warning(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "modelopt-nvfp4", layers=2)
    quantization = {"quant_algo": "NVFP4", "group_size": 16, "kv_cache_quant_algo": None, "exclude_modules": ["lm_head"]}
    assert found(own_file(folder, quantization=quantization), base) == {}
    quantization["exclude_modules"] = ["model.layers.1*"]
    seen = found(own_file(folder, quantization=quantization), base)["files-disagree"]
    assert (seen.severity, seen.value) == (
        "warning", "NVFP4 (ModelOpt) in config.json, not quantized in hf_quant_config.json, 7 modules",
    )  # fmt: skip


def test_layer_types_have_one_entry_a_layer(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "fp8-dynamic", layers=3)
    configure(folder, lambda raw: raw.update(layer_types=["full_attention"] * 2))
    assert found(folder)["config-layer_types"].value == "layer_types has 2 entries, num_hidden_layers is 3"
    configure(folder, lambda raw: raw.update(layer_types=["full_attention"] * 3))
    assert found(folder) == {}


@pytest.mark.parametrize(("kind", "severity"), [("hadamard", "warning"), ("random-matrix", "error")])
def test_a_rotation_that_is_not_stored_is_named(kind: str, severity: str, tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "nvfp4", layers=2)
    apply = [{"targets": ["re:.*down_proj$"], "location": "input"}, {"targets": ["re:.*down_proj$"], "location": "weight_input"}]
    told = {"config_groups": {"R4": {"type": kind, "apply": apply}}}
    configure(folder, lambda raw: raw["quantization_config"].update(transform_config=told))
    assert found(folder)["rotation-missing"].severity == severity
    matrix = ("BF16", np.full((256, 256), 0x3F80, np.uint16))
    change(folder, lambda t: t.update({f"model.layers.{i}.mlp.down_proj.R4_input.weight": matrix for i in range(2)}))
    assert found(folder) == {}


def test_a_method_that_vllm_takes_only_when_told_is_a_warning(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "fp8-dynamic", layers=1)
    configure(folder, lambda raw: raw.update(quantization_config={"quant_method": "fbgemm_fp8"}))
    assert {check: one.severity for check, one in found(folder).items()} == {"deprecated-method": "warning"}


def test_a_quantizer_s_own_tensors_are_refused(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "modelopt-nvfp4", layers=1)
    name = "model.layers.0.self_attn.q_proj.weight_quantizer._double_scale"
    change(folder, lambda t: t.update({name: ("F32", np.ones(1, np.float32))}))
    assert found(folder)["tensor-leaked"].where == name
    assert found(configure(folder, lambda raw: raw.update(model_type="cohere2"))) == {}


def test_blocks_across_joined_matrices_are_refused(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "qwen-fp8", layers=1, intermediate=320)
    seen = found(folder)["block-shape"]
    assert (seen.where, seen.value) == ("model.layers.0.mlp.gate_proj", "320 rows, blocks of 128")


@pytest.mark.parametrize(
    ("asked", "told"), [(1, None), (2, None), (4, "640 / 4 = 160 rows of gate_proj are no multiple of 128"), (8, "640 / 8 = 80 rows")]
)
def test_blocks_that_devices_cannot_share_are_a_warning_that_says_what_works(asked: int, told: str | None, tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "qwen-fp8", layers=1, hidden=1024, intermediate=512 if told is None else 640)
    configure(folder, lambda raw: raw.update(num_attention_heads=8, num_key_value_heads=1))
    seen = found(folder, None, asked)
    assert list(seen) == ([] if told is None else ["tensor-parallel"])
    if told is not None:
        assert seen["tensor-parallel"].severity == "warning"
        assert told in seen["tensor-parallel"].value
        assert seen["tensor-parallel"].meaning == "vLLM 0.32 refuses it; tensor parallelism that works: 1"
