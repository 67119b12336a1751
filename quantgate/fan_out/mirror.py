"""A folder that is written on one machine and kept alike on another, by pieces of files: records whole, what grows by what it grew."""

import contextlib
import os
import stat
from collections.abc import Generator, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from quantgate.errors import RecordError
from quantgate.fan_out.wire import CHUNK_BYTES, Piece

GROWS = (".log", ".jsonl", ".txt")
"""Files of these endings are appended to; of any other the whole is sent when it is another one."""
LEFT_OUT = (".lock",)
TEMPORARY = ".tmp"
MOST_BYTES = 1 << 28
"""Of a file that grows; what comes behind is left on the node."""


class Seen(NamedTuple):
    inode: int
    size: int
    changed_ns: int


class Mirror:
    """What of `folder` has been told already."""

    def __init__(self, folder: Path, told: bool = False) -> None:
        self._folder, self._seen = folder, dict[str, Seen]()
        if told:
            self._seen = dict(_files(folder))

    def changes(self) -> Iterator[Piece]:
        """What is new since the last time, in the order of paths; a file that is being moved into place is told the next time."""
        now = dict(_files(self._folder))
        for name, seen in now.items():
            before = self._seen.get(name)
            if seen == before:
                continue
            start = 0
            if before is not None and name.endswith(GROWS) and seen.inode == before.inode and seen.size >= before.size:
                start = before.size
            with contextlib.suppress(FileNotFoundError):
                sent = yield from _pieces(self._folder / name, name, start, seen)
                self._seen[name] = Seen(seen.inode, sent, seen.changed_ns)
        for name in sorted(self._seen.keys() - now.keys()):  # last: what was answered so far goes only once its record is there
            del self._seen[name]
            yield Piece(name, is_gone=True)


def _files(folder: Path) -> Iterator[tuple[str, Seen]]:
    """Plain files, sorted by path; neither locks nor what is written beside its place."""
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.startswith(".") or name in LEFT_OUT or name.endswith(TEMPORARY):
                continue
            with contextlib.suppress(FileNotFoundError):
                file = Path(root, name)
                found = file.lstat()
                if stat.S_ISREG(found.st_mode):
                    yield file.relative_to(folder).as_posix(), Seen(found.st_ino, found.st_size, found.st_mtime_ns)


def _pieces(file: Path, name: str, start: int, seen: Seen) -> Generator[Piece, None, int]:
    """Returns where it ended. Only what grows comes in several pieces: of anything else half is nothing."""
    with file.open("rb") as opened:
        if not name.endswith(GROWS):
            yield Piece(name, opened.read())
            return seen.size
        opened.seek(start)
        place, is_first = start, start == 0
        while is_first or place < min(seen.size, MOST_BYTES):
            data = opened.read(min(CHUNK_BYTES, max(0, min(seen.size, MOST_BYTES) - place)))
            yield Piece(name, data, None if is_first else place)
            if not data:
                break
            place, is_first = place + len(data), False
    return max(place, seen.size)


def put(folder: Path, piece: Piece) -> Path:
    """Do to the folder what the piece says; whole files come into place whole. Raises RecordError for a path that leads out of it."""
    path = PurePosixPath(piece.path)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise RecordError(f"a node sent a file named {piece.path!r}, which leads out of {folder}: nothing of it was written")
    file = folder / path
    if piece.is_gone:
        file.unlink(missing_ok=True)
        return file
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if piece.offset is None:
        beside = file.with_name(f".{file.name}{TEMPORARY}")
        beside.write_bytes(piece.data)
        beside.replace(file)
        return file
    with file.open("r+b" if file.exists() else "w+b") as opened:
        opened.truncate(piece.offset)
        opened.seek(piece.offset)
        opened.write(piece.data)
    return file


def all_of(folder: Path) -> list[Piece]:
    """The whole folder."""
    return list(Mirror(folder).changes())
