"""HumanEval's and MBPP's tasks as programs: setup, an answer's code, and the data set's own checks behind it."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from quantgate.sandbox.limits import Limits, Outcome
from quantgate.sandbox.running import DEFAULT, run_all

COUNTED: dict[Outcome, str] = {
    "passed": "passed",
    "failed": "failed",
    "killed": "failed",
    "timed_out": "timed_out",
    "refused": "refused",
    "too_much_output": "refused",
}
"""Six ends, four counts: refused is what the sandbox would not begin, or would not let go on for its output."""
FUTURE = re.compile(r"^from __future__ import .*\n?", re.MULTILINE)


def program_of(task: Mapping[str, Any], completion: str) -> str:
    """HumanEval's shape: `prompt`, `test` (which defines `check`), `entry_point`; `completion` stands right behind the prompt."""
    return _assembled(f"{task['prompt']}{completion}", f"{task['test']}\n\ncheck({task['entry_point']})")


def mbpp_program_of(task: Mapping[str, Any], code: str) -> str:
    """MBPP's shape: `test_list`, and `test_setup_code` (the full set) or `test_imports` (the sanitized one); `code` is the whole answer."""
    setup = [task.get("test_setup_code") or "", *(task.get("test_imports") or [])]
    return _assembled("\n".join([*filter(None, setup), code]), "\n".join(task["test_list"]))


def verify_humaneval(rows: Iterable[Mapping[str, Any]], limits: Limits = DEFAULT, *, unsafe: bool = False) -> dict[str, int]:
    """Run the data set's own solutions; counts of `passed`, `failed`, `timed_out`, `refused`.

    All 164 pass on a machine that can grade. Raises ConfigurationError where there is no sandbox or it does not hold.
    """
    return _counts([program_of(row, row["canonical_solution"]) for row in rows], limits, unsafe)


def verify_mbpp(rows: Iterable[Mapping[str, Any]], limits: Limits = DEFAULT, *, unsafe: bool = False) -> dict[str, int]:
    """As `verify_humaneval`, of MBPP's `code`."""
    return _counts([mbpp_program_of(row, row["code"]) for row in rows], limits, unsafe)


def _counts(programs: list[str], limits: Limits, unsafe: bool) -> dict[str, int]:
    seen = Counter(COUNTED[ran.outcome] for ran in run_all(programs, limits, unsafe=unsafe))
    return {name: seen[name] for name in ("passed", "failed", "timed_out", "refused")}


def _assembled(answer: str, checks: str) -> str:
    # A whole function may bring its own `from __future__`, which only counts at the top of a file, and is an error elsewhere.
    return "".join(FUTURE.findall(answer)) + FUTURE.sub("", answer) + "\n\n" + checks + "\n"
