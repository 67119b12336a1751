"""Experts in one tensor are looked into; experts that calibration never reached are named; routers by what the model's class does."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from quantgate.checkpoint.encoding import Tensor, encode
from quantgate.checkpoint.inspection import inspect_checkpoint
from quantgate.checkpoint.schemes import modelopt_nvfp4
from tests_fixtures.doubles.made_checkpoints import change, configure
from tests_fixtures.doubles.made_experts import CHANNEL, FP8, NVFP4, fused_nvfp4, make, original, quantized, together

COUNT = 4
GATE_UP = "model.layers.1.mlp.experts.gate_up_proj"
Edit = Callable[[dict[str, Tensor]], object]


def seen(folder: Path, base: Path | None = None) -> dict[str, str]:
    """Check → severity; errors and warnings."""
    return {one.check: one.severity for one in inspect_checkpoint(folder, base).findings if one.severity != "note"}


@pytest.fixture
def fused(tmp_path: Path) -> tuple[Path, Path]:
    """(checkpoint, original), both with one tensor for all experts."""
    whole = together(original(COUNT), COUNT, transposed=True)
    ignored = NVFP4 | {"ignore": ["lm_head", "*self_attn*", "*.mlp.gate"]}
    return make(tmp_path, "fused", fused_nvfp4(whole), COUNT, ignored), make(tmp_path, "original", whole, COUNT, None)


def test_experts_in_one_tensor_are_no_other_tensor_than_the_base_s(fused: tuple[Path, Path]) -> None:
    folder, base = fused
    assert seen(folder) == {}
    assert seen(folder, base) == {}
    assert "not-looked-inside" not in {one.check for one in inspect_checkpoint(folder).findings}


def put(end: str, value: float, where: tuple[int, ...]) -> Edit:
    return lambda tensors: tensors[f"{GATE_UP}{end}"][1].__setitem__(where, value)


DAMAGE: dict[str, tuple[str, Edit]] = {
    "a NaN among FP8 scales": ("scale-not-finite", put("_weight_scale", 0x7F, (2, 1, 7))),
    "a NaN in the second scale": ("scale-not-finite", put("_weight_scale_2", math.nan, (1,))),
    "a second scale of 0": ("scale-zero", put("_weight_scale_2", 0.0, (1,))),
    "a negative second scale": ("scale-negative", put("_weight_scale_2", -1.0, (3,))),
    "FP8 scales of 0": ("scale-zero", lambda tensors: tensors[f"{GATE_UP}_weight_scale"][1].fill(0)),
    "an input scale never written": ("input-scale", put("_input_scale", math.nan, (0,))),
    "an input scale of 0": ("input-scale", put("_input_scale", 0.0, (0,))),
}


@pytest.mark.parametrize("way", DAMAGE)
def test_scales_of_experts_in_one_tensor_are_read(way: str, fused: tuple[Path, Path]) -> None:
    check, edit = DAMAGE[way]
    assert seen(change(fused[0], edit)) == {check: "error"}


def test_an_expert_of_zeros_is_named(fused: tuple[Path, Path]) -> None:
    assert seen(change(fused[0], lambda tensors: tensors[GATE_UP][1].__setitem__(2, 0))) == {"rows-zero": "warning"}


def test_experts_in_one_tensor_are_decoded_and_compared(fused: tuple[Path, Path]) -> None:
    folder, base = fused

    def doubled(tensors: dict[str, Tensor]) -> None:
        tensors[f"{GATE_UP}_weight_scale_2"][1][...] *= 2

    assert seen(change(folder, doubled), base) == {"experts-fidelity": "error"}


def test_linears_are_compared_with_experts_that_the_base_keeps_in_one_tensor(tmp_path: Path) -> None:
    tensors = original(COUNT)
    base = make(tmp_path, "original", together(tensors, COUNT), COUNT, None)
    folder = make(tmp_path, "split", quantized(tensors, CHANNEL), COUNT, FP8)
    assert seen(folder, base) == {}

    def doubled(changed: dict[str, Tensor]) -> None:
        changed["model.layers.1.mlp.experts.2.up_proj.weight_scale"][1][...] *= 2

    report = inspect_checkpoint(change(folder, doubled), base)
    found = {one.check: one.where for one in report.findings if one.severity == "error"}
    assert found == {"fidelity-scaled": "model.layers.1.mlp.experts.2.up_proj"}


def calibrated(root: Path, name: str, claims: Callable[[int, str], float], count: int = 16) -> Path:
    """NVFP4 experts whose input scales claim what `claims` says of (expert, projection)."""
    tensors = original(count)
    said = {
        f"model.layers.{layer}.mlp.experts.{expert}.{part}_proj": claims(expert, part)
        for layer in range(2) for expert in range(count) for part in ("gate", "up", "down")
    }  # fmt: skip
    ignored = NVFP4 | {"ignore": ["lm_head", "*self_attn*", "*.mlp.gate"]}
    return make(root, name, quantized(tensors, modelopt_nvfp4(), said), count, ignored)


def apart(expert: int, part: str) -> float:
    return 2 + 0.3 * expert + (5 if part == "down" else 0)


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("each its own", apart),
        ("one for all", lambda _, part: 5.0 if part == "down" else 4.0),
        ("one input for all, outputs apart", lambda expert, part: apart(expert, part) if part == "down" else 4.0),
        ("two that agree", lambda expert, part: apart(max(expert, 1), part)),
        ("two in one projection", lambda expert, part: apart(max(expert, 1), part) if part == "down" else apart(expert, part)),
    ],
)
def test_experts_with_scales_of_their_own_or_one_for_all_are_calibrated(
    name: str, claims: Callable[[int, str], float], tmp_path: Path
) -> None:
    assert seen(calibrated(tmp_path, name, claims)) == {}


@pytest.mark.parametrize("reached", [2, 6, 9])
def test_experts_that_share_one_fallback_were_never_reached(reached: int, tmp_path: Path) -> None:
    folder = calibrated(tmp_path, "x", lambda expert, part: apart(expert, part) if expert < reached else 3.0)
    report = inspect_checkpoint(folder)
    found = next(one for one in report.findings if one.check == "experts-uncalibrated")
    assert (found.severity, found.count) == ("warning", 2)
    assert found.value.startswith(f"{16 - reached} of 16 experts ({reached}, {reached + 1}, ")


def routed(root: Path, model_type: str, *, ignored: bool, is_quantized: bool) -> Path:
    tensors = quantized(original(COUNT), modelopt_nvfp4())
    if is_quantized:
        for layer in range(2):
            name = f"model.layers.{layer}.mlp.gate"
            weights = np.asarray(tensors.pop(f"{name}.weight")[1].astype(np.uint32) << 16).view(np.float32)
            tensors.update({f"{name}.{part}": tensor for part, tensor in encode(modelopt_nvfp4(), weights).items()})
    more = ["*.mlp.gate"] if ignored else []
    return make(root, model_type, tensors, COUNT, NVFP4 | {"ignore": ["lm_head", "*self_attn*", *more]}, model_type=model_type)


@pytest.mark.parametrize(
    ("model_type", "ignored", "is_quantized", "found"),
    [
        ("qwen3_moe", False, False, {"not-quantized": "error"}),  # its class wants FP4, and BF16 is stored
        ("lfm2_moe", False, False, {"not-quantized": "error"}),
        ("qwen3_moe", True, False, {}),
        ("qwen3_moe", False, True, {"router-quantized": "warning"}),
        ("qwen2_moe", False, False, {}),  # its class builds a plain one, whatever the configuration says
        ("mixtral", False, False, {}),
        ("qwen2_moe", False, True, {"router-quantized": "error"}),
        ("deepseek_v3", False, True, {"router-quantized": "error"}),
        ("somebody_s_moe", False, True, {"router-quantized": "warning"}),
        ("somebody_s_moe", False, False, {}),
    ],
)
def test_a_router_is_judged_by_what_the_model_s_class_does_with_it(
    model_type: str, ignored: bool, is_quantized: bool, found: dict[str, str], tmp_path: Path
) -> None:
    assert seen(routed(tmp_path, model_type, ignored=ignored, is_quantized=is_quantized)) == found


def test_a_router_of_a_vision_model_s_text_is_known_by_the_text_s_type(tmp_path: Path) -> None:
    folder = routed(tmp_path, "qwen3_moe", ignored=False, is_quantized=False)
    configure(folder, lambda raw: raw.update(model_type="qwen3_vl_moe", text_config={"model_type": "qwen3_vl_moe_text"}))
    assert seen(folder) == {"not-quantized": "error"}


def test_a_router_of_deepseek_v4_s_form_is_plain_under_any_model_s_name(tmp_path: Path) -> None:
    folder = routed(tmp_path, "qwen3_moe", ignored=False, is_quantized=False)
    blocks = {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [32, 32], "ignored_layers": ["lm_head"]}
    configure(folder, lambda raw: raw.update(quantization_config=blocks | {"moe_quant_algo": "NVFP4"}))
    plain = {one.where for one in inspect_checkpoint(folder).findings if (one.check, one.severity) == ("not-quantized", "note")}
    assert plain == {"model.layers.0.mlp.gate"}
