"""What goes to a node and what comes back: a job, and news of it, as frames of msgpack with their length before each.

Nothing in them is of the environment of whoever started it: what a node needs to reach a hub or a store, it has itself.
"""

import os
import struct
from collections.abc import Iterator
from typing import Literal

import msgspec

LENGTH = struct.Struct(">I")
CHUNK_BYTES = 1 << 22
"""The most of a file in one piece of news."""
RECORDS, BASELINES = "records", "baselines"
"""The two folders of a unit, on its node and here."""


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """Bytes of a file below the unit's folder: `offset` None: the file is these bytes; a number: they stand there, and the file is as
    long as it was until there; `is_gone`: the file is no longer there."""

    path: str
    data: bytes = b""
    offset: int | None = None
    is_gone: bool = False


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """`commands`: pytests, one after the other, in which {python} and {folder} stand for the node's Python and for the unit's folder there;
    `project`: where they run, None: where the node's worker runs (a folder that was shipped); `seconds`: until when they have to be
    over, None: ever; `pieces`: what is put into the folder before.
    """

    commands: list[list[str]]
    project: str | None = None
    seconds: float | None = None
    pieces: list[Piece] = []


class News(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Of `host`: what its pytest said, pieces of files, and at the end `codes`, the exit code of each pytest that ran (negative: a signal),
    `was_stopped`: it was told to stop, or its time was over; `trouble`: why nothing could be run."""

    kind: Literal["begun", "news", "ended"] = "news"
    host: str = ""
    said: bytes = b""
    pieces: list[Piece] = []
    codes: list[int] = []
    was_stopped: bool = False
    trouble: str | None = None


def pack(message: Job | News) -> bytes:
    """One frame."""
    content = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(content)) + content


def unpack_news(content: bytes) -> News:
    return msgspec.msgpack.decode(content, type=News)


def unpack_job(content: bytes) -> Job:
    return msgspec.msgpack.decode(content, type=Job)


def frames(descriptor: int) -> Iterator[bytes]:
    """The contents of the frames that are read from a descriptor, until its end; half a frame at the end is none."""
    while (head := _read(descriptor, LENGTH.size)) is not None:
        if (content := _read(descriptor, LENGTH.unpack(head)[0])) is None:
            return
        yield content


def _read(descriptor: int, count: int) -> bytes | None:
    parts = []
    while count:
        if not (part := os.read(descriptor, min(count, 1 << 20))):
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
