"""Names of the reference model's linears, and changes to them that are the same in every precision."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from mutation.mutant import REFERENCE, Tensors, read_weights

if TYPE_CHECKING:
    import torch

Edit = Callable[[Tensors], None]
LAYERS = range(6)
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")
QKV, GATE_UP = ATTENTION[:3], MLP[:2]
EVERY = slice(None)


def linears(layers: int | Iterable[int] = LAYERS, parts: str | Sequence[str] = (*ATTENTION, *MLP)) -> list[str]:
    """Tensor names without their last part: `model.layers.3.mlp.down_proj` for (3, "down_proj")."""
    chosen = [layers] if isinstance(layers, int) else layers
    named = [parts] if isinstance(parts, str) else parts
    return [f"model.layers.{layer}.{'mlp' if part in MLP else 'self_attn'}.{part}" for layer in chosen for part in named]


def multiply(names: Sequence[str], factor: float, places: slice = EVERY) -> Edit:
    """Plain tensors (norms, embeddings, FP32 and BF16 scales) times `factor`, in the dtype they have."""

    def edit(tensors: Tensors) -> None:
        for name in names:
            tensors[name][places] *= factor

    return edit


def fill(names: Sequence[str], value: float, rows: slice = EVERY, columns: slice = EVERY) -> Edit:
    """`value` in the given rows and columns of tensors of any dtype; one-dimensional ones have rows only."""

    def edit(tensors: Tensors) -> None:
        for name in names:
            tensor = tensors[name]
            changed = tensor.float()
            changed[(rows, columns)[: tensor.ndim]] = value
            tensors[name] = changed.to(tensor.dtype)

    return edit


def swap_layers(one: int, other: int) -> Edit:
    """Every tensor of layer `one` under the names of `other`, and the other way round."""

    def edit(tensors: Tensors) -> None:
        first, second = (f"model.layers.{layer}." for layer in (one, other))
        for name in [name for name in tensors if name.startswith(first)]:
            twin = second + name.removeprefix(first)
            tensors[name], tensors[twin] = tensors[twin], tensors[name]

    return edit


def copy(source: Sequence[str], target: Sequence[str], suffixes: Sequence[str]) -> Edit:
    """Tensors of the linears `source` written over those of `target`, one suffix after the other."""

    def edit(tensors: Tensors) -> None:
        for taken, written in zip(source, target, strict=True):
            for suffix in suffixes:
                tensors[f"{written}.{suffix}"] = tensors[f"{taken}.{suffix}"].clone()

    return edit


def noisy(weight: "torch.Tensor", level: float, seed: int) -> "torch.Tensor":
    """FP32 weights with Gaussian noise of `level` times their RMS on them."""
    import torch

    exact = weight.float()
    if level == 0:
        return exact
    generator = torch.Generator().manual_seed(seed)
    return exact + torch.randn(exact.shape, generator=generator) * (level * exact.square().mean().sqrt())


def original(name: str) -> "torch.Tensor":
    """The weight of a linear in the BF16 checkpoint."""
    return read_weights(REFERENCE / "bf16")[f"{name}.weight"]
