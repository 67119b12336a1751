"""The program that is listened to, and the signals that end it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quantgate.programs import child


def run(code: str) -> tuple[child.Ended, list[str]]:
    heard: list[str] = []
    return child.run([sys.executable, "-c", code], os.environ, heard.append), [line for line in heard if line]


def test_lines_are_heard_as_they_end_and_bars_are_no_last_words() -> None:
    ended, heard = run("import sys; sys.stdout.write('a\\rb: 10%|#\\rb: 20%|##\\nc'); sys.stdout.flush(); sys.exit(4)")
    assert heard == ["a", "b: 10%|#", "b: 20%|##", "c"]
    assert ended == child.Ended(4, ["a", "c"])


def test_whoever_keeps_the_output_open_is_not_waited_for() -> None:
    started = time.monotonic()
    code = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print(p.pid, flush=True)"
    ended, heard = run(code)
    assert ended.code == 0
    os.kill(int(heard[0]), 9)
    assert time.monotonic() - started < 30


def test_a_signal_that_is_ignored_stays_so_and_others_are_raised_and_put_back() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with child.stoppable():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        with pytest.raises(child.StoppedError) as stopped, child.stoppable():
            signal.raise_signal(signal.SIGTERM)
        assert stopped.value.number == signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


ROOT = Path(__file__).parents[2]


def test_a_signal_in_the_middle_of_a_fork_is_not_lost(tmp_path: Path) -> None:
    """Python drops what a handler raises in the callbacks around a fork, such as logging's."""
    program = tmp_path / "forks.py"
    program.write_text(
        "import os, signal, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from quantgate.programs import child\n"
        "os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), getattr(signal, sys.argv[1])))\n"
        "try:\n"
        "    with child.stoppable():\n"
        "        child.run([sys.executable, '-c', 'import time; time.sleep(60)'], os.environ, lambda line: None)\n"
        "except (KeyboardInterrupt, child.StoppedError) as stopped:\n"
        "    sys.exit(f'stopped by {type(stopped).__name__}')\n"
    )
    for number, said in (("SIGINT", "KeyboardInterrupt"), ("SIGTERM", "StoppedError")):
        ran = subprocess.run([sys.executable, program, number], capture_output=True, text=True, timeout=30, check=False)
        assert ran.stderr.strip() == f"stopped by {said}"
