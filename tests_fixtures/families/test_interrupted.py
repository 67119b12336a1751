"""`make smollm2` that is interrupted while pytest runs: pytest is waited for, since it has servers to stop."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTEST = """
import signal, sys
from pathlib import Path
def terminated(*_):
    raise SystemExit("terminated")
signal.signal(signal.SIGTERM, terminated)
try:
    print("begun", flush=True)
    while True:
        signal.pause()
except BaseException as stop:
    Path("stopped").write_text(type(stop).__name__)
    sys.exit(2)
"""
PROGRAM = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, {handler})
from families import smollm2
smollm2.ROOT = Path.cwd()
smollm2._run = lambda options: smollm2.run_pytest(["-m", "bf16"])
sys.exit(smollm2.main([]))
"""


def begin(folder: Path, handler: str = "signal.default_int_handler") -> "subprocess.Popen[str]":
    """The program in a session of its own, as a terminal has it, with a pytest that waits; `handler`: of SIGINT, as it was inherited."""
    (folder / "pytest.py").write_text(PYTEST, encoding="utf-8")
    (folder / "program.py").write_text(PROGRAM.format(handler=handler), encoding="utf-8")
    program = subprocess.Popen(
        [sys.executable, "program.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "begun\n"
    return program


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_waits_for_pytest_and_says_that_it_goes_on_from_there(tmp_path: Path, number: signal.Signals) -> None:
    program = begin(tmp_path)
    if number == signal.SIGINT:
        os.killpg(program.pid, number)  # Ctrl-C, which a terminal sends to all
    else:
        program.send_signal(number)  # `kill`, which it alone is sent
    _, said = program.communicate(timeout=30)
    assert program.returncode == 128 + number
    assert (tmp_path / "stopped").read_text(encoding="utf-8") == "KeyboardInterrupt"
    told = f"interrupted ({number.name}); what is finished is kept, and `make smollm2` goes on from there"
    assert said == f"smollm2: pytest -m bf16\nsmollm2: {told}\n"


def test_where_sigint_is_ignored_pytest_is_told_otherwise(tmp_path: Path) -> None:
    program = begin(tmp_path, "signal.SIG_IGN")
    program.send_signal(signal.SIGTERM)
    program.communicate(timeout=30)
    assert (program.returncode, (tmp_path / "stopped").read_text(encoding="utf-8")) == (128 + signal.SIGTERM, "SystemExit")
