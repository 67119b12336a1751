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
Path("begun").touch()
print("begun", flush=True)
try:
    signal.pause()
except KeyboardInterrupt:
    Path("stopped").write_text("its servers")
    sys.exit(2)
"""
PROGRAM = """
import sys
from pathlib import Path
from families import smollm2
smollm2.ROOT = Path.cwd()
smollm2._run = lambda options: smollm2.run_pytest(["-m", "bf16"])
sys.exit(smollm2.main([]))
"""


@pytest.fixture
def program(tmp_path: Path) -> "subprocess.Popen[str]":
    """The program in a session of its own, as a terminal has it, with a pytest that waits."""
    (tmp_path / "pytest.py").write_text(PYTEST, encoding="utf-8")
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_waits_for_pytest_and_says_that_it_goes_on_from_there(
    program: "subprocess.Popen[str]", tmp_path: Path, number: signal.Signals
) -> None:
    assert program.stdout is not None
    assert program.stdout.readline() == "begun\n"
    if number == signal.SIGINT:
        os.killpg(program.pid, number)  # Ctrl-C, which a terminal sends to all
    else:
        program.send_signal(number)  # `kill`, which it alone is sent
    _, said = program.communicate(timeout=30)
    assert program.returncode == 128 + number
    assert (tmp_path / "stopped").read_text(encoding="utf-8") == "its servers"
    told = f"interrupted ({number.name}); what is finished is kept, and `make smollm2` goes on from there"
    assert said == f"smollm2: pytest -m bf16\nsmollm2: {told}\n"
