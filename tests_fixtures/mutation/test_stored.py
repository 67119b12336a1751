"""Parameters as they are stored."""

import math

import pytest

pytestmark = pytest.mark.thorough  # it imports torch


def test_of_fused_parts_the_largest_divisor_counts_and_a_nan_stays() -> None:
    import torch

    from mutation.stored import divisor

    block = "model.layers.0.self_attn"
    tensors = {
        f"{block}.{part}_proj.weight_global_scale": torch.tensor([value]) for part, value in zip("qkv", (3.0, 5.0, 4.0), strict=True)
    }
    assert divisor(tensors, f"{block}.q_proj", "weight_global_scale").tolist() == [5.0]
    tensors[f"{block}.v_proj.weight_global_scale"] = torch.tensor([math.nan])
    assert divisor(tensors, f"{block}.q_proj", "weight_global_scale").isnan().all()
