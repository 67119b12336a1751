"""A checkpoint's tensors as they are stored, whichever files they lie in."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from quantgate.fingerprint import read_json

FUSED = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))

Tensors = dict[str, torch.Tensor]


class UnloadableError(Exception):
    """A folder from which no model can be built; the message says what is missing."""


def read_tensors(folder: Path) -> Tensors:
    """Every tensor of the folder's shards: those of the index where there is one, else all files. Raises UnloadableError."""
    index = folder / "model.safetensors.index.json"
    if index.exists():
        shards = [folder / name for name in sorted(set(read_json(index)["weight_map"].values()))]
    else:
        shards = sorted(folder.glob("*.safetensors"))
    missing = [shard.name for shard in shards if not shard.exists()]
    if missing or not shards:
        raise UnloadableError(f"{folder}: {', '.join(missing) or 'weights'} missing")
    return {name: tensor for shard in shards for name, tensor in load_file(shard).items()}


def divisor(tensors: Tensors, prefix: str, name: str) -> torch.Tensor:
    """A global scale as vLLM takes it: the largest of the parts that it fuses; NaN if one of them is."""
    parent, _, part = prefix.rpartition(".")
    parts = next((fused for fused in FUSED if part in fused), (part,))
    return torch.cat([tensors[f"{parent}.{other}.{name}"].reshape(1) for other in parts]).max().reshape(1)
