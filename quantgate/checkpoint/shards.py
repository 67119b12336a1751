"""A folder's weights: its shards, and whether the index says the same of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from quantgate.checkpoint.findings import Finding, Severity
from quantgate.checkpoint.storage import STORED, ShardError, Stored, read_header
from quantgate.errors import ConfigurationError

INDEX = "model.safetensors.index.json"
NOT_READ = ("F4", "F6_E2M3", "F6_E3M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "C64")
"""Dtypes of safetensors beside those that are read."""
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


class Shards(NamedTuple):
    """`lost`: names that are promised by the index or a header and cannot be read, each reported once, as its shard's loss."""

    tensors: dict[str, Stored]
    lost: set[str]
    findings: list[Finding]


def read_shards(folder: Path) -> Shards:
    """Every tensor that can be read. Raises ConfigurationError where there is no safetensors file at all."""
    index, problems = _index(folder)
    present = {file.name: file for file in sorted(folder.glob("*.safetensors"))}
    if not present:
        raise ConfigurationError(_no_weights(folder))
    named = sorted(set(index["weight_map"].values())) if index else list(present)
    shards = Shards({}, set(), problems)
    for name in named:
        _read(name, present, index, shards)
    if index:
        shards.findings.extend(_against_index(index, shards))
        if besides := sorted(set(present) - set(named)):
            shards.findings.append(
                _finding(
                    "note", "files-besides", besides[0], f"{len(besides)} files", "weights that the index does not name; nobody loads them"
                )
            )
    if not shards.tensors:
        raise ConfigurationError(f"{folder}: no tensor can be read: {shards.findings[0].meaning}")
    return shards


def _read(name: str, present: dict[str, Path], index: dict[str, Any] | None, shards: Shards) -> None:
    told = {tensor for tensor, shard in index["weight_map"].items() if shard == name} if index else set[str]()
    if name not in present:
        meaning = "the index names a shard that is not there: an upload or download that was not finished"
        shards.findings.append(_finding("error", "shard-missing", name, f"{len(told)} tensors", meaning))
        shards.lost.update(told)
        return
    try:
        header = read_header(present[name])
    except ShardError as error:
        shards.findings.append(_finding("error", "shard-unreadable", name, f"{len(told) or 'all its'} tensors", str(error)))
        shards.lost.update(told)
        return
    size = present[name].stat().st_size
    ends = max((stored.begin + stored.size_bytes for stored in header.values()), default=size)
    if ends != size:
        beyond = {one.name for one in header.values() if one.begin + one.size_bytes > size}
        short = f"{size:,} of {ends:,} bytes"
        meaning = (
            f"cut off, {len(beyond)} tensors with it: fetch it again"
            if ends > size
            else "more bytes than its header describes: two writers"
        )
        shards.findings.append(_finding("error", "shard-truncated" if ends > size else "shard-too-long", name, short, meaning))
        shards.lost.update(beyond)
        header = {tensor: one for tensor, one in header.items() if tensor not in beyond}
    for stored in header.values():
        if stored.dtype not in STORED:
            if stored.dtype in NOT_READ:
                meaning = "a dtype of safetensors that we do not read; vLLM decides"
                shards.findings.append(_finding("note", "not-looked-inside", stored.name, stored.dtype, meaning))
            else:
                shards.findings.append(_finding("error", "dtype-unknown", stored.name, stored.dtype, "safetensors has no such dtype"))
            shards.lost.add(stored.name)
        elif stored.name in shards.tensors:
            meaning = "stored in two shards; which one counts depends on the loader"
            shards.findings.append(
                _finding("error", "tensor-twice", stored.name, f"{shards.tensors[stored.name].file.name} and {name}", meaning)
            )
        else:
            shards.tensors[stored.name] = stored


def _index(folder: Path) -> tuple[dict[str, Any] | None, list[Finding]]:
    """The index, or None where there is none (one file needs none)."""
    file = folder / INDEX
    if not file.is_file():
        return None, []
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
        if all(isinstance(shard, str) for shard in raw["weight_map"].values()):
            return raw, []
        value = "a shard that is no file name"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        value = f"{type(error).__name__}: {error}"
    return None, [_finding("error", "index-malformed", INDEX, value, "no loader can read this index; write it again")]


def _against_index(index: dict[str, Any], shards: Shards) -> Iterator[Finding]:
    told = index["weight_map"]
    for name, shard in told.items():
        if name in shards.lost:
            continue
        if name not in shards.tensors:
            shards.lost.add(name)
            yield _finding("error", "index-without-tensor", name, shard, "the index places a tensor in a shard that does not hold it")
        elif shards.tensors[name].file.name != shard:
            elsewhere = shards.tensors[name].file.name
            yield _finding("error", "index-elsewhere", name, f"{shard}, found in {elsewhere}", "the index belongs to another set of shards")
    for name in shards.tensors.keys() - told.keys():
        yield _finding("error", "tensor-not-in-index", name, shards.tensors[name].file.name, "loaders that go by the index never read it")
    total = (index.get("metadata") or {}).get("total_size")
    found = sum(stored.size_bytes for stored in shards.tensors.values())
    if total is not None and not shards.lost and total != found:
        yield _finding(
            "warning", "index-total-size", INDEX, f"total_size {total:,}, stored {found:,} bytes", "an index from before the last export"
        )


def _no_weights(folder: Path) -> str:
    pickles = sorted(file.name for pattern in PICKLES for file in folder.glob(pattern))
    if pickles:
        return (
            f"{folder} holds its weights as pickles alone ({pickles[0]}), which run code when they are opened; convert them to safetensors"
        )
    return f"{folder} is no checkpoint: it holds no *.safetensors file"


def _finding(severity: Severity, check: str, where: str, value: str, meaning: str) -> Finding:
    return Finding(severity=severity, area="structure", check=check, where=where, value=value, meaning=meaning)
