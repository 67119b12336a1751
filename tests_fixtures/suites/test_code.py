"""HumanEval's and MBPP's rows as tasks: what is asked, and which function the checks call."""

import json
from pathlib import Path

import pytest

from quantgate.suites import public
from quantgate.suites.code import humaneval, mbpp

HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'def f(x):\n    """Twice."""\n',
    "entry_point": "f",
    "canonical_solution": "    return 2 * x\n",
}


def test_a_task_of_humaneval_is_its_prompt_to_be_completed(tmp_path: Path) -> None:
    file = tmp_path / public.HUMANEVAL.local
    file.parent.mkdir()
    file.write_text(json.dumps(HUMANEVAL | {"test": "def check(f): assert f(2) == 4"}) + "\n", encoding="utf-8")
    (task,) = humaneval(tmp_path).tasks
    assert (task.id, task.entry_point) == ("HumanEval/0", "f")
    assert task.prompt.endswith('```python\ndef f(x):\n    """Twice."""\n```')


@pytest.mark.parametrize(
    ("code", "name"),
    [("def helper(x): ...\ndef double(x): ...", "double"), ("def double(x): ...\ndef helper(x): ...", "double"), ("double = 1", "")],
)
def test_mbpp_names_its_function_in_the_checks_alone(code: str, name: str, tmp_path: Path) -> None:
    file = tmp_path / public.MBPP.local
    file.parent.mkdir()
    checks = ["assert double(2) == 4", "assert set(double(3)) == {6}"]
    row = {"task_id": 11, "prompt": "Double it.", "code": code, "test_imports": [], "test_list": checks}
    file.write_text(json.dumps([row, row | {"task_id": 2}, row | {"task_id": 511}]), encoding="utf-8")
    (task,) = mbpp(tmp_path).tasks
    assert (task.id, task.entry_point) == ("mbpp-11", name)
    assert task.prompt.startswith("Double it.\nAnswer with the whole Python function")
    assert task.prompt.endswith("assert double(2) == 4")
