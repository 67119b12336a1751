"""What goes wrong with NVFP4 tensors: scales, codes, the order of either, and quantizers that round in their own way."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mutation.linears import EVERY, Edit, noisy
from mutation.mutant import REFERENCE, Tensors, read_weights

if TYPE_CHECKING:
    import torch

FP8_MAX = 448.0

Rounding = Literal["nearest", "towards zero"]
Scales = Literal["group", "tensor", "power of two"]


def scale_groups(at: Sequence[str], factor: float, rows: slice = EVERY, columns: slice = EVERY) -> Edit:
    """Group scales times `factor`; FP8 ends at 448, so doubling saturates what lies above 224."""

    def edit(tensors: Tensors) -> None:
        for name in at:
            scales = tensors[f"{name}.weight_scale"]
            changed = scales.float()
            changed[rows, columns] *= factor
            tensors[f"{name}.weight_scale"] = changed.clamp(max=FP8_MAX).to(scales.dtype)

    return edit


def invert_divisor(at: Sequence[str]) -> Edit:
    """The weights' global scale as a factor where a divisor is meant."""

    def edit(tensors: Tensors) -> None:
        for name in at:
            tensors[f"{name}.weight_global_scale"] = tensors[f"{name}.weight_global_scale"].reciprocal()

    return edit


def random_input_divisors(at: Sequence[str], decades: float, seed: int) -> Edit:
    """Input global scales multiplied by 10^u, u uniform within ± `decades`."""

    def edit(tensors: Tensors) -> None:
        import torch

        generator = torch.Generator().manual_seed(seed)
        for name in at:
            tensors[f"{name}.input_global_scale"] *= 10 ** (decades * (2 * torch.rand(1, generator=generator) - 1))

    return edit


def swap_nibbles(at: Sequence[str]) -> Edit:
    """The first weight of each pair in the high four bits."""

    def edit(tensors: Tensors) -> None:
        for name in at:
            packed = tensors[f"{name}.weight_packed"]
            tensors[f"{name}.weight_packed"] = (packed >> 4) | (packed << 4)

    return edit


def shift_scales(at: Sequence[str]) -> Edit:
    """Every group with the scale of the group before it, the first with the last one's."""

    def edit(tensors: Tensors) -> None:
        for name in at:
            scales = tensors[f"{name}.weight_scale"]
            tensors[f"{name}.weight_scale"] = scales.float().roll(1, -1).to(scales.dtype)

    return edit


def powers_of_two(at: Sequence[str]) -> Edit:
    """Group scales rounded to the nearest power of two while the codes stay as they are."""

    def edit(tensors: Tensors) -> None:
        for name in at:
            scales = tensors[f"{name}.weight_scale"]
            tensors[f"{name}.weight_scale"] = scales.float().log2().round().exp2().clamp(max=256).to(scales.dtype)

    return edit


def zero_groups(at: Sequence[str], every: int) -> Edit:
    """Codes of one group of 16 in each `every` along a row set to zero: groups 0, `every`, 2·`every`, …"""

    def edit(tensors: Tensors) -> None:
        for name in at:
            packed = tensors[f"{name}.weight_packed"]
            packed.view(len(packed), -1, 8)[:, ::every] = 0

    return edit


def zero_rows(at: Sequence[str], rows: slice) -> Edit:
    """Codes of whole rows (outputs of the linear) set to zero."""

    def edit(tensors: Tensors) -> None:
        for name in at:
            tensors[f"{name}.weight_packed"][rows] = 0

    return edit


def flip_bits(at: Sequence[str], share: float, seed: int) -> Edit:
    """One bit flipped in a random `share` of the bytes that hold codes."""

    def edit(tensors: Tensors) -> None:
        import torch

        generator = torch.Generator().manual_seed(seed)
        for name in at:
            packed = tensors[f"{name}.weight_packed"]
            hit = torch.rand(packed.shape, generator=generator) < share
            bit = torch.randint(0, 8, packed.shape, generator=generator, dtype=torch.uint8)
            tensors[f"{name}.weight_packed"] = torch.where(hit, packed ^ (torch.ones_like(packed) << bit), packed)

    return edit


def requantize(
    at: Sequence[str], *, noise: float = 0.0, seed: int = 0, rounding: Rounding = "nearest", scales: Scales = "group", shrink: float = 1.0
) -> Edit:
    """The BF16 weights quantized once more, under the divisor that the checkpoint has.

    `noise`: standard deviation of what is added first, in units of each weight's RMS. `shrink`: group scales times
    this before the codes are found, so that the largest weights are cut off.
    """

    def edit(tensors: Tensors) -> None:
        exact = read_weights(REFERENCE / "bf16")
        for number, name in enumerate(at):
            weight = noisy(exact[f"{name}.weight"], noise, seed + number)
            codes, kept = quantized(weight, tensors[f"{name}.weight_global_scale"], rounding, scales, shrink)
            tensors[f"{name}.weight_packed"], tensors[f"{name}.weight_scale"] = codes, kept

    return edit


def quantized(
    weight: "torch.Tensor", divisor: "torch.Tensor", rounding: Rounding = "nearest", scales: Scales = "group", shrink: float = 1.0
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Packed codes and group scales of FP32 weights (rows, width)."""
    import torch

    from quantgate.vllm_plugin import fp4

    kept = fp4.group_scales(weight, divisor).float() * shrink
    if scales == "tensor":
        kept = kept.max().expand_as(kept)
    elif scales == "power of two":
        kept = kept.log2().ceil().exp2().clamp(2**-6, 256)
    stored = kept.to(torch.float8_e4m3fn)
    scaled = fp4.scaled_to_fp4(weight, stored, divisor)
    if rounding == "nearest":
        return fp4.pack(fp4.round_to_fp4(scaled)), stored
    values = torch.tensor(fp4.VALUES)
    below = values[torch.bucketize(scaled.abs(), values, right=True) - 1]
    return fp4.pack(below.copysign(scaled)), stored


def through_nvfp4(name: str) -> Edit:
    """A BF16 tensor replaced by what NVFP4 keeps of it, in BF16 again."""

    def edit(tensors: Tensors) -> None:
        from quantgate.vllm_plugin import fp4

        exact = tensors[name].float()
        divisor = fp4.FP8_MAX * fp4.FP4_MAX / exact.abs().max().reshape(1)
        tensors[name] = fp4.decode(*quantized(exact, divisor), divisor).to(tensors[name].dtype)

    return edit
