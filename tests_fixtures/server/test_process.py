"""What a process's owner is told of a watchdog that cannot do its work."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quantgate.errors import ServerError
from quantgate.server import process, watchdog
from quantgate.server.process import Process

PATIENCE_SECONDS = 20.0


@pytest.fixture
def under(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Process]]:
    """Start nothing, in the care of this program instead of the watchdog's own."""
    started: list[Process] = []
    for module, name in ((process, "PATIENCE_SECONDS"), (watchdog, "KILL_SECONDS"), (process, "STOP_SECONDS")):
        monkeypatch.setattr(module, name, 0.2)

    def under(program: str) -> Process:
        (tmp_path / "dog.py").write_text(f"import json, os, signal, sys\n{program}\n", encoding="utf-8")
        monkeypatch.setattr(watchdog, "__file__", str(tmp_path / "dog.py"))
        started.append(Process([], dict(os.environ), tmp_path / "log", tmp_path))
        return started[-1]

    yield under
    for one in started:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one.watchdog_pid, signal.SIGKILL)
        one._watchdog.wait(PATIENCE_SECONDS)
        one._told["left"] = []
        one.stop()


def test_processes_that_outlive_sigkill_are_named(under: Callable[[str], Process]) -> None:
    left = under('os.write(json.loads(sys.argv[1])[\'report\'], b\'{"exit": -9}\\n{"left": [11, 12], "killed": 2}\\n\')')
    assert left.wait_for_end(PATIENCE_SECONDS)
    with pytest.raises(ServerError, match=r"^processes 11, 12 outlived SIGKILL; look for state D, a driver that hangs$"):
        left.stop()


def test_a_watchdog_that_hangs_is_named(under: Callable[[str], Process]) -> None:
    hung = under("while True: signal.pause()")
    assert not hung.wait_for_end(0)
    said = rf"^the watchdog \(pid {hung.watchdog_pid}\) of a server does not end; look for processes in state D below it$"
    with pytest.raises(ServerError, match=said):
        hung.stop()


def test_a_watchdog_that_says_nothing_leaves_the_exit_code_unknown(under: Callable[[str], Process]) -> None:
    silent = under("")
    assert silent.wait_for_end(PATIENCE_SECONDS)
    assert (silent.pid, silent.stop()) == (None, process.Ended())
