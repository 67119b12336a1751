"""What an answer is taken to say: by each scorer, in the form asked for and in others."""

import pytest

from quantgate.measure.scoring import Scored, score
from quantgate.suites import Scorer

WRONG = (False, False, False)
STRICT = (True, True, True)
LOOSE = (False, True, True)
"""(strict, flexible, correct) where the form does not count."""


@pytest.mark.parametrize(
    ("scorer", "said", "answer", "extracted", "found"),
    [
        ("integer", "42", "42", "42", STRICT),
        ("integer", "It is 42.", "42", "42", (False, True, False)),
        ("integer", "41 or 42?", "41", "42", WRONG),
        ("integer", "none", "42", "", WRONG),
        ("number", "3 + 4 = 7\n#### 7", "7", "7", STRICT),
        ("number", "#### $1,234.50", "1234.5", "1234.5", STRICT),
        ("number", "#### 7.00", "7", "7", STRICT),
        ("number", "#### 6\n#### 7", "7", "7", STRICT),
        ("number", "So she has 7 dollars.", "7", "7", LOOSE),
        ("number", "The answer is \\boxed{7}, and not 8.", "7", "7", LOOSE),
        ("number", "#### 8 (and not 7)", "7", "8", WRONG),
        ("number", "#### -3", "3", "-3", WRONG),
        ("number", "I do not know.", "7", "", WRONG),
        ("choice", "B", "B", "B", STRICT),
        ("choice", "(B)", "B", "B", STRICT),
        ("choice", "The answer is (C).", "C", "C", LOOSE),
        ("choice", "A is wrong. B: no. Answer: **D**", "D", "D", LOOSE),
        ("choice", "A is wrong.\nAnswer: D", "D", "D", STRICT),
        ("choice", "It is a gas.\n**Answer:** (J).", "J", "J", STRICT),
        ("choice", "Answer: D\n\nOption A is tempting.", "D", "D", LOOSE),
        ("choice", "The answer is a number, and I take: B", "B", "B", LOOSE),
        ("choice", "answer: b", "B", "B", LOOSE),
        ("choice", "\\boxed{\\textbf{(C)}}", "C", "C", LOOSE),
        ("choice", "I think that A train is late", "A", "", WRONG),
        ("choice", "Answer: K", "J", "", WRONG),
        ("math", "So \\boxed{\\tfrac12}", "\\frac{1}{2}", "\\tfrac12", STRICT),
        ("math", "So it is $0.5$.", "\\frac{1}{2}", "\\frac{1}{2}", LOOSE),
        ("math", "So \\boxed{2}", "\\frac{1}{2}", "2", WRONG),
        ("choice", "\\boxed{A} rather than B", "A", "A", LOOSE),
        ("choice", "Because of C", "B", "C", WRONG),
        ("choice", "none of them", "B", "", WRONG),
        ("exact", "Paris", "Paris", "paris", STRICT),
        ("exact", "Let me see.\nAnswer: paris.", "Paris", "paris", LOOSE),
        ("exact", "The answer is **Paris**", "Paris", "paris", LOOSE),
        ("exact", "想一想。\n答案：北京。", "北京", "北京", LOOSE),
        ("exact", "答案是 12", "12", "12", LOOSE),
        ("exact", "Answer: 2001-03-04", "2001-03-04", "2001-03-04", LOOSE),
        ("exact", "Answer: -7", "-7", "-7", LOOSE),
        ("exact", "**Answer:** Jupiter", "Jupiter", "jupiter", LOOSE),
        ("exact", "Paris or Rome", "Paris", "paris or rome", WRONG),
        ("exact", "", "Paris", "", WRONG),
    ],
)
def test_an_answer_is_read(scorer: Scorer, said: str, answer: str, extracted: str, found: tuple[bool, bool, bool]) -> None:
    assert score(scorer, said, answer) == Scored(extracted, *found)
