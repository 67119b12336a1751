"""Scales and codes: each limit from the format's mathematics, each with a value on either side."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from quantgate.checkpoint.encoding import Tensor
from quantgate.checkpoint.findings import Finding
from quantgate.checkpoint.inputs import claimed_activation
from quantgate.checkpoint.inspection import inspect_checkpoint
from quantgate.checkpoint.source import open_source
from quantgate.checkpoint.structure import check_linears
from tests_fixtures.doubles.made_checkpoints import change, configure, make_pair

Edit = Callable[[dict[str, Tensor]], object]
O1, Q1, K1 = (f"model.layers.1.self_attn.{part}_proj" for part in "oqk")


def found(folder: Path, edit: Edit, base: Path | None = None) -> dict[str, Finding]:
    """Check → finding; errors and warnings."""
    return {one.check: one for one in inspect_checkpoint(change(folder, edit), base).findings if one.severity != "note"}


def put(name: str, value: float) -> Edit:
    def edit(tensors: dict[str, Tensor]) -> None:
        tensors[name][1][...] = value

    return edit


@pytest.fixture
def nvfp4(tmp_path: Path) -> Path:
    return make_pair(tmp_path, "nvfp4", seed=11, hidden=256)[0]


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0, -3.0])
def test_a_global_scale_that_is_no_positive_number_is_an_error(value: float, nvfp4: Path) -> None:
    seen = found(nvfp4, put(f"{O1}.weight_global_scale", value))
    assert seen["global-scale"].where == f"{O1}.weight_global_scale"
    assert seen["global-scale"].severity == "error"


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0, -3.0])
def test_an_input_scale_that_is_no_positive_number_is_an_error(value: float, nvfp4: Path) -> None:
    assert list(found(nvfp4, put(f"{O1}.input_global_scale", value))) == ["input-scale"]


def test_a_divisor_stored_as_a_factor_is_known_by_the_weights_it_makes(nvfp4: Path) -> None:
    # Weights of about 0.15: a divisor of about 18,000. As a factor: 5.6e-5, which makes the largest weight 0.15 · 18,000².
    seen = found(nvfp4, lambda tensors: np.reciprocal(tensors[f"{O1}.weight_global_scale"][1], out=tensors[f"{O1}.weight_global_scale"][1]))
    assert "a factor where a divisor is meant" in seen["weights-too-large"].meaning


def test_a_factor_stored_as_a_divisor_is_known_too(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "modelopt-nvfp4", layers=2)
    seen = found(folder, lambda tensors: np.reciprocal(tensors[f"{O1}.weight_scale_2"][1], out=tensors[f"{O1}.weight_scale_2"][1]))
    assert "a divisor where a factor is meant" in seen["weights-too-large"].meaning


@pytest.mark.parametrize(("claimed", "check"), [(1e-4, "input-scale-implausible"), (1e7, "input-scale-implausible"), (1e-2, ""), (5e4, "")])
def test_an_input_scale_is_held_to_what_activations_can_be(claimed: float, check: str, nvfp4: Path) -> None:
    assert list(found(nvfp4, put(f"{O1}.input_global_scale", 2688 / claimed))) == ([check] if check else [])


def test_what_an_input_scale_claims_is_worked_out_by_hand(nvfp4: Path) -> None:
    # 6 · 448 = 2,688 over a divisor of 336 is 8; the same of ModelOpt is a factor of 8 / 2,688, of FP8 one of 8 / 448.
    for form, folder in (
        ("nvfp4", nvfp4),
        *((form, make_pair(nvfp4 / "more" / form, form, layers=1)[0]) for form in ("modelopt-nvfp4", "fp8-static")),
    ):
        source = open_source(folder)
        with source.weights:
            linear = check_linears(source, None)[0][0]
            assert claimed_activation(linear) == pytest.approx(8.0), form


@pytest.mark.parametrize(("claimed", "check"), [(0.7, "input-scale-too-narrow"), (21, "input-scale-too-wide"), (1.2, ""), (17.5, "")])
def test_after_a_norm_activations_lie_between_two_bounds(claimed: float, check: str, nvfp4: Path) -> None:
    # 256 wide, all gains 1.1: at most 16 · 1.1 = 17.6, at least 1.1 (1.05 either way for rounding).
    def edit(tensors: dict[str, Tensor]) -> None:
        tensors["model.layers.1.input_layernorm.weight"][1][...] = 0x3F8D  # 1.1015625
        for part in "qkv":
            tensors[f"model.layers.1.self_attn.{part}_proj.input_global_scale"][1][...] = 2688 / claimed

    assert list(found(nvfp4, edit)) == ([check] if check else [])


@pytest.mark.parametrize("part", ["weight_global_scale", "input_global_scale"])
def test_fused_parts_with_scales_of_their_own_are_named_with_all_values(part: str, nvfp4: Path) -> None:
    def edit(tensors: dict[str, Tensor]) -> None:
        tensors[f"{K1}.{part}"][1][...] *= 1.25

    seen = found(nvfp4, edit)
    assert list(seen) == [f"fused-{part.split('_', maxsplit=1)[0]}s-differ"]
    assert next(iter(seen.values())).value.count(",") == 2


def test_a_nan_among_a_byte_s_scales_is_counted(nvfp4: Path) -> None:
    seen = found(nvfp4, lambda tensors: tensors[f"{O1}.weight_scale"][1].__setitem__((slice(0, 3), 5), 0x7F))
    assert seen["scale-not-finite"].value == "3 of 4,096 are NaN or infinite"
    negative = found(nvfp4, lambda tensors: tensors[f"{Q1}.weight_scale"][1].__setitem__((0, 0), 0xB8))
    assert negative["scale-negative"].value == "1 of 4,096 are negative"


def test_a_channel_scale_of_zero_or_nan_is_an_error(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "fp8-dynamic", layers=2)
    assert found(folder, lambda tensors: tensors[f"{O1}.weight_scale"][1].__setitem__((7, 0), 0.0))["scale-zero"].value == "1 of 128 are 0"
    assert (
        "1 of 128" in found(folder, lambda tensors: tensors[f"{O1}.weight_scale"][1].__setitem__((7, 0), np.nan))["scale-not-finite"].value
    )


def test_scales_multiplied_after_they_were_found_pile_up_at_the_end(nvfp4: Path) -> None:
    def doubled(tensors: dict[str, Tensor]) -> None:
        codes = tensors[f"{O1}.weight_scale"][1]
        np.minimum(codes + 8, 0x7E, out=codes)  # one exponent more, ending at 448

    assert list(found(nvfp4, doubled)) == ["scales-saturated"]


def test_scales_without_mantissa_and_scales_all_alike_are_no_accident(nvfp4: Path) -> None:
    def powers(tensors: dict[str, Tensor]) -> None:
        codes = tensors[f"{O1}.weight_scale"][1]
        codes &= 0xF8

    assert "scales-powers-of-two" in found(nvfp4, powers)
    assert "scales-all-alike" in found(nvfp4, put(f"{O1}.weight_scale", 0x60))


def test_a_layer_whose_scales_lie_far_from_the_others_is_named(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "fp8-dynamic", layers=5)

    def edit(tensors: dict[str, Tensor]) -> None:
        tensors[f"{O1}.weight_scale"][1][...] *= 100

    assert found(folder, edit)["layer-apart"].where == O1


def test_codes_that_no_quantizer_writes_are_named(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "fp8-dynamic", hidden=256, layers=2)
    assert found(folder, lambda t: t[f"{O1}.weight"][1].__setitem__((3, 4), 0xFF))["code-not-a-number"].value == "1 rows hold a NaN"
    assert found(folder, lambda t: t[f"{O1}.weight"][1].__setitem__(slice(0, 9), 0x80))["rows-zero"].value == "9 of 256 rows are 0"

    def clipped(tensors: dict[str, Tensor]) -> None:
        codes = tensors[f"{Q1}.weight"][1]
        codes[...] = np.minimum((codes & 0x7F) + 8, 0x7E) | (codes & 0x80)  # twice as large, ending at 448

    assert "codes-saturated" in found(folder, clipped)


def test_a_tensor_of_zeros_is_an_error_in_every_format(tmp_path: Path) -> None:
    for form, part, zero in (
        ("nvfp4", "weight_packed", 0x80),
        ("int8", "weight", 0),
        ("int4", "weight_packed", -0x77777778),
        ("mxfp4", "weight_packed", 0),
    ):
        folder, _ = make_pair(tmp_path / form, form, layers=2)
        seen = found(folder, put(f"{O1}.{part}", zero))
        assert (seen["rows-zero"].severity, seen["rows-zero"].value) == ("error", "all 128 rows are 0"), form


def test_groups_that_never_reach_the_end_of_fp4_were_scaled_for_other_weights(nvfp4: Path) -> None:
    # Codes 5 and 10 are 3 and -1, in one of 16 groups of each row.
    seen = found(nvfp4, lambda tensors: tensors[f"{O1}.weight_packed"][1].__setitem__((slice(None), slice(0, 8)), 0xA5))
    assert seen["groups-unused"].value == "6.2 % of groups never reach ±4"


def test_recipes_that_rewrite_weights_are_not_held_against_them(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "nvfp4", layers=2)
    (folder / "recipe.yaml").write_text("quant_stage:\n  quant_modifiers:\n    AWQModifier:\n      targets: [Linear]\n", encoding="utf-8")
    change(folder, lambda tensors: tensors["model.layers.0.input_layernorm.weight"][1].__setitem__(0, 0x4000))
    report = inspect_checkpoint(folder, base)
    assert {one.check: one.severity for one in report.findings} == {"changed-norm": "note", "weights-rewritten": "note"}


def test_a_rotation_may_take_the_output_layer_apart_and_nothing_else_may(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "nvfp4", layers=2)
    configure(folder, lambda raw: raw.update(tie_word_embeddings=False))
    change(folder, lambda tensors: tensors.__setitem__("lm_head.weight", tensors["model.embed_tokens.weight"]))
    alone = {one.check: one.severity for one in inspect_checkpoint(folder, base).findings}
    assert alone == {"config-tie_word_embeddings": "error", "tensor-not-in-base": "warning"}
    recipe = "a_stage:\n  a_modifiers:\n    SpinQuantModifier:\n      rotations: [R1, R2]\n"
    (folder / "recipe.yaml").write_text(recipe, encoding="utf-8")
    rotated = {one.check: one.severity for one in inspect_checkpoint(folder, base).findings}
    assert rotated == {"config-tie_word_embeddings": "note", "weights-rewritten": "note"}
