"""NVFP4 on a CPU: the fast kernel against vLLM's own emulation, to the last bit."""

import warnings
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from mutation.mutant import REFERENCE, read_weights

if TYPE_CHECKING:
    import torch

pytestmark = pytest.mark.thorough  # it imports vLLM
Tensor = Any  # torch is imported by a fixture, so that collection stays fast


@pytest.fixture(scope="module")
def vllm() -> SimpleNamespace:
    """Our kernel and vLLM's, with torch; skips where vLLM is not its CPU build."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what vLLM's imports warn of is not ours
        import torch
        from vllm.model_executor.kernels import linear
        from vllm.model_executor.kernels.linear.nvfp4.base import NvFp4LinearLayerConfig
        from vllm.model_executor.layers.quantization.utils import nvfp4_emulation_utils
        from vllm.platforms import current_platform

        from quantgate.vllm_plugin import cpu as cpu_nvfp4
        from quantgate.vllm_plugin import fp4
    if not current_platform.is_cpu():
        pytest.skip("vLLM's emulation runs on the GPU here; ours stands in for it on CPUs only")
    return SimpleNamespace(
        torch=torch, linear=linear, config=NvFp4LinearLayerConfig(), theirs=nvfp4_emulation_utils, ours=cpu_nvfp4, fp4=fp4
    )


def same_bits(left: "torch.Tensor", right: "torch.Tensor") -> bool:
    """Equal dtype, shape and values, NaN to NaN; +0 equals -0, which no sum can tell apart."""
    return left.dtype == right.dtype and left.shape == right.shape and bool(((left == right) | (left.isnan() & right.isnan())).all())


TIES = {0.25: 0.0, 0.75: 1.0, 1.25: 1.0, 1.75: 2.0, 2.5: 2.0, 3.5: 4.0, 5.0: 4.0}
"""Half way between two values; the code (0 … 7 for 0, ½, 1, 1½, 2, 3, 4, 6) that is even wins."""
KEPT = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


def test_ties_go_to_the_even_code(vllm: SimpleNamespace) -> None:
    values = vllm.torch.tensor([*TIES, *(-tie for tie in TIES)])
    wanted = vllm.torch.tensor([*TIES.values(), *(-kept for kept in TIES.values())])
    assert same_bits(vllm.fp4.round_to_fp4(values), wanted)
    assert same_bits(vllm.theirs.cast_to_fp4(values.clone()), wanted)


def test_what_fp4_holds_stays_as_it_is(vllm: SimpleNamespace) -> None:
    values = vllm.torch.tensor([*KEPT, *(-kept for kept in KEPT)])
    assert same_bits(vllm.fp4.round_to_fp4(values), values)


def test_rounding_is_vllm_s_beside_every_tie_and_everywhere_else(vllm: SimpleNamespace) -> None:
    torch = vllm.torch
    ties = torch.tensor([*TIES, *KEPT])
    beside = torch.cat([torch.nextafter(ties, torch.tensor(7.0)), torch.nextafter(ties, torch.tensor(-7.0))])
    random = torch.empty(200_000).uniform_(-6, 6, generator=torch.Generator().manual_seed(4))
    values = torch.cat([beside, -beside, random]).clamp(-6, 6)
    assert same_bits(vllm.fp4.round_to_fp4(values), vllm.theirs.cast_to_fp4(values.clone()))
    assert set(vllm.fp4.round_to_fp4(values).abs().unique().tolist()) == set(KEPT)


def _activations(torch: Any, dtype: "torch.dtype") -> Tensor:
    """Rows of every size: ordinary, tiny, huge, all zero, one value alone in its group, one of them repeated."""
    generator = torch.Generator().manual_seed(16)
    rows = torch.randn(96, 64, generator=generator) * torch.logspace(-8, 5, 96)[:, None]
    rows[3] = 0
    rows[40, 16:32] = 0
    rows[41, :] = 0
    rows[41, 5] = -3.0
    rows[50] = 1.0
    return rows.to(dtype)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
@pytest.mark.parametrize("scale", [1.0, 0.37, 448.0, 2688.0, 1e-4, 3e6])
def test_activations_are_quantized_as_vllm_does_it_to_the_last_bit(dtype: str, scale: float, vllm: SimpleNamespace) -> None:
    values, global_scale = _activations(vllm.torch, getattr(vllm.torch, dtype)), vllm.torch.tensor([scale])
    theirs = vllm.theirs.ref_nvfp4_quant_dequant(values.clone(), global_scale, 16)
    assert same_bits(vllm.fp4.quantize_and_decode(values, global_scale), theirs)


def test_a_group_is_quantized_as_worked_out_by_hand(vllm: SimpleNamespace) -> None:
    # max 12 at a global scale of 1: scale 12/6 = 2, exact in FP8; x/2 = 6, 0.5, 1.25, -2.6 becomes 6, 0.5, 1, -3; times 2.
    values = vllm.torch.zeros(1, 16)
    values[0, :4] = vllm.torch.tensor([12.0, 1.0, 2.5, -5.2])
    kept = vllm.fp4.quantize_and_decode(values, vllm.torch.tensor([1.0]))
    assert kept[0].tolist() == [12.0, 1.0, 2.0, -6.0, *[0.0] * 12]


def test_what_is_too_large_for_the_scale_is_cut_off(vllm: SimpleNamespace) -> None:
    # 6 · 448 = 2688 is the largest that a global scale of 1 reaches.
    values = vllm.torch.full((1, 16), 5000.0)
    assert vllm.fp4.quantize_and_decode(values, vllm.torch.tensor([1.0])).tolist() == [[2688.0] * 16]


def test_what_is_not_finite_is_treated_as_vllm_treats_it_and_a_nan_stays_one(vllm: SimpleNamespace) -> None:
    values = vllm.torch.linspace(-3, 3, 48).reshape(1, 48)
    values[0, 3], values[0, 20] = vllm.torch.nan, vllm.torch.inf
    one = vllm.torch.tensor([1.0])
    kept = vllm.fp4.quantize_and_decode(values, one)
    assert same_bits(kept, vllm.theirs.ref_nvfp4_quant_dequant(values.clone(), one, 16))
    assert kept[0, 3].isnan()
    assert not kept[0, 32:].isnan().any()


def test_the_caller_s_activations_are_left_alone(vllm: SimpleNamespace) -> None:
    values = _activations(vllm.torch, vllm.torch.bfloat16)
    before = values.clone()
    vllm.fp4.quantize_and_decode(values, vllm.torch.tensor([2.0]))
    assert same_bits(values, before)


def _layer(torch: Any, width: int, out: int) -> Any:
    """An NVFP4 linear as vLLM has it after loading: packed weights, FP8 block scales, two global scales."""
    generator = torch.Generator().manual_seed(8)
    layer = torch.nn.Module()
    packed = torch.randint(0, 256, (out, width // 2), dtype=torch.uint8, generator=generator)
    scales = (torch.rand(out, width // 16, generator=generator) * 400 + 1).to(torch.float8_e4m3fn)
    layer.weight = torch.nn.Parameter(packed, requires_grad=False)
    layer.weight_scale = torch.nn.Parameter(scales, requires_grad=False)
    layer.weight_global_scale = torch.nn.Parameter(torch.tensor(1 / 1500.0), requires_grad=False)
    layer.input_global_scale_inv = torch.nn.Parameter(torch.tensor(37.5), requires_grad=False)
    return layer


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_a_layer_answers_as_vllm_s_own_emulation(dtype: str, with_bias: bool, vllm: SimpleNamespace) -> None:
    torch = vllm.torch
    kind = getattr(torch, dtype)
    bias = torch.linspace(-1, 1, 48, dtype=kind) if with_bias else None
    values = torch.randn(5, 64, generator=torch.Generator().manual_seed(9)).to(kind)
    answers = []
    for kernel in (vllm.ours.DecodedNvFp4LinearKernel(vllm.config), vllm.linear.EmulationNvFp4LinearKernel(vllm.config)):
        layer, before = _layer(torch, 64, 48), torch.get_default_dtype()
        torch.set_default_dtype(kind)  # as vLLM does while it loads a model
        try:
            kernel.process_weights_after_loading(layer)
        finally:
            torch.set_default_dtype(before)
        answers.append(kernel.apply_weights(layer, values.clone(), bias))
    assert answers[0].shape == (5, 48)
    assert answers[0].abs().max() > 0.1
    assert same_bits(*answers)


def test_the_weights_are_decoded_once_into_the_model_s_dtype(vllm: SimpleNamespace) -> None:
    # Codes 2 and 13 (low nibble first: byte 0xD2) are 1 and -3; block scale 2 times global scale 4 makes them 8 and -24.
    # (Stored as a divisor, the global scale is inverted before a kernel sees it.)
    torch = vllm.torch
    layer = _layer(torch, 16, 1)
    layer.weight.data.fill_(0xD2)
    layer.weight_scale.data = torch.full((1, 1), 2.0).to(torch.float8_e4m3fn)
    layer.weight_global_scale.data = torch.tensor(4.0)
    vllm.ours.DecodedNvFp4LinearKernel(vllm.config).process_weights_after_loading(layer)
    assert layer.weight.dtype == torch.get_default_dtype()
    assert layer.weight.shape == (1, 16)
    assert layer.weight[0].tolist() == [8.0, -24.0] * 8


def test_a_stored_layer_decodes_as_vllm_does_it_to_the_last_bit_and_as_compressed_tensors_in_bf16(vllm: SimpleNamespace) -> None:
    helpers = pytest.importorskip("compressed_tensors.compressors.nvfp4.helpers")
    forward = pytest.importorskip("compressed_tensors.quantization.lifecycle.forward")
    torch, stored, name = vllm.torch, read_weights(REFERENCE / "nvfp4"), "model.layers.3.mlp.down_proj"
    packed, scales, divisor = (stored[f"{name}.{part}"] for part in ("weight_packed", "weight_scale", "weight_global_scale"))
    ours = vllm.fp4.decode(packed, scales, divisor)
    assert ours.shape == (256, 768)
    assert same_bits(ours, vllm.theirs.dequantize_to_dtype(packed, scales, 1.0 / divisor, torch.float32, 16, swizzle=False))
    codes = helpers.unpack_fp4_from_uint8(packed, 256, 768, dtype=torch.float32)
    assert same_bits(vllm.fp4.unpack(packed), codes)
    # compressed-tensors divides by the divisor where vLLM multiplies by its inverse: one rounding apart before BF16.
    theirs = forward.dequantize(codes, scales.float(), global_scale=divisor, dtype=torch.float32)
    assert same_bits(ours.bfloat16(), theirs.bfloat16())


def test_registering_twice_registers_once_with_vllm_s_own_behind(vllm: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels, platform = vllm.linear._POSSIBLE_NVFP4_KERNELS, vllm.ours.PlatformEnum.CPU
    monkeypatch.setitem(kernels, platform, [])
    monkeypatch.setattr(vllm.ours.shm_broadcast, "sched_yield", before := vllm.ours.shm_broadcast.sched_yield)
    vllm.ours.register()
    vllm.ours.register()
    registered = list(kernels[platform])
    assert sorted(registered, key=id) == sorted({vllm.ours.DecodedNvFp4LinearKernel, vllm.linear.EmulationNvFp4LinearKernel}, key=id)
    assert registered[0] is vllm.ours.DecodedNvFp4LinearKernel
    assert vllm.ours.shm_broadcast.sched_yield is not before


def test_the_busy_wait_stays_where_that_is_asked_for(vllm: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vllm.linear._POSSIBLE_NVFP4_KERNELS, vllm.ours.PlatformEnum.CPU, [])
    monkeypatch.setattr(vllm.ours.shm_broadcast, "sched_yield", before := vllm.ours.shm_broadcast.sched_yield)
    monkeypatch.setenv("QUANTGATE_KEEP_SPINNING", "1")
    vllm.ours.register()
    assert vllm.ours.shm_broadcast.sched_yield is before
