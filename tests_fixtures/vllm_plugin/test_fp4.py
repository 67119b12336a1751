"""NVFP4 unpacked and decoded, worked out by hand."""

import pytest

pytestmark = pytest.mark.thorough  # it imports torch


def test_four_bits_and_three_scales_are_worked_out_by_hand() -> None:
    # Byte 0xD2 is the codes 2 and 13, low one first: 1 and -3. Group scales 2 and 0.5 over a divisor of 4.
    import torch

    from quantgate.vllm_plugin import fp4

    packed = torch.full((1, 16), 0xD2, dtype=torch.uint8)
    scales = torch.tensor([[2.0, 0.5]]).to(torch.float8_e4m3fn)
    decoded = fp4.decode(packed, scales, torch.tensor([4.0]))
    assert decoded.tolist() == [[0.5, -1.5] * 8 + [0.125, -0.375] * 8]


def test_packing_is_the_inverse_of_unpacking_for_every_byte() -> None:
    import torch

    from quantgate.vllm_plugin import fp4

    every = torch.arange(256, dtype=torch.uint8).reshape(2, 128)
    assert torch.equal(fp4.pack(fp4.unpack(every)), every)
