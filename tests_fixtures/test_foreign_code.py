"""Python of others: parsed without their warnings becoming our errors."""

import warnings
from pathlib import Path

import pytest

from quantgate.foreign_code import parsed
from quantgate.sandbox import completion_of
from quantgate.suites.code import mbpp

WARNED = 'def matches(w):\n    return re.match("(P\\w+)", w) if w is 1 else None\n'


@pytest.fixture(autouse=True)
def errors_of_warnings() -> None:
    """As under a pytest that makes errors of them, ours or a team's."""
    warnings.simplefilter("error")


def test_what_it_warns_of_is_not_ours() -> None:
    assert len(parsed(WARNED).body) == 1


def test_an_answer_with_a_warning_in_it_is_an_answer() -> None:
    prompt = 'import re\ndef matches(w):\n    """Find it."""\n'
    body = '    return re.match("(P\\w+)", w)\n'
    assert completion_of(f"{body}\nThat is it.", "matches", prompt).rstrip() == body.rstrip()


def test_a_data_set_with_a_warning_in_it_is_read(tmp_path: Path) -> None:
    row = '{"task_id": 11, "prompt": "Match.", "code": %s, "test_imports": [], "test_list": ["assert matches(1)"]}'
    file = tmp_path / "mbpp" / "sanitized-mbpp.json"
    file.parent.mkdir()
    file.write_text("[" + row % '"def matches(w):\\n    return re.match(\\"(P\\\\w+)\\", w)"' + "]", encoding="utf-8")
    (task,) = mbpp(tmp_path).tasks
    assert task.entry_point == "matches"
