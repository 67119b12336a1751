"""Which layers stand for all where a checkpoint has very many tensors."""

import json
import re
from pathlib import Path

MANY_TENSORS = 200_000
LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks|block)\.(\d+)\.")


def layer_of(name: str) -> int | None:
    found = LAYER.search(name)
    return int(found.group(1)) if found else None


def is_chosen(name: str, chosen: set[int] | None) -> bool:
    return chosen is None or (layer := layer_of(name)) is None or layer in chosen


def choose(folder: Path, many: int = MANY_TENSORS) -> set[int] | None:
    """None for all; else the first, the last, one of each that holds the same names in the same dtypes and shapes, and those
    that the configuration names by number."""
    stored = _headers(folder)
    if len(stored) <= many:
        return None
    kinds: dict[int, list[str]] = {}
    for name, form in stored.items():
        if (layer := layer_of(name)) is not None:
            kinds.setdefault(layer, []).append(f"{LAYER.sub('.*.', name, count=1)} {form}")
    if not kinds:
        return None
    first_of = {frozenset(forms): layer for layer, forms in sorted(kinds.items(), reverse=True)}
    said = "".join(_text(folder / name) for name in ("config.json", "hf_quant_config.json"))
    named = {int(one) for one in re.findall(r"layers[.\\]+(\d+)", said)} & kinds.keys()
    if len(named) > len(kinds) // 4:  # a list of every linear says nothing about any
        named = set()
    return {min(kinds), max(kinds), *first_of.values(), *named}


def _headers(folder: Path) -> dict[str, str]:
    """Name → dtype and shape, from the beginnings of the safetensors files."""
    found: dict[str, str] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with file.open("rb") as opened:
            header = json.loads(opened.read(int.from_bytes(opened.read(8), "little")))
        found |= {name: f"{one['dtype']}{one['shape']}" for name, one in header.items() if name != "__metadata__"}
    return found


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
