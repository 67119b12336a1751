"""Whoever asks: this process alone, or several processes at once, behind one call."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator, Sequence
from types import TracebackType
from typing import Any, Protocol, TypeVar

import msgspec

from quantgate import interrupts
from quantgate.errors import MeasurementError
from quantgate.measure.load.client import Job, Report, run_job
from quantgate.measure.load.worker import Ready, receive, send

HEAD_START_SECONDS = 0.02
"""Between the word and the start, so that every worker has heard it."""

T = TypeVar("T")


class Guard(Protocol):
    """Something that is put around work, such as a watch over the server."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> Coroutine[Any, Any, T]: ...


class Crew:
    """`clients` processes: one is this one, more are workers, started here and ended by `close`."""

    def __init__(self, clients: int = 1) -> None:
        self.clients = clients
        self._workers: list[subprocess.Popen[bytes]] = []
        if clients > 1:
            command = [sys.executable, "-c", "from quantgate.measure.load.worker import main; main()"]
            with self._ended_on_failure():
                for _ in range(clients):
                    self._workers.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def run(self, job: Job, guard: "Guard | None" = None) -> list[Report]:
        """One report from each process. `guard` is put around the work, and may end it with an error of its own.

        Raises MeasurementError where a worker has died.
        """

        work = self._in_workers(job) if self._workers else self._here(job)
        return interrupts.run(guard(work) if guard is not None else work)

    @staticmethod
    async def _here(job: Job) -> list[Report]:
        return [await run_job(job)]

    async def _in_workers(self, job: Job) -> list[Report]:
        with self._ended_on_failure():  # first here, for a cancellation: without its workers the thread ends by itself
            return await asyncio.to_thread(self._round, job)

    def _round(self, job: Job) -> list[Report]:
        with self._ended_on_failure():
            pairs = list(zip(list(self._workers), split(job, self.clients), strict=False))
            for worker, part in pairs:
                self._send(worker, part)
            for worker, _ in pairs:
                self._receive(worker, Ready)
            start_ns = time.monotonic_ns() + int(HEAD_START_SECONDS * 1e9)
            for worker, _ in pairs:
                self._send(worker, start_ns)
            return [self._receive(worker, Report) for worker, _ in pairs]

    def close(self) -> None:
        """End the workers; safe at any time."""
        workers, self._workers = self._workers, []
        for worker in workers:
            for pipe in (worker.stdin, worker.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):  # a frame that the dead will not read
                        pipe.close()
        for worker in workers:
            worker.kill()  # between rounds it has nothing to lose
            worker.wait()

    @contextlib.contextmanager
    def _ended_on_failure(self) -> Iterator[None]:
        """Where anything fails, Ctrl-C too, workers are in the middle of a round: none is left, and the pipes say so to whoever waits."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _send(worker: "subprocess.Popen[bytes]", message: Job | int) -> None:
        assert worker.stdin is not None
        try:
            send(worker.stdin, message)
        except BrokenPipeError:
            raise _died(worker) from None

    @staticmethod
    def _receive(worker: "subprocess.Popen[bytes]", wanted: type[T]) -> T:
        assert worker.stdout is not None
        if (message := receive(worker.stdout, wanted)) is None:
            raise _died(worker)
        return message


def _died(worker: "subprocess.Popen[bytes]") -> MeasurementError:
    return MeasurementError(
        f"client process {worker.pid} ended with code {worker.wait()} in the middle of a round: what it printed says why"
    )


def split(job: Job, clients: int) -> list[Job]:
    """The job in as many parts as there are clients (or connections, if fewer), connections and requests shared out evenly.

    At a given rate every part keeps its requests' own times, so that together they come due as in one process.
    """
    count = min(clients, job.concurrency, len(job.bodies))
    parts, first = [], 0
    for place in range(count):
        concurrency = job.concurrency // count + (place < job.concurrency % count)
        parts.append(
            msgspec.structs.replace(
                job,
                bodies=job.bodies[place::count],
                concurrency=concurrency,
                due_ns=None if job.due_ns is None else job.due_ns[place::count],
                first_connection=first,
            )
        )
        first += concurrency
    return parts


def merged(reports: Sequence[Report]) -> Report:
    """Several reports as one: all outcomes, from the first start to the last end; the CPU seconds added up."""
    return Report(
        outcomes=[outcome for report in reports for outcome in report.outcomes],
        started_ns=min(report.started_ns for report in reports),
        ended_ns=max(report.ended_ns for report in reports),
        cpu_seconds=sum(report.cpu_seconds for report in reports),
        lags_ns=[lag for report in reports for lag in report.lags_ns],
    )


def usable_cores() -> int:
    return len(os.sched_getaffinity(0))
