"""A server's processes end with pytest, however pytest ends, and nobody else's do; its log stays small and never holds it up."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quantgate.server import process, watchdog
from quantgate.server.process import Process
from quantgate.server.watchdog import Log
from tests_fixtures.doubles.processes import lives, until
from tests_fixtures.doubles.watched import CHILD, DAEMON, OBEDIENT, ORPHAN, PRELUDE, STUBBORN, WAITS, pids

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 20.0  # for what takes milliseconds on an idle machine

OWNER = """
import fcntl, os, signal, sys
from pathlib import Path
from quantgate.server import process
process.STOP_SECONDS = 1.0
folder = Path(sys.argv[1])
lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
held = process.Process([sys.executable, "-ISc", sys.argv[2]], dict(os.environ), folder / "server.log", folder / "scratch", (), [lock])
print(held.watchdog_pid, flush=True)
while True: signal.pause()
"""

Start = Callable[..., Process]


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


LINE = b"%09d\n"
TALKS = """
import os
os.write(1, b"the beginning\\n")
for _ in range(20): os.write(1, (b"x" * 1023 + b"\\n") * 1024)
os.write(2, b"the end\\n")
"""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LOG_BYTES", 1000)
    monkeypatch.setattr(watchdog, "KEPT_BYTES", 200)


@pytest.mark.usefixtures("small")
def test_a_long_log_keeps_its_first_and_its_last_lines(tmp_path: Path) -> None:
    log = Log(str(tmp_path / "server.log"))
    for number in range(1000):
        log.write(LINE % number)
        assert log.path.stat().st_size <= 1000
    lines = log.path.read_bytes().splitlines(keepends=True)
    assert lines[:20] == [LINE % number for number in range(20)]
    assert lines[-20:] == [LINE % number for number in range(980, 1000)]
    assert b"[... left out ...]\n" in lines
    assert list(tmp_path.iterdir()) == [log.path]


@pytest.mark.usefixtures("small")
def test_a_log_of_just_its_bound_is_left_alone(tmp_path: Path) -> None:
    log = Log(str(tmp_path / "server.log"))
    log.write(b"x" * 1000)
    assert log.path.read_bytes() == b"x" * 1000
    log.write(b"y")
    assert log.path.read_bytes() == b"x" * 200 + b"\n[... left out ...]\n" + b"x" * 199 + b"y"


@pytest.mark.usefixtures("small")
def test_a_disk_that_is_full_when_the_log_is_trimmed_costs_no_descriptors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(str(tmp_path / "server.log"))
    write = os.write

    def full_for_another_file(file: int, data: bytes) -> int:
        if file != log._file:
            raise OSError(28, "No space left on device")
        return write(file, data)

    monkeypatch.setattr(os, "write", full_for_another_file)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        log.write(b"x" * 600)
    monkeypatch.undo()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert [file.name for file in tmp_path.iterdir()] == ["server.log"]


def test_a_server_that_never_stops_talking_leaves_time_for_everything_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = object.__new__(watchdog.Watch)
    watch._output, watch.log = 0, Log(str(tmp_path / "server.log"))
    left = iter([b"x"] * 10_000)
    monkeypatch.setattr(os, "read", lambda *_: next(left))
    watch._drain()
    assert len(list(left)) > 0


def run(program: str, log: Path, scratch: Path, cores: tuple[int, ...] = ()) -> Process:
    server = Process([sys.executable, "-ISc", program], dict(os.environ), log, scratch, cores)
    assert server.wait_for_end(PATIENCE_SECONDS)
    return server


def test_all_of_a_server_s_output_goes_there_both_streams_in_order(tmp_path: Path) -> None:
    assert run(TALKS.replace("range(20)", "range(1)"), tmp_path / "server.log", tmp_path / "none").stop().code == 0
    text = (tmp_path / "server.log").read_text()
    assert text.startswith("the beginning\nxxx")
    assert text.endswith("xxx\nthe end\n")
    assert len(text) == len("the beginning\n") + (1 << 20) + len("the end\n")


def test_twenty_mebibytes_of_output_make_a_log_below_its_bound_with_both_ends(tmp_path: Path) -> None:
    assert run(TALKS, tmp_path / "server.log", tmp_path / "none").stop().code == 0
    kept = (tmp_path / "server.log").read_bytes()
    assert len(kept) <= watchdog.LOG_BYTES + (1 << 16)
    assert kept.startswith(b"the beginning\nxxx")
    assert kept.endswith(b"xxx\nthe end\n")


def test_a_full_disk_loses_lines_and_not_the_server(tmp_path: Path) -> None:
    program = TALKS + f"open({str(tmp_path / 'done')!r}, 'w').close()"
    assert run(program, Path("/dev/full"), tmp_path / "none").stop().code == 0
    assert (tmp_path / "done").exists()


def test_the_server_keeps_to_its_cores(tmp_path: Path) -> None:
    core = max(os.sched_getaffinity(0))
    assert run("import os; print(os.sched_getaffinity(0))", tmp_path / "server.log", tmp_path / "none", (core,)).stop().code == 0
    assert (tmp_path / "server.log").read_text() == f"{{{core}}}\n"
