"""A pytest that is run until it ends or its time is over: then it is asked to end as Ctrl-C asks, and made to if it does not."""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

GRACE_SECONDS = 60.0
"""From SIGINT to SIGKILL: servers are stopped in it, and what was answered so far is kept."""
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


class Ended(NamedTuple):
    """`code`: negative for a signal; `seconds`: wall; `was_stopped`: its time was over."""

    code: int
    seconds: float
    was_stopped: bool


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM (systemd, CI) interrupts inside as Ctrl-C does, so that a night that is ended still tells what it knows."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: object) -> NoReturn:  # noqa: ARG001 (a handler's signature)
    raise KeyboardInterrupt


def run_until(command: Sequence[str], stop_at: float, cwd: Path, output: int | None = None) -> Ended:
    """`stop_at`: on the monotonic clock. Raises KeyboardInterrupt when this process is interrupted, once the command has ended.

    It has a process group of its own, so that Ctrl-C reaches this process alone, which passes it on; and it is terminated where this
    process is killed, upon which its servers' watchdogs end those.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        list(command),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        process_group=0,
        preexec_fn=_ending_with(os.getpid()),  # noqa: PLW1509 (this process has one thread)
    )
    was_stopped = False
    try:
        process.wait(None if stop_at == float("inf") else max(0.0, stop_at - began))
    except subprocess.TimeoutExpired:
        was_stopped = True
        _stop(process)
    except BaseException:
        _stop(process)
        raise
    return Ended(process.returncode, time.monotonic() - began, was_stopped)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """A second Ctrl-C must not leave it half stopped."""
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        for number in (signal.SIGINT, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
                return
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _ending_with(parent: int) -> Callable[[], None]:
    """For the child, before it becomes the program: it heeds Ctrl-C, whatever this process was started with, and ends when it does."""

    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return prepare
