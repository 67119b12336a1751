"""A server's processes end with pytest, however pytest ends, and nobody else's do; small programs stand in for vLLM."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fixtures import process
from fixtures.process import Process

ROOT = Path(__file__).parents[1]
PATIENCE_SECONDS = 20.0  # for what takes milliseconds on an idle machine
PRELUDE = """
import os, signal
def say(*words): os.write(1, (" ".join(map(str, words)) + "\\n").encode())
def obey(*_): say("asked"); os._exit(3)
"""
OBEDIENT = PRELUDE + "signal.signal(signal.SIGTERM, obey); say('pid', os.getpid()); [signal.pause() for _ in iter(int, 1)]"
STUBBORN = PRELUDE + "signal.signal(signal.SIGTERM, signal.SIG_IGN); say('pid', os.getpid()); [signal.pause() for _ in iter(int, 1)]"
ORPHAN = """
if not os.fork():
    os.setsid()
    if os.fork(): os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say("pid", os.getpid())
    while True: signal.pause()
"""
DAEMON = """
if not os.fork():
    os.setsid()
    if os.fork(): os._exit(0)
    os.chdir("/")
    for one in (0, 2): os.dup2(os.open(os.devnull, os.O_RDWR), one)
    say("pid", os.getpid())
    os.dup2(0, 1)
    os.closerange(3, 64)
    while True: signal.pause()
"""
CHILD = """
if not os.fork():
    say("pid", os.getpid())
    while True: signal.pause()
"""
WAITS = "signal.signal(signal.SIGTERM, obey)\nsay('pid', os.getpid())\nwhile True: signal.pause()"
OWNER = """
import fcntl, os, signal, sys
from pathlib import Path
from fixtures import process
process.STOP_SECONDS = 1.0
folder = Path(sys.argv[1])
lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
held = process.Process([sys.executable, "-ISc", sys.argv[2]], dict(os.environ), folder / "server.log", folder / "scratch", (), [lock])
print(held.watchdog_pid, flush=True)
while True: signal.pause()
"""

Start = Callable[..., Process]


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for it; what does not come is a failure."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)


def lives(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    return False


def pids(log: Path, count: int = 1) -> list[int]:
    """Of the processes that have said theirs, once so many have."""

    def said() -> list[int]:
        return [int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("pid ")] if log.exists() else []

    until(lambda: len(said()) >= count, f"{count} pids in {log}")
    return said()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "server.log"


@pytest.fixture
def start(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Run a program in the care of a watchdog that has little patience."""
    monkeypatch.setattr(process, "STOP_SECONDS", 0.5)
    started: list[Process] = []

    def start(program: str, log: Path = log, **options: tuple[int, ...]) -> Process:
        (tmp_path / "scratch").mkdir()
        (tmp_path / "scratch" / "socket").touch()
        command = [sys.executable, "-ISc", program]
        started.append(Process(command, dict(os.environ), log, tmp_path / "scratch", **options))
        return started[-1]

    yield start
    for one in started:
        one.let_go(at_once=True)
        one.stop()


