"""One program from its start to the moment when nothing of it is left: clocks, what it prints, and the token that means success."""

import contextlib
import os
import secrets
import selectors
import signal
import time

from quantgate.sandbox.limits import Limits, Outcome, Ran
from quantgate.sandbox.starting import pipe, plain, sandboxed

TAIL_BYTES = 4096


def execute(source: str, limits: Limits, *, unsafe: bool) -> Ran:
    """Run one Python program, in bubblewrap or (unsafe) as it is, and return when every process of its namespace is gone.

    Raises ConfigurationError where bwrap is missing, MeasurementError where the program's processes do not end.
    """
    token = secrets.token_hex(16).encode()
    with contextlib.ExitStack() as stack:
        output, output_to = pipe(stack)
        result, result_to = pipe(stack)
        token_from, token_to = pipe(stack)
        token_to.write(token)
        fds = {"result_fd": result_to.fileno(), "token_fd": token_from.fileno()}
        begin = plain if unsafe else sandboxed
        program = stack.enter_context(begin(source, limits, fds, output_to.fileno()))
        for end in (output_to, result_to, token_from, token_to):
            end.close()
        started = time.monotonic()
        watch = _Watch(output.fileno(), result.fileno(), limits)
        with os.fdopen(os.pidfd_open(program.process.pid)) as ended:
            ended_by = watch.until(ended.fileno(), started + limits.wall_s)
        exit_code = program.end()
        watch.drain()
        seconds = time.monotonic() - started
        return Ran(_outcome(watch, token, ended_by, exit_code), exit_code, seconds, watch.tail.decode("utf-8", "replace"))


def _outcome(watch: "_Watch", token: bytes, ended_by: Outcome | None, exit_code: int) -> Outcome:
    if watch.too_much:
        return "too_much_output"
    if watch.said == b"started\n" + token:
        return "passed"
    if ended_by == "timed_out" or exit_code == 128 + signal.SIGXCPU:
        return "timed_out"
    if not watch.said.startswith(b"started\n"):
        return "refused"
    return "killed" if exit_code > 128 else "failed"


class _Watch:
    """What arrives from a program: its output, counted and kept at the end, and what inside.py says."""

    def __init__(self, output: int, result: int, limits: Limits) -> None:
        self.output, self.result, self.left = output, result, limits.output_kib * 1024
        self.tail, self.said = b"", b""
        for fd in (output, result):
            os.set_blocking(fd, False)

    @property
    def too_much(self) -> bool:
        return self.left < 0

    def until(self, process_fd: int, deadline: float) -> Outcome | None:
        """Return when the process has ended (None), or why it has to be ended."""
        with selectors.DefaultSelector() as selector:
            for fd in (self.output, self.result, process_fd):
                selector.register(fd, selectors.EVENT_READ)
            while (left_s := deadline - time.monotonic()) > 0:
                ready = {key.fd for key, _ in selector.select(left_s)}
                for fd in ready - {process_fd}:
                    if not self._take(fd):
                        selector.unregister(fd)
                if self.too_much:
                    return "too_much_output"
                if process_fd in ready:
                    return None
        return "timed_out"

    def drain(self) -> None:
        """Read what still lies in the pipes; never more than they hold, should somebody who escaped (unsafe only) still write."""
        for fd in (self.output, self.result):
            for _ in range(64):
                if self.too_much or not self._take(fd):
                    break

    def _take(self, fd: int) -> bool:
        """False: nothing there, or nobody left who could write."""
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return False
        if fd == self.result:
            self.said = (self.said + data)[:256]
        else:
            self.left -= len(data)
            self.tail = (self.tail + data)[-TAIL_BYTES:]
        return bool(data)
