"""Over how many devices a checkpoint can be spread, by its configuration alone or by its weights."""

import json
from pathlib import Path
from typing import Any

import pytest

from fixtures.shapes import make
from quantgate.checkpoint import why_not_spread
from quantgate.errors import ConfigurationError
from tests_fixtures.doubles.made_checkpoints import configure, make_pair

ROWS = "29,568 / {} = {} rows of gate_proj are no multiple of 128; tensor parallelism that works: 1"
MOE = {"num_attention_heads": 32, "num_key_value_heads": 4, "hidden_size": 2048, "head_dim": 128, "intermediate_size": 6144}


def described(folder: Path, config: dict[str, Any]) -> Path:
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.mark.parametrize(("count", "each"), [(2, "14,784"), (4, "7,392"), (8, "3,696")])
def test_blocks_of_the_72b_shape_cannot_be_cut(count: int, each: str) -> None:
    assert why_not_spread(make.HERE / "qwen2.5-72b" / "fp8", count) == ROWS.format(count, each)


@pytest.mark.parametrize("precision", ["bf16", "fp8-dynamic", "nvfp4"])
def test_what_has_no_blocks_can(precision: str) -> None:
    assert [why_not_spread(make.HERE / "qwen2.5-72b" / precision, count) for count in (1, 2, 4, 8)] == [None] * 4


def test_one_device_takes_anything() -> None:
    assert why_not_spread(make.HERE / "qwen2.5-72b" / "fp8", 1) is None


def test_blocks_that_can_be_cut_are_no_reason() -> None:
    assert [why_not_spread(make.HERE / "qwen3-32b" / "fp8", count) for count in (2, 4, 8)] == [None] * 3


def test_heads_are_shared_out_evenly_or_not_at_all() -> None:
    told = "64 attention heads cannot be shared out evenly over 3 devices; tensor parallelism that works: 1, 2, 4, 8"
    assert why_not_spread(make.HERE / "qwen2.5-72b" / "bf16", 3) == told


def test_a_text_model_inside_another_is_found(tmp_path: Path) -> None:
    raw = make.config("qwen2.5-72b", "fp8")
    inside = {"quantization_config": raw.pop("quantization_config"), "text_config": raw}
    assert why_not_spread(described(tmp_path, inside), 2) == ROWS.format(2, "14,784")


def test_experts_have_a_width_of_their_own(tmp_path: Path) -> None:
    raw = MOE | {"moe_intermediate_size": 768, "quantization_config": make.FP8_BLOCK}
    told = "768 / 4 = 192 rows of gate_proj are no multiple of 128; tensor parallelism that works: 1, 2"
    assert why_not_spread(described(tmp_path, raw), 2) is None
    assert why_not_spread(tmp_path, 4) == told


def test_what_is_ignored_may_have_any_width(tmp_path: Path) -> None:
    raw = MOE | {"intermediate_size": 6000, "quantization_config": make.FP8_BLOCK}
    assert why_not_spread(described(tmp_path, raw), 2) is not None
    raw["quantization_config"] = make.FP8_BLOCK | {
        "modules_to_not_convert": [f"model.layers.0.mlp.{part}_proj" for part in ("gate", "up", "down")]
    }
    assert why_not_spread(described(tmp_path, raw), 2) is None


def test_weights_tell_better_than_their_configuration(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "qwen-fp8", layers=1, hidden=1024, intermediate=640)
    configure(folder, lambda raw: raw.update(num_attention_heads=8, num_key_value_heads=1, intermediate_size=512))
    assert why_not_spread(folder, 4) == "640 / 4 = 160 rows of gate_proj are no multiple of 128; tensor parallelism that works: 1"


def test_a_configuration_that_says_nothing_of_sizes_is_no_reason(tmp_path: Path) -> None:
    assert why_not_spread(described(tmp_path, {"quantization_config": make.FP8_BLOCK}), 2) is None
    assert why_not_spread(described(tmp_path, {"num_attention_heads": 8, "quantization_config": make.FP8_BLOCK}), 2) is None


def test_a_folder_without_configuration_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"config\.json is missing$"):
        why_not_spread(tmp_path, 2)
