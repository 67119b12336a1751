"""A client process of its own (`main`), spoken to in msgpack over its standard input and output.

Job in; Ready out, once connected; the start in (nanoseconds of the monotonic clock, which all processes share); Report
out; and again, until the input ends. Each frame is four bytes of length and so many of msgpack. The key comes with the
job, through the pipe, so that neither a process list nor an environment shows it.
"""

import asyncio
import ctypes
import os
import signal
import struct
import sys
from typing import IO, Any, TypeVar

import msgspec

from quantgate.measure.load.client import Client, Job, Report

_PR_SET_PDEATHSIG = 1

T = TypeVar("T")


class Ready(msgspec.Struct, frozen=True):
    """The worker is connected, and waits for the start."""

    pid: int


def send(pipe: IO[bytes], message: Any) -> None:
    content = msgspec.msgpack.encode(message)
    pipe.write(struct.pack("<I", len(content)) + content)
    pipe.flush()


def receive(pipe: IO[bytes], wanted: type[T]) -> T | None:
    """The next message, or None where the other side has ended."""
    header = pipe.read(4)
    if len(header) < 4:
        return None
    (length,) = struct.unpack("<I", header)
    content = pipe.read(length)
    return msgspec.msgpack.decode(content, type=wanted) if len(content) == length else None


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole terminal; our parent ends us
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    wanted, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything prints goes to standard error, not between the frames
    while (job := receive(wanted, Job)) is not None:
        if (report := asyncio.run(_one(job, wanted, answers))) is None:
            return
        send(answers, report)


async def _one(job: Job, wanted: IO[bytes], answers: IO[bytes]) -> Report | None:
    client = Client(job)
    try:
        await client.open()
        send(answers, Ready(os.getpid()))
        start_ns = receive(wanted, int)
        return None if start_ns is None else await client.run(start_ns)
    finally:
        client.close()
