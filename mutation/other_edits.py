"""What goes wrong with FP8 and BF16 tensors: scales, stale codes, quantizers that cut off or keep too few bits."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mutation.linears import EVERY, Edit, noisy
from mutation.mutant import REFERENCE, Tensors, read_weights

if TYPE_CHECKING:
    import torch

FP8_MAX = 448.0


def drop_mantissa_bits(at: Sequence[str], bits: int) -> Edit:
    """FP8 codes with their last `bits` mantissa bits cleared: towards zero, as a shift does it."""

    def edit(tensors: Tensors) -> None:
        import torch

        for name in at:
            codes = tensors[f"{name}.weight"].view(torch.uint8)
            tensors[f"{name}.weight"] = (codes & (0xFF << bits & 0xFF)).view(torch.float8_e4m3fn)

    return edit


def requantize_fp8(at: Sequence[str], *, noise: float = 0.0, seed: int = 0, per_tensor: bool = False, kept: float = 1.0) -> Edit:
    """The BF16 weights quantized to FP8 once more. `kept`: the share of each row's range that is not cut off."""

    def edit(tensors: Tensors) -> None:
        import torch

        exact = read_weights(REFERENCE / "bf16")
        for number, name in enumerate(at):
            weight = noisy(exact[f"{name}.weight"], noise, seed + number)
            scales = weight.abs().amax(-1, keepdim=True) * (kept / FP8_MAX)
            if per_tensor:
                scales = scales.max().expand_as(scales)
            stored = scales.to(torch.bfloat16)
            tensors[f"{name}.weight_scale"] = stored
            tensors[f"{name}.weight"] = (weight / stored.float()).clamp(-FP8_MAX, FP8_MAX).to(torch.float8_e4m3fn)

    return edit


def add_noise(names: Sequence[str], level: float, seed: int) -> Edit:
    """Gaussian noise of `level` times each tensor's RMS on BF16 tensors."""

    def edit(tensors: Tensors) -> None:
        for number, name in enumerate(names):
            tensors[name] = noisy(tensors[name], level, seed + number).to(tensors[name].dtype)

    return edit


def prune(names: Sequence[str], share: float) -> Edit:
    """The smallest `share` of each row's weights set to zero."""

    def edit(tensors: Tensors) -> None:
        for name in names:
            weight = tensors[name]
            count = int(share * weight.shape[-1])
            tensors[name] = weight.scatter(-1, weight.abs().topk(count, largest=False).indices, 0.0)

    return edit


def through_int(names: Sequence[str], bits: int) -> Edit:
    """BF16 tensors rounded to whole numbers of `bits` bits under one scale a tensor, and written back in BF16."""

    def edit(tensors: Tensors) -> None:
        for name in names:
            weight = tensors[name].float()
            unit = weight.abs().max() / (2 ** (bits - 1) - 1)
            tensors[name] = ((weight / unit).round() * unit).to(tensors[name].dtype)

    return edit


def permute_rows(name: str, rows: "slice", by: int) -> Edit:
    """Rows of one tensor moved on by `by` within `rows`, the last ones to the front."""

    def edit(tensors: Tensors) -> None:
        changed: torch.Tensor = tensors[name].clone()
        changed[rows] = tensors[name][rows].float().roll(by, 0).to(changed.dtype)
        tensors[name] = changed

    return edit


__all__ = ["EVERY", "add_noise", "drop_mantissa_bits", "permute_rows", "prune", "requantize_fp8", "through_int"]
