"""Input scales by rule, every number worked out by hand on weights of one size, 128 wide."""

from collections.abc import Callable
from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from quantgate.checkpoint import Tensor, bf16, inspect_checkpoint
from quantgate.errors import ConfigurationError
from quantgate.quantize.repair import repair
from tests_fixtures.doubles.made_checkpoints import change, configure, make_pair, read

LAYER = "model.layers.0"
ONE_IN_E4M3, TOP_OF_E4M3 = 0x38, 0x7E
N = 128

Tensors = dict[str, Tensor]


def plainly(tensors: Tensors) -> None:
    """Every weight 1/4, up_proj's 1/2; gains of 1, one of 3 before attention; of 2 before the MLP; no input scale was written."""
    for name, (_, raw) in tensors.items():
        part = name.rpartition(".")[2]
        if part == "weight_packed":
            raw.fill(0x44 if "up_proj" in name else 0x22)  # two codes of 2.0, or of 1.0
        elif part == "weight_scale":
            raw.fill(ONE_IN_E4M3)
        elif part == "weight_global_scale":
            raw.fill(4.0)
        elif part == "input_global_scale":
            raw.fill(np.nan)
    tensors[f"{LAYER}.input_layernorm.weight"] = bf16(np.array([3.0, *[1.0] * (N - 1)], np.float32))
    tensors[f"{LAYER}.post_attention_layernorm.weight"] = bf16(np.full(N, 2.0, np.float32))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder, _ = make_pair(tmp_path, "nvfp4", layers=1)
    return change(configure(folder, lambda raw: raw.update(hidden_act="silu")), plainly)


ATTENTION = sqrt(N) * 3  # sqrt(n) times the largest gain
VALUES = sqrt(N) * sqrt(127 * 0.25**2 + (3 * 0.25) ** 2)  # sqrt(n) times a row of v_proj behind the norm
MLP = sqrt(N) * 2
PRODUCTS = 64.0 * 128.0  # (sqrt(n) · 0.5 · sqrt(n)) · (sqrt(n) · 1.0 · sqrt(n)): rows of gate_proj and of up_proj behind the norm


def test_each_linear_gets_the_bound_of_what_stands_before_it(checkpoint: Path) -> None:
    told = repair(checkpoint)
    wanted = {
        **dict.fromkeys((f"{LAYER}.self_attn.{name}" for name in ("q_proj", "k_proj", "v_proj")), ATTENTION),
        f"{LAYER}.self_attn.o_proj": VALUES,
        **dict.fromkeys((f"{LAYER}.mlp.{name}" for name in ("gate_proj", "up_proj")), MLP),
        f"{LAYER}.mlp.down_proj": PRODUCTS,
    }
    assert told.largest_inputs == pytest.approx(wanted, rel=1e-6)
    stored = read(checkpoint)
    for name, largest in wanted.items():
        dtype, raw = stored[f"{name}.input_global_scale"]
        assert dtype == "F32"
        assert float(raw.item()) == pytest.approx(448 * 6 / largest, rel=1e-6)


def test_parts_that_run_as_one_get_one_value(checkpoint: Path) -> None:
    repair(checkpoint)
    found = read(checkpoint)
    scales = {name: found[f"{LAYER}.{name}.input_global_scale"][1].tobytes() for name in ("self_attn.q_proj", "self_attn.k_proj")}
    assert len(set(scales.values())) == 1


def test_nothing_but_the_input_scales_is_touched(checkpoint: Path) -> None:
    before = read(checkpoint)
    size = (checkpoint / "model.safetensors").stat().st_size
    repair(checkpoint)
    after = read(checkpoint)
    assert (checkpoint / "model.safetensors").stat().st_size == size
    changed = {name for name, (_, raw) in after.items() if raw.tobytes() != before[name][1].tobytes()}
    assert changed == {name for name in after if name.endswith("input_global_scale")}


def test_a_bias_of_the_values_is_added_to_their_bound(checkpoint: Path) -> None:
    bias = np.zeros(N, np.float32)
    bias[3] = -5.0
    change(checkpoint, lambda tensors: tensors.__setitem__(f"{LAYER}.self_attn.v_proj.bias", bf16(bias)))
    assert repair(checkpoint).largest_inputs[f"{LAYER}.self_attn.o_proj"] == pytest.approx(VALUES + 5.0)


def test_one_channel_far_above_the_others_does_not_take_the_range_from_them(checkpoint: Path) -> None:
    # Channel 0 of gate_proj is 448 times the others: its bound would be 448 · 8,192, the median channel's product is 64.
    change(checkpoint, lambda tensors: tensors[f"{LAYER}.mlp.gate_proj.weight_scale"][1].__setitem__(0, TOP_OF_E4M3))
    assert repair(checkpoint).largest_inputs[f"{LAYER}.mlp.down_proj"] == pytest.approx(28_672 / 4 * 64)


def test_weights_that_were_left_in_bf16_count_as_they_are(checkpoint: Path) -> None:
    value = f"{LAYER}.self_attn.v_proj"

    def unquantize(tensors: Tensors) -> None:
        for part in ("weight_packed", "weight_scale", "weight_global_scale", "input_global_scale"):
            del tensors[f"{value}.{part}"]
        tensors[f"{value}.weight"] = bf16(np.full((N, N), 0.5, np.float32))

    configure(change(checkpoint, unquantize), lambda raw: raw["quantization_config"].update(ignore=["lm_head", value]))
    told = repair(checkpoint)
    assert told.largest_inputs[f"{LAYER}.self_attn.o_proj"] == pytest.approx(2 * VALUES)
    assert value not in told.largest_inputs


def test_what_is_written_passes_the_structural_check(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "nvfp4", layers=2)

    def forget(tensors: Tensors) -> None:
        for name, (_, raw) in tensors.items():
            if name.endswith("input_global_scale"):
                raw.fill(np.nan)

    change(folder, forget)
    assert {one.check for one in inspect_checkpoint(folder, base).findings} == {"input-scale"}
    repair(folder)
    assert inspect_checkpoint(folder, base).findings == []


def test_a_checkpoint_without_input_scales_has_nothing_to_repair(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "nvfp4a16", layers=1)
    with pytest.raises(ConfigurationError, match="the recipe made no input_global_scale; leave it out"):
        repair(folder)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda tensors: tensors.pop(f"{LAYER}.input_layernorm.weight"), "the rule needs model.layers.0.input_layernorm.weight, which"),
        (lambda tensors: tensors[f"{LAYER}.post_attention_layernorm.weight"][1].fill(0), "the rule gives 0.0 for model.layers.0.mlp."),
    ],
    ids=["no norm", "norm of zeros"],
)
def test_where_the_rule_gives_nothing_it_says_so_and_writes_nothing(edit: Callable[[Tensors], object], said: str, checkpoint: Path) -> None:
    change(checkpoint, edit)
    before = (checkpoint / "model.safetensors").read_bytes()
    with pytest.raises(ConfigurationError, match=said):
        repair(checkpoint)
    assert (checkpoint / "model.safetensors").read_bytes() == before
