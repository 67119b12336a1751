"""Records as files: JSON as the contract has it, whole or not at all.

Reading ignores keys that it does not know. Writing goes beside the file and moves into place, so that a reader
sees the old record or the new one, never half of one.
"""

import math
import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from quantgate.errors import MeasurementError
from quantgate.records.measurements import Measurement
from quantgate.records.verdict import Verdict

T = TypeVar("T")
VERDICT = ".verdict.json"
UNFINISHED = ".unfinished.jsonl"
HARNESS = ".harness"
"""Behind a suite's name: the folder of another harness's own files, log and results."""


def decode(content: bytes, wanted: type[T], where: str) -> T:
    """Parse a record; raises MeasurementError that names the file and the place."""
    try:
        return msgspec.json.decode(content, type=wanted)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MeasurementError(f"{where} is no usable record: {error}") from error


def encode(record: Any) -> bytes:
    """A record as JSON; raises MeasurementError where a number is not finite, naming the first such place."""
    plain = _without_halves(msgspec.to_builtins(record))
    if (place := _not_finite(plain, "")) is not None:
        raise MeasurementError(f"a record with a number that is not finite at {place} is not written: measure again")
    return _lines(plain).encode() + b"\n"


def _lines(plain: dict[str, Any]) -> str:
    """JSON for a person's review: a line for each key, and for each entry of a list of objects."""
    parts = []
    for key, value in plain.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            entries = ",\n  ".join(_line(entry) for entry in value)
            parts.append(f"{_line(key)}: [\n  {entries}\n ]")
        elif isinstance(value, dict) and key == "provenance":
            entries = ",\n  ".join(f"{_line(name)}: {_line(part)}" for name, part in value.items())
            parts.append(f"{_line(key)}: {{\n  {entries}\n }}")
        else:
            parts.append(f"{_line(key)}: {_line(value)}")
    return "{\n " + ",\n ".join(parts) + "\n}"


def _line(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _without_halves(value: Any) -> Any:
    """Halves of surrogate pairs, which a server can send in JSON and UTF-8 cannot hold, as U+FFFD."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_without_halves(key): _without_halves(part) for key, part in value.items()}
    return [_without_halves(part) for part in value] if isinstance(value, list | tuple) else value


def _not_finite(value: Any, place: str) -> str | None:
    if isinstance(value, float):
        return None if math.isfinite(value) else place
    if isinstance(value, dict):
        parts = [(f"{place}.{key}", part) for key, part in value.items()]
    elif isinstance(value, list | tuple):
        parts = [(f"{place}[{number}]", part) for number, part in enumerate(value)]
    else:
        return None
    return next((found for name, part in parts if (found := _not_finite(part, name)) is not None), None)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all (beside, flushed to disk, moved into place)."""
    write_together({path: content})


def write_together(contents: Mapping[Path, bytes | None]) -> None:
    """Write several files of one folder, all or none, in this order; None: there shall be no such file.

    Every file is on the disk before the first is moved into place. What fails after that puts back what was there; a process that is
    killed then leaves some files new and some old, so that the last should say which others belong to it.
    """
    with ExitStack() as left_over, ExitStack() as put_back:
        ready = [(path, None if content is None else _beside(path, content, left_over)) for path, content in contents.items()]
        for path, new in ready:
            before = path.read_bytes() if len(ready) > 1 and path.is_file() else None
            if new is None:
                path.unlink(missing_ok=True)
            else:
                new.replace(path)
            if len(ready) > 1:
                put_back.callback(_restore, path, before)
        put_back.pop_all()


def _beside(path: Path, content: bytes, left_over: ExitStack) -> Path:
    """A file with that content in the folder of `path`, which goes with `left_over` if it is still there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    left_over.callback(Path(name).unlink, missing_ok=True)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(name, 0o644)  # noqa: PTH101 (a name from mkstemp, 0600 until here)
    return Path(name)


def _restore(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    else:
        write_whole(path, content)


def unfinished_of(folder: Path, family: str, checkpoint: str, suite: str) -> Path:
    """Where the answers of a measurement are kept until its record is written."""
    return folder / family / checkpoint / f"{suite}{UNFINISHED}"


def harness_folder_of(folder: Path, family: str, checkpoint: str, suite: str) -> Path:
    """Where another harness writes while it makes a measurement; what it wrote stays there."""
    return folder / family / checkpoint / f"{suite}{HARNESS}"


def verdict_file(folder: Path, verdict: Verdict, *, drift: bool = False) -> Path:
    """Where a verdict lies: `<suite>[.<aspect>][.drift].verdict.json` in the checkpoint's folder."""
    aspect = f".{verdict.aspect}" if verdict.aspect else ""
    return folder / verdict.family / verdict.checkpoint / f"{verdict.suite}{aspect}{'.drift' if drift else ''}{VERDICT}"


def write_record(folder: Path, record: Measurement | Verdict, *, drift: bool = False) -> Path:
    """Write DIR/<family>/<checkpoint>/<suite>.json, `<suite>[.<aspect>][.drift].verdict.json` for a verdict; returns the path.

    A measurement takes the verdicts on the one before it away: beside a new one that could not be judged they would seem its own. What
    was kept while it was made goes once the record is there.
    """
    place = folder / record.family / record.checkpoint
    content = encode(record)
    if isinstance(record, Verdict):
        path = verdict_file(folder, record, drift=drift)
    else:
        path = place / f"{record.suite}.json"
        for aspect, since in product(("", ".length", ".ttft"), ("", ".drift")):
            (place / f"{record.suite}{aspect}{since}{VERDICT}").unlink(missing_ok=True)
    write_whole(path, content)
    if not isinstance(record, Verdict):
        unfinished_of(folder, record.family, record.checkpoint, record.suite).unlink(missing_ok=True)
    return path
