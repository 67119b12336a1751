"""Tasks become programs, and the data sets' own solutions are counted."""

from typing import Any

import pytest

from quantgate.sandbox import Limits, mbpp_program_of, program_of, verify_humaneval, verify_mbpp
from quantgate.sandbox.tasks import COUNTED

CHECKS = "def check(candidate):\n    assert candidate(2) == 4\n"


def humaneval(solution: str) -> dict[str, Any]:
    """A row in HumanEval's shape."""
    return {"prompt": "def double(x):\n", "entry_point": "double", "test": CHECKS, "canonical_solution": solution}


def mbpp(code: str, **more: Any) -> dict[str, Any]:
    """A row in MBPP's shape."""
    return {"text": "Double it.", "code": code, "test_list": ["assert double(2) == 4", "assert set(map(double, [0, 1])) == {0, 2}"], **more}


def test_a_humaneval_program_is_prompt_completion_checks_and_their_call() -> None:
    assert program_of(humaneval(""), "    return 2 * x\n") == f"def double(x):\n    return 2 * x\n\n\n{CHECKS}\n\ncheck(double)\n"


def test_an_mbpp_program_is_setup_code_and_checks() -> None:
    row = mbpp("", test_setup_code="import math", test_imports=["import cmath"])
    program = mbpp_program_of(row, "def double(x): return 2 * x")
    assert program.splitlines()[:3] == ["import math", "import cmath", "def double(x): return 2 * x"]
    assert program.splitlines()[-2:] == row["test_list"]


def test_what_the_future_brings_stands_first() -> None:
    program = program_of(humaneval(""), "    ...\n\nfrom __future__ import annotations\ndef double(x: Unknown): return 2 * x\n")
    assert program.startswith("from __future__ import annotations\ndef double(x):\n")
    assert program.count("__future__") == 1


@pytest.mark.thorough
@pytest.mark.usefixtures("sandbox")
def test_reference_solutions_are_counted() -> None:
    solutions = [
        "    return 2 * x\n",
        "    return x\n",
        "    while True: pass\n",
        "    while True: print('x' * 1000)\n",
        "    import os; os._exit(0)\n",
    ]
    rows = [humaneval(solution) for solution in [*solutions, "    import os; os.abort()\n"]]
    assert verify_humaneval(rows, Limits(wall_s=2.0)) == {"passed": 1, "failed": 3, "timed_out": 1, "refused": 1}
    assert verify_mbpp([mbpp("def double(x): return 2 * x"), mbpp("def double(x): return x * x")]) == {
        "passed": 1,
        "failed": 1,
        "timed_out": 0,
        "refused": 0,
    }


def test_every_end_is_counted_somewhere() -> None:
    assert set(COUNTED.values()) == {"passed", "failed", "timed_out", "refused"}
