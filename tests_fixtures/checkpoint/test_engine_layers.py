"""Which layers stand for all: first, last, one of each kind, and those that the configuration names."""

from pathlib import Path

import numpy as np

from quantgate.checkpoint.engine.engine_probe import layers
from tests_fixtures.doubles.made_checkpoints import change, configure, make_pair


def test_a_small_checkpoint_is_read_whole(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "nvfp4", layers=6)
    assert layers.choose(folder) is None
    assert layers.is_chosen("model.layers.3.mlp.up_proj.weight", None)


def test_first_last_and_one_of_each_kind(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "nvfp4", layers=8)
    assert layers.choose(folder, many=10) == {0, 7}
    change(folder, lambda tensors: tensors.pop("model.layers.4.mlp.up_proj.input_global_scale"))
    assert layers.choose(folder, many=10) == {0, 4, 7}
    wide = ("BF16", np.zeros((4, 4), np.uint16))
    change(folder, lambda tensors: tensors.update({f"model.layers.{layer}.mlp.gate.weight": wide for layer in (2, 5)}))
    assert layers.choose(folder, many=10) == {0, 2, 4, 7}


def test_a_layer_that_the_configuration_names_is_read(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "nvfp4", layers=8)
    configure(folder, lambda raw: raw["quantization_config"].update(ignore=["lm_head", "re:model.layers\\.6\\..*"]))
    assert layers.choose(folder, many=10) == {0, 6, 7}
    everywhere = [f"model.layers.{layer}.mlp.gate" for layer in range(8)]
    configure(folder, lambda raw: raw["quantization_config"].update(ignore=everywhere))
    assert layers.choose(folder, many=10) == {0, 7}


def test_a_name_without_a_layer_belongs_to_all() -> None:
    assert layers.is_chosen("lm_head.weight", {0})
    assert layers.is_chosen("model.layers.0.mlp.experts.12.up_proj.weight", {0})
    assert not layers.is_chosen("model.language_model.layers.12.mlp.up_proj.weight", {0})
    assert layers.layer_of("transformer.h.11.attn.weight") == 11
