"""Edits of NVFP4 tensors: each does what it says."""

from pathlib import Path
from typing import Any

import pytest

from mutation.mutant import REFERENCE, make, read_weights
from tests_fixtures.doubles.mutants import DOWN, named

pytestmark = pytest.mark.thorough  # it imports torch


def test_quantizing_the_original_again_gives_what_is_stored_nearly_everywhere() -> None:
    import torch

    from mutation.nvfp4_edits import quantized

    stored = read_weights(REFERENCE / "nvfp4")
    weight = read_weights(REFERENCE / "bf16")[f"{DOWN}.weight"].float()
    packed, scales = quantized(weight, stored[f"{DOWN}.weight_global_scale"])
    # llm-compressor finds group scales in BF16: a few are one FP8 step away from those found in FP32.
    assert (scales.float() == stored[f"{DOWN}.weight_scale"].float()).float().mean() > 0.95
    assert torch.eq(packed, stored[f"{DOWN}.weight_packed"]).float().mean() > 0.95


def difference(mutant: str, tensor: str, tmp_path: Path) -> Any:
    """The mutant's tensor and its source's, both FP32."""
    one = named(mutant)
    return read_weights(make(one, tmp_path))[tensor].float(), read_weights(REFERENCE / one.source)[tensor].float()


def test_doubling_scales_ends_at_what_fp8_can_hold(tmp_path: Path) -> None:
    made, before = difference("nvfp4-down3-scales-doubled", f"{DOWN}.weight_scale", tmp_path)
    assert (made == (2 * before).clamp(max=448)).all()
    assert (made == 448).float().mean() > 0.05


def test_swapped_nibbles_are_swapped(tmp_path: Path) -> None:
    made, before = difference("nvfp4-v3-nibbles-swapped", "model.layers.3.self_attn.v_proj.weight_packed", tmp_path)
    assert (made == 16 * (before % 16) + before // 16).all()
