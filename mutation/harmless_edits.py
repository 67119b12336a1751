"""Changes that change nothing: how files are named, cut up, ordered and annotated."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mutation.linears import Edit
from mutation.mutant import METADATA, WEIGHTS, Damage, Tensors, read_weights, write_weights

LENGTH_BYTES = 8
"""safetensors: the header's length, little-endian; the header, JSON; the tensors."""


def reshard(shards: int) -> Damage:
    """The weights in several files, a tensor here and a tensor there, with an index."""

    def damage(folder: Path) -> None:
        tensors = read_weights(folder)
        (folder / WEIGHTS).unlink()
        names = [f"model-{number + 1:05}-of-{shards:05}.safetensors" for number in range(shards)]
        where = {name: names[place % shards] for place, name in enumerate(sorted(tensors))}
        for shard in names:
            write_weights({name: tensors[name] for name in where if where[name] == shard}, folder / shard)
        size = sum(tensor.nbytes for tensor in tensors.values())
        index = {"metadata": {"total_size": size}, "weight_map": where}
        (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")

    return damage


def rewrite(order: Callable[[Sequence[str]], Sequence[str]] = tuple, metadata: dict[str, str] | None = None) -> Damage:
    """The same tensors, laid out in another order or with more metadata in the header."""

    def damage(folder: Path) -> None:
        content = (folder / WEIGHTS).read_bytes()
        begin = LENGTH_BYTES + int.from_bytes(content[:LENGTH_BYTES], "little")
        header = json.loads(content[LENGTH_BYTES:begin])
        del header["__metadata__"]
        written: dict[str, Any] = {"__metadata__": {**METADATA, **(metadata or {})}}
        pieces, at = [], 0
        for name in order(list(header)):
            first, last = header[name]["data_offsets"]
            pieces.append(content[begin + first : begin + last])
            written[name] = {**header[name], "data_offsets": [at, at + last - first]}
            at += last - first
        raw = json.dumps(written, separators=(",", ":")).encode()
        raw += b" " * (-len(raw) % LENGTH_BYTES)  # the tensors begin at a multiple of 8
        (folder / WEIGHTS).write_bytes(len(raw).to_bytes(LENGTH_BYTES, "little") + raw + b"".join(pieces))

    return damage


def reverse_keys(folder: Path) -> None:
    """config.json with its keys, and those inside them, in the opposite order."""

    def reversed_keys(value: Any) -> Any:
        return {key: reversed_keys(value[key]) for key in reversed(value)} if isinstance(value, dict) else value

    file = folder / "config.json"
    file.write_text(json.dumps(reversed_keys(json.loads(file.read_text(encoding="utf-8"))), indent=2), encoding="utf-8")


def on_one_line(folder: Path) -> None:
    """Every JSON file without line breaks and spaces, letters beyond ASCII escaped."""
    for file in folder.glob("*.json"):
        file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")), separators=(",", ":")), encoding="utf-8")


def add_readme(folder: Path) -> None:
    card = "---\nlicense: apache-2.0\npipeline_tag: text-generation\n---\n\n# A model card\n"
    (folder / "README.md").write_text(card, encoding="utf-8")
    (folder / ".gitattributes").write_text("*.safetensors filter=lfs diff=lfs merge=lfs -text\n", encoding="utf-8")


def link_to_blobs(folder: Path) -> None:
    """Every file a link to one in blobs/, as the hub's cache lays a snapshot out."""
    files = sorted(file for file in folder.iterdir() if file.is_file())
    (folder / "blobs").mkdir()
    for number, file in enumerate(files):
        file.rename(folder / "blobs" / str(number))
        file.symlink_to(Path("blobs", str(number)))


def drop(name: str) -> Damage:
    """A file left out."""
    return lambda folder: (folder / name).unlink()


def template_inside(folder: Path) -> None:
    """The chat template in tokenizer_config.json, where it stood before it had a file of its own."""
    file, template = folder / "tokenizer_config.json", folder / "chat_template.jinja"
    raw = json.loads(file.read_text(encoding="utf-8"))
    raw["chat_template"] = template.read_text(encoding="utf-8")
    template.unlink()
    file.write_text(json.dumps(raw, indent=2) + "\n", encoding="utf-8")


def saved_again(raw: dict[str, Any]) -> None:
    """tokenizer.json as a library writes it that padded and truncated once."""
    raw["truncation"] = {"direction": "Right", "max_length": 1024, "strategy": "LongestFirst", "stride": 0}
    token = {"pad_id": 0, "pad_type_id": 0, "pad_token": "<|endoftext|>"}
    raw["padding"] = {"strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": None, **token}


def halve_scales_and_divisor(at: Sequence[str]) -> Edit:
    """Group scales and the weights' divisor halved: two halves that cancel, to the last bit."""

    def edit(tensors: Tensors) -> None:
        for name in at:
            scales = tensors[f"{name}.weight_scale"]
            tensors[f"{name}.weight_scale"] = (scales.float() / 2).to(scales.dtype)
            tensors[f"{name}.weight_global_scale"] = tensors[f"{name}.weight_global_scale"] / 2

    return edit


def negative_zeros(at: Sequence[str]) -> Edit:
    """Code 8 (−0) wherever code 0 (+0) stands."""

    def edit(tensors: Tensors) -> None:
        import torch

        for name in at:
            packed = tensors[f"{name}.weight_packed"]
            low, high = packed & 0xF, packed >> 4
            low, high = (torch.where(half == 0, 8, half).to(torch.uint8) for half in (low, high))
            tensors[f"{name}.weight_packed"] = low | (high << 4)

    return edit
