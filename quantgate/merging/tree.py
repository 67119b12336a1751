"""The merged folder: built whole beside its place, then moved into it.

A process that is killed while it builds leaves what was there before, and while it moves, a folder beside it with what was there
before, which the next merge puts back or clears away. What others have put into the output folder stays in it.
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from quantgate.errors import ConfigurationError
from quantgate.merging.parts import Found, Key, Part
from quantgate.records import HARNESS, INSPECTION, VERDICT, topk_of

LOGS = "server*.log"


@contextlib.contextmanager
def beside(into: Path) -> Iterator[Path]:
    """A new folder beside `into`, which goes when this is over; nobody else merges into the same one meanwhile.

    Raises ConfigurationError where it cannot be made.
    """
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
        with _alone(into):
            _repair(into)
            for left in into.parent.glob(f"{_prefix(into)}*"):
                shutil.rmtree(left)  # of a merge that was killed
            with TemporaryDirectory(dir=into.parent, prefix=_prefix(into), ignore_cleanup_errors=True) as name:
                yield Path(name) / into.name
    except OSError as error:
        raise ConfigurationError(
            f"-o {into} cannot be written: {error.strerror or error}; name a folder of yours with space in it"
        ) from error


def _prefix(into: Path) -> str:
    return f".{into.name}.merging-"


def _before(into: Path) -> Path:
    return into.with_name(f".{into.name}.before-merging")


@contextlib.contextmanager
def _alone(into: Path) -> Iterator[None]:
    descriptor = os.open(into.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # a file system that locks no folders, as some over a network
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def move(tree: Path, into: Path) -> None:
    """Put the folder that was built into its place, flushed to the disk; what stood there goes, but for what others have put there."""
    _flush(tree)
    if into.exists():
        into.rename(_before(into))
    tree.rename(into)
    _repair(into)


def _flush(folder: Path) -> None:
    """All that was written to its file system, at once: one file after the other, ten thousand take minutes."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        ctypes.CDLL(None).syncfs(descriptor)
    finally:
        os.close(descriptor)


def _repair(into: Path) -> None:
    """What a move has left beside its place: put back where nothing is in it, else taken over file by file and cleared away."""
    before = _before(into)
    if not before.exists():
        return
    if not into.exists():
        before.rename(into)
        return
    for file in sorted(before.rglob("*")):
        new = into / file.relative_to(before)
        if file.is_dir() or file.name.endswith(VERDICT) or new.exists():
            continue
        new.parent.mkdir(parents=True, exist_ok=True)
        file.rename(new)
    shutil.rmtree(before)


def fill(tree: Path, parts: Sequence[Part], records: Mapping[Key, Found]) -> None:
    """Copy the records, and what lies beside them: likeliest tokens, other harnesses' files, what was found in a checkpoint's files, and
    the servers' logs, which go into a folder of their host."""
    for folder in {key[:2] for key in records}:
        (tree / folder[0] / folder[1]).mkdir(parents=True)
    for (family, checkpoint, suite), record in records.items():
        place = tree / family / checkpoint
        shutil.copyfile(record.file, place / record.file.name)
        if (topk := topk_of(record.file)).is_file():
            shutil.copyfile(topk, place / topk.name)
        if (harness := record.file.with_name(f"{suite}{HARNESS}")).is_dir():
            shutil.copytree(harness, place / harness.name)
    for part in parts:
        for file in sorted(part.folder.glob(f"*/*/{INSPECTION}")):
            place = tree / file.relative_to(part.folder)
            if not place.exists() or file.read_bytes() < place.read_bytes():  # one of two, whatever the order
                _copy(file, place)
        host = part.shard.host if part.shard is not None else "unknown-host"
        for file in sorted(part.folder.glob(f"*/*/{LOGS}")):
            _copy_log(file, tree / file.parent.relative_to(part.folder) / _name(host))
        for file in sorted(part.folder.glob(f"*/*/*/{LOGS}")):  # of an earlier merge
            if not file.parent.name.endswith(HARNESS):
                _copy_log(file, tree / file.parent.relative_to(part.folder))


def _name(host: str) -> str:
    """As a folder."""
    return host.replace("/", "-").lstrip(".") or "unknown-host"


def _copy_log(file: Path, folder: Path) -> None:
    """Under its own name, or with a number where another log of that host has it."""
    content, number, place = file.read_bytes(), 1, folder / file.name
    while place.exists() and place.read_bytes() != content:
        number += 1
        place = folder / f"{file.stem}-{number}{file.suffix}"
    _copy(file, place)


def _copy(file: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, place)
