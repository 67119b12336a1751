"""Which part of a matrix a folder of records is: `shard.json`, by which `merge` knows the parts of one whole and sees that one is missing.

It is written when a run begins and again when it ends, whole each time: a shard whose host was lost has begun and never ended.
"""

from pathlib import Path

import msgspec

from quantgate.errors import RecordError
from quantgate.records.files import write_whole

SHARD = "shard.json"
"""Below the folder of records; no name that ends as a record's, since a record lies two folders deeper."""


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """Part `index` (from 1) of `count`.

    `matrix`: all that was selected, of every part, and `mine`: what of it this part measures, both as "family/checkpoint:suite", sorted;
    `cut`: the families of each part, in order; `models_sha256`: of models.toml's bytes; `device_class`: of the slot that it ran on;
    `inconclusive`, `must_run`: pytest's options of these names; `started`, `ended`: UTC in ISO 8601, `ended` and `exit_code` (pytest's)
    None until it has; `quantgate`: the version. `merged_from`: in what `quantgate merge` wrote, the folders that went in.
    """

    index: int
    count: int
    matrix: list[str]
    mine: list[str]
    cut: list[list[str]]
    models_sha256: str
    device_class: str
    inconclusive: str
    must_run: bool
    host: str
    started: str
    ended: str | None = None
    exit_code: int | None = None
    quantgate: str = ""
    merged_from: list[str] = []


def read_shard(folder: Path) -> Shard | None:
    """What `folder`/shard.json says; None where there is no such file. Raises RecordError where it is there and is none."""
    file = folder / SHARD
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RecordError(f"{file} cannot be read: {error.strerror}; make it readable, or leave this folder out") from error
    try:
        found = msgspec.json.decode(content, type=Shard)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(
            f"{file} says nothing of a shard: {error}; run that shard again, or take the file away to merge a folder alone"
        ) from error
    if not 1 <= found.index <= found.count or len(found.cut) != found.count:
        raise RecordError(f"{file} says shard {found.index} of {found.count} with a cut into {len(found.cut)}: run that shard again")
    return found


def write_shard(folder: Path, shard: Shard) -> Path:
    """Write `folder`/shard.json whole or not at all; returns the path. Raises RecordError where it cannot be written."""
    file = folder / SHARD
    try:
        write_whole(file, msgspec.json.format(msgspec.json.encode(shard), indent=1) + b"\n")
    except OSError as error:
        raise RecordError(f"{file} cannot be written: {error.strerror}; make room, or name another folder with --records") from error
    return file
