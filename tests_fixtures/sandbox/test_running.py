"""What counts as passed, how many run at once, what a second chance is; and that nothing outlives who started it."""

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from quantgate.errors import ConfigurationError
from quantgate.sandbox import Limits, run_all, run_program

PLAIN = pytest.param(True, id="unsafe")
BOTH = pytest.mark.parametrize("unsafe", [False, PLAIN], ids=["sandbox", "unsafe"])
ONE_SECOND = Limits(wall_s=1.0)

ENDS = [
    ("print('fine')", "passed", 0, "fine"),
    ("raise ValueError('odd')", "failed", 1, "ValueError: odd"),
    ("def f(:\n", "failed", 1, "SyntaxError"),
    ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "killed", 137, ""),
    ("import os\nos._exit(0)", "failed", 0, ""),
    ("bytearray(10 << 30)", "failed", 1, "MemoryError"),
    ("while True:\n    print('x' * 1000)", "too_much_output", None, "xxx"),
    ("open('large', 'wb').write(bytes(17 << 20))", "failed", 1, "File too large"),
    ("input()", "failed", 1, "EOFError"),
    ("print(1, flush=True)\nimport threading, signal\nthreading.Thread(target=signal.pause).start()", "passed", 0, "1"),
    ("if __name__ == '__main__':\n    raise SystemExit('a demonstration')", "passed", 0, ""),
    ("import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: 'int' = 1\nassert A().x == 1", "passed", 0, ""),
    ("import os, sys\nos.write = os.read = os._exit = sys.exit = None", "passed", 0, ""),
    ("import numpy", "failed", 1, "ModuleNotFoundError"),
    ("print('\\udcff'.encode('utf-8', 'surrogateescape'), 'ä')", "passed", 0, "ä"),
    ("", "passed", 0, ""),
]


@BOTH
@pytest.mark.parametrize(("program", "outcome", "exit_code", "says"), ENDS)
def test_how_a_program_ends(
    program: str, outcome: str, exit_code: int | None, says: str, unsafe: bool, request: pytest.FixtureRequest
) -> None:
    if not unsafe:
        request.getfixturevalue("sandbox")
    ran = run_program(program, unsafe=unsafe)
    assert ran.outcome == outcome, ran
    assert exit_code is None or ran.exit_code == exit_code
    assert says in ran.output_tail


@BOTH
def test_a_program_ends_at_its_wall_clock_with_all_that_it_started(unsafe: bool, request: pytest.FixtureRequest) -> None:
    if not unsafe:
        request.getfixturevalue("sandbox")
    ran = run_program("import os, signal\nos.fork()\nprint('here', flush=True)\nsignal.pause()", ONE_SECOND, unsafe=unsafe)
    assert ran.outcome == "timed_out"
    assert ran.output_tail == "here\nhere\n"
    assert ran.seconds >= 1.0


@BOTH
@pytest.mark.thorough
def test_computing_for_too_long_is_a_time_out_as_well(unsafe: bool, request: pytest.FixtureRequest) -> None:
    if not unsafe:
        request.getfixturevalue("sandbox")
    ran = run_program("while True: pass", Limits(wall_s=3600, cpu_s=1), unsafe=unsafe)
    assert (ran.outcome, ran.exit_code) == ("timed_out", 128 + signal.SIGXCPU)


@pytest.mark.usefixtures("sandbox")
def test_programs_do_not_share_anything() -> None:
    first, second = run_all(
        ["open('left', 'w').write('x')", "import os\nassert os.listdir('.') == os.listdir('/tmp') == [], os.listdir('.')"], workers=1
    )
    assert (first.outcome, second.outcome) == ("passed", "passed")


@pytest.mark.usefixtures("sandbox")
def test_a_set_has_the_same_order_every_time() -> None:
    first, second = run_all(["print(list({'alpha', 'beta', 'gamma', 'delta', 'epsilon'}))"] * 2)
    assert first.output_tail == second.output_tail != ""


def test_results_come_in_the_programs_order_and_run_at_once(tmp_path: Path) -> None:
    # Each waits until the other has been seen: one after the other, neither ends.
    meet = "import os\nlog = open({0!r}, 'a')\nlog.write('x')\nlog.close()\nwhile not os.path.exists({1!r}):\n    pass\nprint({0!r})"
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    ends = run_all([meet.format(a, b), meet.format(b, a)], workers=2, unsafe=True)
    assert [(end.outcome, end.output_tail.strip()) for end in ends] == [("passed", a), ("passed", b)]
    assert Path(a).read_text() == Path(b).read_text() == "x", "a second chance was needed"


@pytest.mark.thorough
def test_a_program_that_timed_out_is_run_once_more_after_all_others(tmp_path: Path) -> None:
    log = tmp_path / "log"
    say = f"log = open({str(log)!r}, 'a')\nlog.write('NAME\\n')\nlog.close()\n"
    slow = f"import os, signal\nagain = os.path.exists({str(tmp_path / 'again')!r})\nopen({str(tmp_path / 'again')!r}, 'w').close()\n"
    first = say.replace("NAME", "slow first") + slow + "again or signal.pause()\n"
    always = say.replace("NAME", "always slow") + "import signal\nsignal.pause()\n"
    ends = run_all([first, always, say.replace("NAME", "quick")], ONE_SECOND, workers=1, unsafe=True)
    assert [end.outcome for end in ends] == ["passed", "timed_out", "passed"]
    assert log.read_text().splitlines() == ["slow first", "always slow", "quick", "slow first", "always slow"]


def test_without_a_sandbox_the_environment_and_the_folder_are_still_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTGATE_TEST_KEY", "hidden")
    ran = run_program("import os\nprint(sorted(os.environ), os.listdir('.'))\nprint(os.getcwd())", unsafe=True)
    told, folder = ran.output_tail.splitlines()
    assert "QUANTGATE_TEST_KEY" not in told
    assert told.endswith("[]")
    assert not Path(folder).exists()


@pytest.mark.usefixtures("sandbox")
def test_a_program_ends_with_who_started_it() -> None:
    harness = """
from quantgate.sandbox import Limits, process, starting
first, take = starting._first_process, process._Watch._take
def told_first(info):
    fd = first(info)
    print(open(f"/proc/self/fdinfo/{fd}").read().split("Pid:")[1].split()[0], flush=True)
    return fd
def told_take(watch, fd):
    taken = take(watch, fd)
    print("it has started", flush=True)
    return taken
starting._first_process, process._Watch._take = told_first, told_take
process.execute("import signal\\nsignal.pause()", Limits(wall_s=3600), unsafe=False)
"""
    with subprocess.Popen([sys.executable, "-c", harness], stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        namespace = os.pidfd_open(int(started.stdout.readline()))
        try:
            assert started.stdout.readline() == "it has started\n"
            started.send_signal(signal.SIGKILL)
            assert select.select([namespace], [], [], 60)[0], "the program lives on"
        finally:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(namespace, signal.SIGKILL)
            os.close(namespace)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_a_limit_of_nothing_is_refused(value: float) -> None:
    with pytest.raises(ConfigurationError, match="above 0"):
        Limits(wall_s=value)
