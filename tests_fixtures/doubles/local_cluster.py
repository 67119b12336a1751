"""A cluster without Ray: nodes on this machine, a real keeper for each attempt, and a node that can be killed with all that it runs."""

import contextlib
import os
import queue
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from quantgate.fan_out import Lost, Need, Place
from quantgate.fan_out.wire import Job, News, frames, pack, unpack_news

MARK = "QUANTGATE_KEEPER_OF_A_TEST"


class LocalAttempt:
    def __init__(self, node: str, job: Job, came: threading.Event) -> None:
        self.node, self._came, self.is_closed, self.is_dead = node, came, False, False
        named = dict(word[2:].split("=", 1) for word in job.commands[-1] if word.startswith("--") and "=" in word)
        self.unit = f"{named['family']}/{named['checkpoint']}"
        self._news: queue.SimpleQueue[News | None] = queue.SimpleQueue()
        self.mark = secrets.token_hex(8)  # it is known by its environment: it forks into a session of its own
        self.keeper = subprocess.Popen(
            [sys.executable, "-m", "quantgate.fan_out.keeper"],
            cwd=job.project,
            env=os.environ | {MARK: self.mark},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=_deaf,  # noqa: PLW1509 (nothing but a system call)
        )
        assert self.keeper.stdin is not None
        self.keeper.stdin.write(pack(job))
        self.keeper.stdin.flush()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.keeper.stdout is not None
        for content in frames(self.keeper.stdout.fileno()):
            self._news.put(unpack_news(content))
            self._came.set()
        self._news.put(None)
        self._came.set()

    def news(self) -> Sequence[News]:
        if self.is_dead:
            raise Lost("its node has died")
        found = list[News]()
        while not self._news.empty():
            if (one := self._news.get()) is None:
                if not found or found[-1].kind != "ended":
                    raise Lost("what ran there was killed")
                break
            found.append(msgspec.structs.replace(one, host=self.node))
        return found

    def stop(self) -> None:
        assert self.keeper.stdin is not None
        self.keeper.stdin.close()

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.stop()
            self.keeper.wait()
            self._reader.join()  # until the keeper has ended, and all that it has started
            assert self.keeper.stdout is not None
            self.keeper.stdout.close()


def _deaf() -> None:
    """As what a thread of a Ray worker starts."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])


class LocalCluster:
    """`nodes` with a slot each; what waits begins when a slot is free. `at_each`: called at every wait."""

    def __init__(self, *nodes: str, at_each: Callable[["LocalCluster"], None] = lambda _: None) -> None:
        self.nodes, self._at_each, self._came = list(nodes), at_each, threading.Event()
        self.attempts = list[LocalAttempt]()
        self._waiting = list[_Waits]()

    def places(self) -> list[Place]:
        return [Place(node, {"slot": 1.0, "CPU": 1.0}) for node in self.nodes]

    def start(self, job: Job, need: Need) -> "_Waits":
        assert need.gpus == 0
        waiting = _Waits(job)
        self._waiting.append(waiting)
        self._give()
        return waiting

    def _give(self) -> None:
        for waiting in [one for one in self._waiting if one.attempt is None and not one.is_closed]:
            taken = [one.node for one in self.attempts if not one.is_closed]
            if (free := next((node for node in self.nodes if node not in taken), None)) is not None:
                waiting.attempt = LocalAttempt(free, waiting.job, self._came)
                self.attempts.append(waiting.attempt)

    def wait(self, seconds: float) -> None:
        self._at_each(self)
        self._came.wait(min(seconds, 0.2))
        self._came.clear()
        self._give()

    def kill(self, node: str) -> None:
        """As when the machine goes: its keepers and their pytests are gone at once."""
        self.nodes.remove(node)
        for one in self.attempts:
            if one.node == node and not one.is_closed:
                one.is_dead = True
                for process in marked(one.mark):
                    os.kill(process, 9)

    def close(self) -> None:
        for one in self.attempts:
            one.close()


class _Waits:
    def __init__(self, job: Job) -> None:
        self.job, self.is_closed = job, False
        self.attempt: LocalAttempt | None = None

    def news(self) -> Sequence[News]:
        return [] if self.attempt is None else self.attempt.news()

    def stop(self) -> None:
        if self.attempt is not None:
            self.attempt.stop()

    def close(self) -> None:
        self.is_closed = True
        if self.attempt is not None:
            self.attempt.close()


def marked(mark: str) -> list[int]:
    """The keeper with this mark, and all that it has started."""
    found = list[int]()
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{MARK}={mark}".encode() in (place / "environ").read_bytes().split(b"\0"):
                found.append(int(place.name))
    return found


def gone(processes: Sequence[int], seconds: float = 30.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not any(Path(f"/proc/{one}").exists() for one in processes):
            return True
        time.sleep(0.05)
    return False
