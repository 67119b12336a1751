"""Where the code is in an answer."""

import pytest

from quantgate.sandbox import completion_of, program_of, run_program

PROMPT = 'import math\n\n\ndef double(x: int) -> int:\n    """Twice x.\n    >>> double(2)\n    4\n    """\n'
TASK = {
    "prompt": PROMPT,
    "entry_point": "double",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(-1) == -2",
}
FENCE = "```"
WHOLE = "def double(x):\n    return 2 * x\n"

RIGHT = {
    "a body": "    return 2 * x\n",
    "a body that lost its first indentation": "y = 2 * x\n    return y\n",
    "a body that lost all of it": "if x:\n    return 2 * x\nreturn 0\n",
    "a body and what a base model goes on with": "    return 2 * x\n\n\ndef triple(x):\n    return 3 *",
    "a body and an example": "    return 2 * x\n\nprint(double(input()))\n",
    "a body with a bracket at the margin": "    return sum([\n        x,\n        x,\n])\n\ndef triple(x):\n    return 3 *",
    "a fence in Windows' lines": f"Here:\n{FENCE}python\n{WHOLE}{FENCE}\nThat's all!\n".replace("\n", "\r\n"),
    "a function": WHOLE,
    "a function in Windows' lines": WHOLE.replace("\n", "\r\n"),
    "a function among prose": f"Sure, here it is:\n\n{WHOLE}\nIt doubles x. That's all!",
    "a helper, then the function": "def helper(x):\n    return x + x\n\n" + WHOLE.replace("2 * x", "helper(x)"),
    "its own imports": "from __future__ import annotations\nfrom operator import mul\n" + WHOLE.replace("2 * x", "mul(2, x)"),
    "a fence": f"{FENCE}python\n{WHOLE}{FENCE}\n",
    "a fence without a language": f"Here:\n{FENCE}\n{WHOLE}{FENCE}",
    "tildes": f"~~~py\n{WHOLE}~~~",
    "a body in a fence": f"{FENCE}python\n    return 2 * x\n{FENCE}",
    "a body without indentation in a fence": f"{FENCE}python\nreturn 2 * x\n{FENCE}",
    "a fence in a list": f"1. So:\n   {FENCE}python\n   def double(x):\n       return 2 * x\n   {FENCE}\n",
    "a draft before it": f"{FENCE}python\ndef double(x):\n    return x\n{FENCE}\nNo, that is wrong:\n{FENCE}python\n{WHOLE}{FENCE}",
    "an example after it": f"{FENCE}python\n{WHOLE}{FENCE}\nUse it so:\n{FENCE}python\ndouble(1, 2)\n{FENCE}",
    "a fence that never closes": f"{FENCE}python\n{WHOLE}",
    "a demonstration": f'{FENCE}python\n{WHOLE}\nif __name__ == "__main__":\n    print(double(int(input())))\n{FENCE}',
    "the prompt's import, used": f"{FENCE}python\ndef double(x):\n    return math.floor(2 * x)\n{FENCE}",
    "a fence in a docstring's text": f'{FENCE}python\ndef double(x):\n    """Not a `{FENCE}`."""\n    return 2 * x\n{FENCE}',
}
WRONG = {
    "nothing": "",
    "prose": "I cannot help with that.",
    "another function": f"{FENCE}python\ndef triple(x):\n    return 3 * x\n{FENCE}",
    "a function cut off": f"{FENCE}python\ndef double(x):\n    return 2 * (",
    "a wrong one": "    return x + 2\n",
    "a NUL": "    return 2 * x\0\n",
    "brackets without end": "(" * 100_000,
}


@pytest.mark.parametrize("form", RIGHT)
def test_a_right_answer_is_right_in_every_form(form: str) -> None:
    ran = run_program(program_of(TASK, completion_of(RIGHT[form], "double", PROMPT)), unsafe=True)
    assert ran.outcome == "passed", ran.output_tail


@pytest.mark.parametrize("form", WRONG)
def test_what_is_no_right_answer_fails(form: str) -> None:
    assert run_program(program_of(TASK, completion_of(WRONG[form], "double", PROMPT)), unsafe=True).outcome == "failed"


def test_without_a_prompt_code_is_taken_as_it_is() -> None:
    assert completion_of("x = 1\n", "double") == "x = 1\n"
    assert completion_of(f"Here:\n{FENCE}python\nx = 1\n{FENCE}", "double") == "x = 1\n"
    assert completion_of(f"Here:\n{FENCE}python\n{WHOLE}{FENCE}", "double") == "\n\n" + WHOLE