@pytest.mark.parametrize(("program", "code"), [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", -9), ("", 0)])
def test_a_server_that_ends_by_itself_is_reported_with_its_exit_code(program: str, code: int, start: Start) -> None:
    server = start(program)
    assert server.wait_for_end(PATIENCE_SECONDS)
    ended = server.stop()
    assert (ended.code, ended.killed, ended.left) == (code, 0, [])
    assert server.stop() == ended


def test_a_server_that_obeys_is_asked_and_not_killed(start: Start, log: Path, tmp_path: Path) -> None:
    server = start(OBEDIENT)
    assert pids(log) == [server.pid]
    assert not server.has_ended()
    ended = server.stop()
    assert (ended.code, ended.killed) == (3, 0)
    assert "asked" in log.read_text()
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize(
    ("program", "code"),
    [
        pytest.param(STUBBORN, -9, id="a server that ignores SIGTERM"),
        pytest.param(PRELUDE + ORPHAN + WAITS, 3, id="an orphan in a session of its own"),
        pytest.param(PRELUDE + DAEMON + WAITS, 3, id="a daemon that has closed everything"),
    ],
)
def test_whatever_does_not_end_by_itself_is_killed(program: str, code: int, start: Start, log: Path, tmp_path: Path) -> None:
    server = start(program)
    ours = pids(log, 1 if program == STUBBORN else 2)
    ended = server.stop()
    assert (ended.code, ended.killed, ended.left) == (code, 1, [])
    assert not any(map(lives, ours))
    assert not (tmp_path / "scratch").exists()


@pytest.mark.thorough
def test_a_resource_tracker_has_time_to_clean_up_and_no_more(start: Start, log: Path) -> None:
    tracker = PRELUDE + "say('pid', os.getpid())\nwhile True: signal.pause()  # multiprocessing.resource_tracker"
    server = start(
        PRELUDE + f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-ISc', {tracker!r}], start_new_session=True)\n" + WAITS
    )
    ours = pids(log, 2)
    ended = server.stop()
    assert (ended.code, ended.killed) == (3, 0)
    assert not any(map(lives, ours))


def test_what_a_server_leaves_when_it_dies_first_is_killed_unasked(start: Start, log: Path) -> None:
    server = start(PRELUDE + CHILD)
    (left,) = pids(log)
    assert server.wait_for_end(PATIENCE_SECONDS)
    until(lambda: not lives(left), "the end of what the server left")
    ended = server.stop()
    assert (ended.code, ended.killed) == (0, 1)


def test_a_stopped_server_is_killed_at_once_where_there_is_nothing_to_wait_for(
    start: Start, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STOP_SECONDS", 2 * PATIENCE_SECONDS)
    server = start(OBEDIENT)
    (pid,) = pids(log)
    os.kill(pid, signal.SIGSTOP)
    server.let_go(at_once=True)
    ended = server.stop()
    assert (ended.code, ended.killed) == (-9, 1)
    assert ended.seconds < PATIENCE_SECONDS


def test_a_namesake_that_is_no_descendant_is_left_alone(start: Start, log: Path) -> None:
    bystander = subprocess.Popen([sys.executable, "-ISc", STUBBORN], stdout=subprocess.PIPE)
    with bystander:
        assert bystander.stdout is not None
        assert bystander.stdout.readline()
        server = start(STUBBORN)
        pids(log)
        assert server.stop().killed == 1
        assert bystander.poll() is None
        bystander.kill()


def test_a_server_that_never_stops_talking_is_heard_and_ended(start: Start, log: Path) -> None:
    server = start(PRELUDE + "signal.signal(signal.SIGTERM, obey)\nsay('pid', os.getpid())\nwhile True: os.write(1, b'x' * 65536)")
    pids(log)
    assert server.stop().code == 3


def test_signals_meant_for_pytest_are_not_for_the_watchdog_and_the_server_hears_its_own(start: Start, log: Path) -> None:
    program = OBEDIENT.replace("say('pid'", "signal.signal(signal.SIGUSR1, lambda *_: say('still here')); say('pid'")
    ignored = "say(*[line.split()[1] for line in open('/proc/self/status') if line.startswith('SigIgn')]); "
    server = start(program.replace("signal.signal(signal.SIGTERM", ignored + "signal.signal(signal.SIGTERM", 1))
    (pid,) = pids(log)
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(server.watchdog_pid, sign)
    os.kill(pid, signal.SIGUSR1)
    until(lambda: "still here" in log.read_text(), "output after the signals")
    mask = int(log.read_text().splitlines()[0], 16)
    assert not any(mask & 1 << (sign - 1) for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    assert server.stop().code == 3


def test_a_server_whose_watchdog_is_killed_is_told_to_end(start: Start, log: Path) -> None:
    server = start(OBEDIENT)
    (pid,) = pids(log)
    os.kill(server.watchdog_pid, signal.SIGKILL)
    until(lambda: not lives(pid), "the end of the server")
    assert server.has_ended()
    assert server.stop().code is None


def test_nothing_outlives_an_owner_that_was_killed_and_the_lock_is_the_last_to_go(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    program = (PRELUDE + ORPHAN + DAEMON + WAITS).replace("signal.SIGTERM, obey", "signal.SIGTERM, signal.SIG_IGN")
    command = [sys.executable, "-c", OWNER, str(tmp_path), program]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        watcher = int(owner.stdout.readline())
        ours = pids(tmp_path / "server.log", 3)
        owner.send_signal(signal.SIGKILL)
    with (tmp_path / "lock").open() as lock:

        def is_free() -> bool:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        assert not is_free()  # nobody has been asked for even a second yet
        until(is_free, "the lock is free")
        assert [pid for pid in ours if lives(pid)] == []
    until(lambda: not lives(watcher), "the end of the watchdog")
    assert not (tmp_path / "scratch").exists()
