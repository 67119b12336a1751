"""Functions to be written, and checked by running them: HumanEval and MBPP, asked through chat without examples."""

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quantgate.foreign_code import parsed
from quantgate.suites.kinds import CodeSuite, Task
from quantgate.suites.public import HUMANEVAL, MBPP, rows

MAX_TOKENS = 768
HUMANEVAL_ASKS = "Complete this Python function. Answer with the whole function in one code block.\n\n```python\n{prompt}```"
MBPP_ASKS = "{prompt}\nAnswer with the whole Python function in one code block. It is called as in:\n\n{check}"


def humaneval(data: Path | None) -> CodeSuite:
    """164 functions of HumanEval, each to be completed from its signature and docstring."""
    return CodeSuite("humaneval", [task_of(row) for row in rows(HUMANEVAL, data, "humaneval")], MAX_TOKENS, "humaneval")


def task_of(row: Mapping[str, Any]) -> Task:
    """Of a row in HumanEval's shape."""
    return Task(str(row["task_id"]), HUMANEVAL_ASKS.format(prompt=row["prompt"]), str(row["entry_point"]), dict(row))


def why_no_task(row: Mapping[str, Any]) -> str | None:
    """What a row lacks of HumanEval's shape, as the end of a sentence; None where it is a task. `canonical_solution` may be missing."""
    for key in ("task_id", "prompt", "entry_point", "test"):
        if row.get(key) in (None, "") or not (isinstance(row[key], str) or key == "task_id"):
            return f"has no {key}{' that is a text' * bool(row.get(key))}; it has {', '.join(row) or 'nothing'}"
    if not row["entry_point"].isidentifier():
        return f"has the entry_point {row['entry_point']!r}, which is no name of a function"
    if (solution := row.get("canonical_solution")) is not None and not isinstance(solution, str):
        return f"has a canonical_solution that is no text: {str(solution)[:40]}"
    try:
        defined = {node.name for node in parsed(row["test"]).body if isinstance(node, ast.FunctionDef)}
    except (SyntaxError, ValueError) as error:
        return f"has a test that is no Python ({error})"
    return None if "check" in defined else "has a test that defines no check(candidate), which is what is called with the function"


def mbpp(data: Path | None) -> CodeSuite:
    """The functions of MBPP's sanitized test split (tasks 11 to 510), each described in a sentence and by the first of its checks."""
    found = [_mbpp(row) for row in rows(MBPP, data, "mbpp") if 11 <= int(row["task_id"]) <= 510]
    return CodeSuite("mbpp", found, MAX_TOKENS, "mbpp")


def _mbpp(row: Mapping[str, Any]) -> Task:
    check = row["test_list"][0]
    return Task(f"mbpp-{row['task_id']}", MBPP_ASKS.format(prompt=row["prompt"].strip(), check=check), _called(row), dict(row))


def _called(row: Mapping[str, Any]) -> str:
    """The function that the checks call, which MBPP names nowhere else: the last of its own solution's that they do."""
    checks = {name for check in row["test_list"] for name in re.findall(r"(\w+)\s*\(", check)}
    named = [node.name for node in parsed(row["code"]).body if isinstance(node, ast.FunctionDef) and node.name in checks]
    return named[-1] if named else ""
