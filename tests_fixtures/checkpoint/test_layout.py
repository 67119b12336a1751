"""Layers against each other and against the base: what plan and configuration do not promise is missed by nobody."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantgate.checkpoint.findings import Finding
from quantgate.checkpoint.inspection import inspect_checkpoint
from tests_fixtures.doubles.made_checkpoints import FORMATS, change, configure, make_pair, read

FP8_LAYER = "model.layers.0."


def found(folder: Path, base: Path | None = None) -> dict[str, Finding]:
    return {one.check: one for one in inspect_checkpoint(folder, base).findings if one.severity != "note"}


def leave_alone(folder: Path, base: Path, keep: Callable[[str], bool]) -> None:
    """The linears that `keep` names are the base's."""
    originals = read(base)

    def edit(tensors: dict[str, Any]) -> None:
        for name in [name for name in tensors if keep(name) and name.rpartition(".")[0] + ".weight" in originals and "norm" not in name]:
            del tensors[name]
        tensors.update({name: tensor for name, tensor in originals.items() if keep(name)})

    change(folder, edit)


IGNORED: dict[str, tuple[str, str, list[str]]] = {
    "fp8-dynamic": ("ignore", FP8_LAYER, [r"re:model.layers.0\..*"]),
    "nvfp4": ("ignore", FP8_LAYER, [r"re:model.layers.0\..*"]),
    "modelopt-nvfp4": ("ignore", f"{FP8_LAYER}self_attn", ["model.layers.0.self_attn*"]),
    "modelopt-fp8": ("ignore", f"{FP8_LAYER}self_attn", ["layers.0.self_attn"]),
    "qwen-fp8": (
        "modules_to_not_convert", f"{FP8_LAYER}self_attn", [f"{FP8_LAYER}self_attn.{part}_proj" for part in "qkvo"],
    ),
    "int3": ("ignore", f"{FP8_LAYER}mlp", ["re:.*layers.0.mlp.*"]),
}  # fmt: skip


@pytest.mark.parametrize("form", IGNORED)
def test_a_layer_in_another_precision_lacks_nothing(form: str, tmp_path: Path) -> None:
    key, stem, patterns = IGNORED[form]
    folder, base = make_pair(tmp_path, form, layers=3)
    configure(folder, lambda raw: raw["quantization_config"].update({key: patterns}))
    leave_alone(folder, base, lambda name: name.startswith(stem))
    assert (found(folder, base), found(folder)) == ({}, {})


def test_a_parent_s_name_ignores_nothing_under_fp8(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "qwen-fp8", layers=3)
    configure(folder, lambda raw: raw["quantization_config"].update(modules_to_not_convert=["model.layers.0"]))
    leave_alone(folder, base, lambda name: name.startswith(FP8_LAYER))
    assert {check: one.count for check, one in found(folder, base).items()} == {"not-quantized": 7}


def test_layers_that_share_keys_and_values_store_none(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "fp8-dynamic", layers=4)
    change(folder, lambda t: [t.pop(name) for name in list(t) if name.startswith("model.layers.3.self_attn.k_proj")])
    change(folder, lambda t: [t.pop(name) for name in list(t) if name.startswith("model.layers.3.self_attn.v_proj")])
    assert found(folder, base)["tensor-missing"].count == 2
    configure(folder, lambda raw: raw.update(num_kv_shared_layers=1))
    configure(base, lambda raw: raw.update(num_kv_shared_layers=1))
    assert (found(folder, base), found(folder)) == ({}, {})


def test_layers_without_a_part_that_the_configuration_takes_away_are_whole(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "bf16", layers=4)
    change(folder, lambda t: [t.pop(name) for name in list(t) if name.startswith("model.layers.2.mlp.")])
    assert found(folder)["tensor-missing"].count == 3
    blocks = [{"attention": {"no_op": False}, "ffn": {"no_op": layer == 2}} for layer in range(4)]
    assert found(configure(folder, lambda raw: raw.update(block_configs=blocks))) == {}


def test_layers_of_one_kind_are_compared_with_their_like(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "bf16", layers=4)
    change(folder, lambda t: t.update({f"model.layers.{i}.self_attn.sinks": ("BF16", np.ones(4, np.uint16)) for i in (1, 2, 3)}))
    assert found(folder)["tensor-missing"].where == "model.layers.0.self_attn.sinks"
    kinds = ["sliding_attention", "full_attention", "full_attention", "full_attention"]
    assert found(configure(folder, lambda raw: raw.update(layer_types=kinds))) == {}


def test_several_layers_that_lack_the_same_are_only_a_warning(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "bf16", layers=6)
    change(folder, lambda t: t.update({f"model.layers.{i}.indexer.weight": ("BF16", np.ones(4, np.uint16)) for i in (1, 3, 4, 5)}))
    seen = found(folder)
    assert {check: (one.severity, one.count) for check, one in seen.items()} == {"layers-differ": ("warning", 2)}


def test_a_promised_layer_of_multi_token_prediction_is_missed_with_a_warning(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "fp8-dynamic", layers=3)
    configure(folder, lambda raw: raw.update(num_nextn_predict_layers=1))
    assert found(folder)["mtp-missing"].severity == "warning"
    change(folder, lambda t: t.update({"mtp.norm.weight": ("BF16", np.full(128, 0x3F80, np.uint16))}))
    assert found(folder) == {}


def test_an_output_layer_that_no_engine_builds_quantized_may_stay_as_it_is(tmp_path: Path) -> None:
    for form in ("fp8-dynamic", "qwen-fp8", "nvfp4"):
        folder, base = make_pair(tmp_path / form, form, layers=2)
        for one in (folder, base):
            change(one, lambda t: t.update({"lm_head.weight": ("BF16", np.full((64, 128), 0x3C00, np.uint16))}))
            configure(one, lambda raw: raw.update(tie_word_embeddings=False))
        configure(folder, lambda raw: raw["quantization_config"].update(ignore=[], modules_to_not_convert=[]))
        assert found(folder, base) == {}
    configure(folder, lambda raw: raw.update(quantization_config=FORMATS["modelopt-nvfp4"] | {"ignore": []}))
    assert "not-quantized" in found(folder, base)


def test_a_base_under_another_version_s_names_is_the_same_model(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "fp8-dynamic", layers=2)
    change(folder, lambda t: [t.update({name.replace("model.", "model.language_model.", 1): t.pop(name)}) for name in list(t)])
    report = inspect_checkpoint(folder, base)
    assert ([one for one in report.findings if one.severity != "note"], len(report.worst)) == ([], 10)
    change(folder, lambda t: t.pop("model.language_model.layers.1.input_layernorm.weight"))
    assert found(folder, base)["tensor-missing"].where == "model.layers.1.input_layernorm.weight"


def test_a_structural_fault_draws_no_second_error(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "fp8-dynamic", layers=3)
    change(folder, lambda t: t.pop("model.layers.1.mlp.up_proj.weight_scale"))
    assert {check: one.count for check, one in found(folder, base).items()} == {"tensor-missing": 1}
