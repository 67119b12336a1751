"""A mutant: a checkpoint of the reference family with one thing wrong with it, or with one thing changed that is not wrong."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import torch

REFERENCE = Path(__file__).parents[1] / "fixtures" / "reference"
WEIGHTS = "model.safetensors"
METADATA = {"format": "pt"}

Tensors: TypeAlias = "dict[str, torch.Tensor]"
Damage = Callable[[Path], None]
Kind = Literal["numeric", "file", "harmless"]


@dataclass(frozen=True)
class Mutant:
    """One change. `damage` is applied to a copy of the checkpoint `source` and is the same every time.

    numeric: what the model computes has changed, by however little; file: what stands around the weights has;
    harmless: the tensors mean what they meant and no key that counts is another.
    """

    name: str
    source: Literal["bf16", "fp8", "nvfp4"]
    summary: str
    kind: Kind
    damage: Damage


def make(mutant: Mutant, root: Path) -> Path:
    """Copy the source checkpoint to `root`/name and damage the copy; returns that folder."""
    folder = root / mutant.name
    shutil.copytree(REFERENCE / mutant.source, folder)
    mutant.damage(folder)
    return folder


def read_weights(folder: Path) -> "Tensors":
    from safetensors.torch import load_file

    return load_file(folder / WEIGHTS)


def write_weights(tensors: "Tensors", file: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file, metadata=METADATA)


def weights(*edits: Callable[["Tensors"], None]) -> Damage:
    """The damage of changing the tensors in place (or putting others in their places)."""

    def damage(folder: Path) -> None:
        tensors = read_weights(folder)
        for edit in edits:
            edit(tensors)
        write_weights(tensors, folder / WEIGHTS)

    return damage


def settings(file: str, edit: Callable[[dict[str, Any]], object]) -> Damage:
    """The damage of changing a JSON object in place and writing it as a saving library does."""

    def damage(folder: Path) -> None:
        raw = json.loads((folder / file).read_text(encoding="utf-8"))
        edit(raw)
        (folder / file).write_text(json.dumps(raw, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    return damage


def both(*damages: Damage) -> Damage:
    """One damage after the other."""

    def damage(folder: Path) -> None:
        for each in damages:
            each(folder)

    return damage
