"""One process's part of a load: its connections, its requests, and what it cost.

Closed loop: every connection asks its next request as soon as the last is answered. Open loop: requests come due at
given times, whatever the server does, and wait only where all connections are busy.
"""

import asyncio
import contextlib
import ctypes
import gc
import os
import struct
import time
from collections.abc import Iterator

import msgspec

from quantgate.measure.load.connection import Connection
from quantgate.measure.load.outcome import Answered, Outcome, RequestError, Unsent
from quantgate.measure.load.target import Target

SILENCE_SECONDS = 300.0
LEAST_FAILURES = 4
"""So many failures in a row, or as many as there are connections, mean that nothing works."""
PERIOD_NS = 4_000_000
_CLOCK_MONOTONIC, _ABSOLUTE = 1, 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class Job(msgspec.Struct, frozen=True):
    """What one process asks in one round. `due_ns`: when each request comes due, after the start; None: closed loop."""

    target: Target
    bodies: list[bytes]
    concurrency: int
    max_tokens: int
    stream: bool = True
    due_ns: list[int] | None = None
    first_connection: int = 0
    silence_seconds: float = SILENCE_SECONDS


class Report(msgspec.Struct, frozen=True):
    """What came of it: outcomes, the round's limits and cost. `cpu_seconds` are the whole process's."""

    outcomes: list[Outcome]
    started_ns: int
    ended_ns: int
    cpu_seconds: float
    lags_ns: list[int]

    @property
    def cpu_share(self) -> float:
        """CPU seconds a second: 1 is a whole core, and more than one a Python process cannot use."""
        return self.cpu_seconds / max(1e-9, (self.ended_ns - self.started_ns) / 1e9)


class Client:
    """Runs one job: `open` first, so that connecting is not part of the round, then `run`."""

    def __init__(self, job: Job) -> None:
        self._job = job
        count = min(job.concurrency, len(job.bodies))
        self._connections = [
            Connection(job.target, job.first_connection + place, job.max_tokens, stream=job.stream) for place in range(count)
        ]
        self._outcomes: list[Outcome] = []
        self._failed_in_a_row = 0

    async def open(self) -> None:
        """Connect; a connection that cannot be made is tried again, and counted, with its first request."""
        with contextlib.suppress(RequestError):
            for connection in self._connections:
                await connection.open()

    async def run(self, start_ns: int = 0) -> Report:
        """Ask everything from `start_ns` on (of the monotonic clock; 0: at once)."""
        probe = LagProbe()
        with _no_collection():
            await asyncio.sleep(max(0.0, (start_ns - time.monotonic_ns()) / 1e9))
            started_ns, cpu_seconds = time.monotonic_ns(), time.process_time()
            watch = asyncio.create_task(self._watch())
            probe.start()
            try:
                await (self._closed() if self._job.due_ns is None else self._open_loop(started_ns, self._job.due_ns))
                ended_ns, cpu_seconds = time.monotonic_ns(), time.process_time() - cpu_seconds
            finally:
                probe.stop()
                watch.cancel()
                self.close()
        self._outcomes += [Unsent()] * (len(self._job.bodies) - len(self._outcomes))
        return Report(self._outcomes, started_ns, ended_ns, cpu_seconds, probe.lags_ns)

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    async def _closed(self) -> None:
        bodies = iter(self._job.bodies)

        async def work(connection: Connection) -> None:
            for body in bodies:
                await self._ask(connection, body)
                if self._nothing_works():
                    return

        async with asyncio.TaskGroup() as group:
            for connection in self._connections:
                group.create_task(work(connection))

    async def _open_loop(self, started_ns: int, due_ns: list[int]) -> None:
        idle: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        for connection in reversed(self._connections):
            idle.put_nowait(connection)

        async def ask(connection: Connection, body: bytes, due: int | None) -> None:
            await self._ask(connection, body, due)
            idle.put_nowait(connection)

        async with asyncio.TaskGroup() as group:
            for after_ns, body in zip(due_ns, self._job.bodies, strict=True):
                due = started_ns + after_ns
                if (wait := (due - time.monotonic_ns()) / 1e9) > 0:
                    await asyncio.sleep(wait)
                waits = idle.empty()
                connection = await idle.get()
                if self._nothing_works():
                    return
                group.create_task(ask(connection, body, due if waits else None))

    async def _ask(self, connection: Connection, body: bytes, due_ns: int | None = None) -> None:
        try:
            outcome: Answered = await connection.ask(body, due_ns)
        except RequestError as error:
            self._outcomes.append(error.failed)
            self._failed_in_a_row += 1
        else:
            self._outcomes.append(outcome)
            self._failed_in_a_row = 0

    def _nothing_works(self) -> bool:
        return self._failed_in_a_row >= max(LEAST_FAILURES, len(self._connections))

    async def _watch(self) -> None:
        """Look for silent connections now and then: a timer for each chunk would cost more than the chunk."""
        while True:
            await asyncio.sleep(self._job.silence_seconds / 20)
            for connection in self._connections:
                connection.give_up_if_silent(time.monotonic_ns(), self._job.silence_seconds)


async def run_job(job: Job) -> Report:
    """Open and run, in this process."""
    client = Client(job)
    try:
        await client.open()
        return await client.run()
    finally:
        client.close()


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection during a round: in a process as large as pytest one takes tens of milliseconds, out of some token's gap."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class LagProbe:
    """Measures between `start` and `stop`, on the running loop."""

    def __init__(self, period_ns: int = PERIOD_NS) -> None:
        self.lags_ns: list[int] = []
        self._period_ns = period_ns
        self._timer = -1
        self._due_ns = 0

    def start(self) -> None:
        self._timer = _LIBC.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._timer < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        self._due_ns = time.monotonic_ns() + self._period_ns
        period, first = divmod(self._period_ns, 1_000_000_000), divmod(self._due_ns, 1_000_000_000)
        _LIBC.timerfd_settime(self._timer, _ABSOLUTE, struct.pack("4q", *period, *first), None)
        asyncio.get_running_loop().add_reader(self._timer, self._wake)

    def stop(self) -> None:
        if self._timer >= 0:
            self._wake()  # what came due since the last wake counts as well
            asyncio.get_running_loop().remove_reader(self._timer)
            os.close(self._timer)
            self._timer = -1

    def _wake(self) -> None:
        try:
            (times,) = struct.unpack("Q", os.read(self._timer, 8))
        except BlockingIOError:
            return  # not due
        now_ns = time.monotonic_ns()
        for _ in range(times):
            self.lags_ns.append(max(0, now_ns - self._due_ns))
            self._due_ns += self._period_ns
