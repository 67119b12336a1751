"""What counts as the same mathematical answer, what does not, and what must not keep a run from going on.

`math500_answers.txt` has the reference answers of MATH-500, in its order: hendrycks/math and openai/prm800k, MIT License.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import MeasurementError
from quantgate.measure import mathematics
from quantgate.measure.answers import measure_answers
from quantgate.measure.mathematics import Read, last_box, read_all
from quantgate.measure.scoring import score
from quantgate.suites import Question, QuestionSuite

REFERENCE = (Path(__file__).parent / "math500_answers.txt").read_text(encoding="utf-8").splitlines()
SAME = r"""
5 | x=5 | 5.0 | \frac{10}{2} | 5\text{ apples} | \$5
\frac{5}{4} | 1.25 | 5/4 | \frac54 | \tfrac{5}{4} | 1\frac{1}{4} | \dfrac{10}{8}
\left( 3, \frac{\pi}{2} \right) | (3,\pi/2) | (3, 0.5\pi)
p - q | -q+p
2k+2 | 2(k+1)
x^3+3x-6 | 3x-6+x^3 | p(x)=x^3+3x-6
6 - 5i | -5i+6
1,-2 | -2, 1 | x=1,-2 | x=1 \text{ or } x=-2 | \{1,-2\}
3 \pm 2 \sqrt{2} | 3+2\sqrt{2}, 3-2\sqrt{2} | 3 + 2\sqrt2 \text{ and } 3 - 2\sqrt2
\sqrt{51} | 51^{1/2}
[-2,7] | x \in [-2,7] | -2 \le x \le 7
(-\infty, 2) \cup (3, \infty) | (-\infty,2)\cup(3,\infty)
\begin{pmatrix} -18 & -49 \\ 54 & 143 \end{pmatrix} | \begin{bmatrix} -18 & -49 \\ 54 & 143 \end{bmatrix}
11,\! 111,\! 111,\! 100 | 11111111100 | 11,111,111,100
\$18.90 | 18.9 | 18.90
10\% | 10 | 0.1
90^\circ | 90 | 90 degrees | 90^{\circ}
5.4 \text{ cents} | 5.4 | 5.40
864 \mbox{ inches}^2 | 864 | 864 \text{ inches}^2
\text{Evelyn} | Evelyn | evelyn | \textbf{Evelyn}
\text{(C)} | C | (C) | \text{C}
y = 2x + 3 | 2x+3
4210_5 | 4210_{5} | 4210
73 | 073 | 73.0 | m+n=73
"""
"""A right answer, and other ways to write it."""
OTHER = r"""
5 | 5.1 | -5 | 50 | \frac{1}{5} | 5i | x=6 | \text{five}
\frac{5}{4} | \frac{4}{5} | -\frac{5}{4} | 1.2 | \frac{5}{14}
\left( 3, \frac{\pi}{2} \right) | (3,\pi) | (\pi/2,3) | 3,\frac{\pi}{3} | 3
p - q | q - p | p+q | p
2k+2 | 2k+1 | k+2
x^3+3x-6 | x^3+3x+6 | x^3-3x-6 | x^2+3x-6
6 - 5i | 6+5i | -6-5i | 6
1,-2 | 1 | 1,2 | -1,2 | 1,-2,3
\sqrt{51} | \sqrt{15} | 51 | \sqrt[3]{51}
[-2,7] | (-2,7) | [-2,7) | [-7,2]
\begin{pmatrix} -18 & -49 \\ 54 & 143 \end{pmatrix} | \begin{pmatrix} -18 & -49 \\ 54 & 142 \end{pmatrix}
11,\! 111,\! 111,\! 100 | 11111111101 | 1111111110
10\% | 20\% | 0.01 | 1000
90^\circ | 45^\circ | 90.5^\circ | 9
\text{Evelyn} | \text{Evelynn} | Briana
\text{(C)} | \text{(B)} | D
y = 2x + 3 | y = 3x + 2 | x = 2y+3 | 2x
4210_5 | 4211_5 | 421_5
73 | 37 | 73.5 | 730
"""
"""A right answer, and near misses."""


def pairs(table: str) -> list[tuple[str, str]]:
    rows = [[cell.strip() for cell in line.split(" | ")] for line in table.strip().splitlines()]
    return [(f"So it is $\\boxed{{{cell}}}$.", first) for first, *rest in rows for cell in rest]


def test_other_ways_to_write_an_answer_are_right() -> None:
    asked = pairs(SAME)
    assert [pair for pair, read in zip(asked, read_all(asked), strict=True) if not (read.equal and read.boxed)] == []


def test_near_misses_are_wrong() -> None:
    asked = pairs(OTHER)
    assert [pair for pair, read in zip(asked, read_all(asked), strict=True) if read.equal or not read.boxed] == []


def test_every_reference_answer_is_right_in_its_box() -> None:
    asked = [(f"Thus \\[ \\boxed{{{answer}}} \\]", answer) for answer in REFERENCE]
    assert len(asked) == 500
    assert [read.extracted for read in read_all(asked) if not (read.equal and read.boxed)] == []


@pytest.mark.thorough
@pytest.mark.parametrize("form", ["The final answer is ${}$.", "So\n\n$${}$$", "**Answer:** {}", "Hence the answer is {}."])
def test_every_reference_answer_is_right_without_a_box(form: str) -> None:
    found = [score("math", form.format(answer), answer) for answer in REFERENCE[:1]]
    assert (found[0].strict, found[0].flexible, found[0].correct) == (False, True, True)
    reads = read_all([(form.format(answer), answer) for answer in REFERENCE])
    assert [answer for answer, read in zip(REFERENCE, reads, strict=True) if not read.equal] == []


@pytest.mark.thorough
def test_another_problem_s_answer_is_right_only_where_it_is_the_same() -> None:
    asked = list(pairwise(REFERENCE))
    reads = read_all([(f"\\boxed{{{other}}}", answer) for answer, other in asked])
    assert [pair for pair, read in zip(asked, reads, strict=True) if read.equal] == [("5", "x=5"), ("7", "7"), ("3", "3")]


@pytest.mark.parametrize(
    ("text", "box"),
    [
        (r"\boxed{1} or rather \boxed{2}", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed {\{1, 2\}}", r"\{1, 2\}"),
        (r"\fbox{7}", "7"),
        (r"\boxed{\left\{ x \right.}", r"\left\{ x \right."),
        (r"\boxed{1}, or \boxed{2", "1"),
        (r"\boxed{}", ""),
        ("42", None),
        (r"\boxed{" * 100_000, None),
        (r"\boxed{1} " * 30 + r"\boxed{2}", "2"),
    ],
)
def test_the_last_box_that_closes_is_the_answer(text: str, box: str | None) -> None:
    assert last_box(text) == box


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("", Read("", False, False)),
        (r"I give up: \boxed{}", Read("", False, False)),
        ("I would rather not.", Read("", False, False)),
        ("It makes $42$.", Read("42", False, True)),
        ("It makes $42$, \\boxed{41}", Read("41", True, False)),
    ],
)
def test_what_is_read(said: str, read: Read) -> None:
    assert read_all([(said, "42")]) == [read]


HOSTILE = [
    "\\boxed{9^{9^{9^9}}}",
    "\\boxed{100000000!}",
    f"\\boxed{{{'(' * 5000}{')' * 5000}}}",
    "\\boxed{\\sum_{n=1}^{10000000000} n^{n}}",
]


@pytest.mark.parametrize("hostile", ["9^9^9^9", *(pytest.param(one, marks=pytest.mark.thorough) for one in HOSTILE)])
def test_an_answer_that_cannot_be_computed_is_wrong_and_the_next_is_read(hostile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mathematics, "PAIR_CPU_SECONDS", 1.0)
    before, wrong, after = read_all([("$\\frac{84}{2}$", "42"), (hostile, "42"), ("$42.0$", "42")])
    assert (before.equal, wrong.equal, after.equal) == (True, False, True)


def test_what_is_written_as_the_answer_is_right_without_being_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mathematics, "PAIR_CPU_SECONDS", 0.3)
    deep = f"{'(' * 5000}1{')' * 5000}"
    assert read_all([(f"$\\boxed{{ {deep} }}$", deep)]) == [Read(deep, True, True)]


def test_a_child_that_was_killed_is_replaced_and_its_question_asked_again() -> None:
    child = mathematics._Child()
    try:
        assert child.asked("$42$", "42") == ("42", True)
        assert child.process is not None
        child.process.kill()
        child.process.wait()
        assert child.asked("$42$", "42") == ("42", True)
    finally:
        child.end()


@pytest.mark.parametrize(
    ("program", "why"),
    [("import math_verify_that_is_not_there", "ModuleNotFoundError: No module named"), ("raise SystemExit(3)", "exit code")],
)
def test_nothing_is_asked_where_answers_could_not_be_compared(
    program: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "child.py").write_text(program, encoding="utf-8")
    monkeypatch.setattr(mathematics, "CHILD", tmp_path / "child.py")
    nobody: Any = None
    with pytest.raises(MeasurementError) as error:
        measure_answers(nobody, QuestionSuite("sums", [Question("q", "all", "1?", "1")], 8, scorer="math"))
    assert str(error.value).startswith(f"math-verify, which compares mathematical answers, does not start ({why}")
    assert "\n" not in str(error.value)


def test_the_child_finds_what_this_process_would_on_pythonpath(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = "def parse(text, **_):\n    return ['on the path']\ndef verify(*_, **__):\n    return True\n"
    (tmp_path / "math_verify.py").write_text(stub, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert read_all([("it is $x$", "y")]) == [Read("on the path", False, True)]
