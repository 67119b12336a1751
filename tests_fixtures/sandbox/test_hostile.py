"""Hostile programs: each gets what it should, and the machine is as it was."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantgate.sandbox import run_program
from tests_fixtures.sandbox.hostile import PROGRAMS, Hostile
from tests_fixtures.sandbox.outside import Outside

PAGE = Path(__file__).parents[2] / "docs" / "code.md"
pytestmark = pytest.mark.usefixtures("sandbox")
SLOW = {"fork bomb", "zip bomb", "sleep for ever", "compute for ever"}  # a second or two each
CASES = [
    pytest.param(hostile, id=hostile.name.replace(" ", "-"), marks=[pytest.mark.thorough] if hostile.name in SLOW else [])
    for hostile in PROGRAMS
]


@pytest.fixture
def outside() -> Iterator[Outside]:
    with Outside() as machine:
        yield machine


@pytest.mark.parametrize("hostile", CASES)
def test_a_hostile_program_is_held(hostile: Hostile, outside: Outside) -> None:
    ran = run_program(outside.filled_in(hostile.program), hostile.limits)
    assert ran.outcome == hostile.outcome, ran
    assert re.search(hostile.says, ran.output_tail), ran.output_tail
    assert outside.touched() == []


@pytest.mark.parametrize(
    ("deed", "seen"),
    [
        ("open(FOLDER + '/quantgate-was-here', 'w').close()", "a file"),
        ("import socket\nsocket.create_connection(('127.0.0.1', PORT), 5)", "a connection"),
        (
            "import os, signal\nr, w = os.pipe()\nif os.fork() == 0:\n    os.setsid()\n    os.write(w, b'.')\n    signal.pause()\n"
            "os.read(r, 1)",
            "a process",
        ),
        ("import os\nos.kill(PID, 9)", "the bystander's end"),
    ],
)
def test_without_a_sandbox_each_of_these_would_be_seen(deed: str, seen: str, outside: Outside) -> None:
    ran = run_program(outside.filled_in(deed), unsafe=True)
    assert ran.outcome == "passed"
    if seen == "the bystander's end":
        outside.bystander.wait(30)
    touched = outside.touched()
    assert len(touched) == 1
    assert touched[0].startswith(seen)
    if seen == "a process":
        os.kill(survivor := int(touched[0].split()[-1]), signal.SIGKILL)
        os.waitpid(survivor, 0)


def test_the_documented_table_has_them_all() -> None:
    rows = [
        line.split(" | ")
        for line in PAGE.read_text(encoding="utf-8").partition("## Hostile programs")[2].splitlines()
        if line.startswith("| ")
    ]
    documented = [(row[0].removeprefix("| "), row[2]) for row in rows[1:]]
    assert documented == [(hostile.name, hostile.outcome) for hostile in PROGRAMS]
