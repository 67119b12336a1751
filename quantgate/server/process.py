"""A server process under its watchdog, as pytest holds it: start, ask how it is, stop."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from quantgate.errors import ServerError
from quantgate.server import watchdog

STOP_SECONDS = 8.0  # from SIGTERM to SIGKILL; with what the kills take, below the 15 s in which a device must be free again
PATIENCE_SECONDS = 5.0  # for the watchdog's own work


class Ended(msgspec.Struct, frozen=True):
    """How a server ended. `code`: its exit code, negative for a signal, None where nobody knows; `killed`: processes that had to be."""

    code: int | None = None
    left: list[int] = []
    killed: int = 0
    seconds: float = 0.0


class Process:
    """A command in the care of `watchdog.py`, which outlives pytest for as long as a process of the command lives."""

    def __init__(
        self,
        command: Sequence[str],
        env: dict[str, str],
        log: Path,
        scratch: Path,
        cores: Collection[int] = (),
        keep_open: Sequence[int] = (),
    ) -> None:
        """`scratch` is removed at the end; `keep_open`: descriptors (locks) that are to stay open until then."""
        report, theirs = os.pipe()
        task = {
            "command": list(command),
            "log": str(log),
            "scratch": str(scratch),
            "cores": sorted(cores),
            "report": theirs,
            "stop_seconds": STOP_SECONDS,
        }
        os.set_blocking(report, False)
        self._report, self._heard, self._told = report, b"", dict[str, object]()
        # A session of its own: whoever kills pytest's process group or closes its terminal does not kill the one who cleans up.
        self._watchdog = subprocess.Popen(
            [sys.executable, "-IS", watchdog.__file__, json.dumps(task)],
            env=env,
            stdin=subprocess.PIPE,
            pass_fds=(theirs, *keep_open),
            start_new_session=True,
        )
        os.close(theirs)

    @property
    def watchdog_pid(self) -> int:
        """The process whose descendants are the server's processes."""
        return self._watchdog.pid

    @property
    def pid(self) -> int | None:
        """The API server; None until the watchdog has said so."""
        self._listen()
        found = self._told.get("pid")
        return found if isinstance(found, int) else None

    def has_ended(self) -> bool:
        """Whether the server has ended, or its watchdog has, in which case it is about to."""
        self._listen()
        return "exit" in self._told or self._watchdog.poll() is not None

    @property
    def exit_code(self) -> int | None:
        """Of the server, negative for a signal; None while it runs, and where nobody knows."""
        self._listen()
        found = self._told.get("exit")
        return found if isinstance(found, int) else None

    def let_go(self, *, at_once: bool = False) -> None:
        """Have the watchdog end it, and do not wait; `at_once` without asking it first. Safe to call again."""
        pipe = self._watchdog.stdin
        assert pipe is not None
        if not pipe.closed:
            try:
                if at_once:
                    pipe.write(b"k")
                pipe.close()
            except BrokenPipeError:
                pass  # it has ended already

    def stop(self) -> Ended:
        """End it with everything that belongs to it, and say how it went; safe to call again.

        Raises ServerError where a process outlives SIGKILL (state D: a driver that hangs), or the watchdog says nothing.
        """
        self.let_go()
        try:
            self._watchdog.wait(STOP_SECONDS + 2 * watchdog.KILL_SECONDS + PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise ServerError(
                f"the watchdog (pid {self._watchdog.pid}) of a server does not end; look for processes in state D below it"
            ) from None
        self._listen()
        code, left = self._told.get("exit"), self._told.get("left", [])
        ended = msgspec.convert({**self._told, "code": code, "left": left}, Ended)
        if ended.left:
            raise ServerError(f"processes {', '.join(map(str, ended.left))} outlived SIGKILL; look for state D, a driver that hangs")
        return ended

    def wait_for_end(self, seconds: float) -> bool:
        """Whether the server ends within this time."""
        deadline = time.monotonic() + seconds
        while not self.has_ended():
            if time.monotonic() > deadline:
                return False
            time.sleep(watchdog.POLL_SECONDS / 2)
        return True

    def _listen(self) -> None:
        if self._report < 0:
            return
        try:
            while data := os.read(self._report, 4096):
                self._heard += data
        except BlockingIOError:
            pass
        else:
            os.close(self._report)
            self._report = -1
        *lines, self._heard = self._heard.split(b"\n")
        for line in lines:
            self._told |= json.loads(line)
