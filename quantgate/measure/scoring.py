"""What an answer to a question is taken to say, and whether that is right: in the form asked for (strict), and in any (flexible).

Which of the two counts is the scorer's own: where the form is all that was asked for, the strict one; where a model reasons first and
may write its result in several ways, the flexible one, since a change of form is no loss of ability.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from quantgate.measure import mathematics
from quantgate.suites import Scorer

INTEGER = re.compile(r"-?\d+")
NUMBER = re.compile(r"-?\$?\d[\d,]*(?:\.\d+)?")
MARKED = re.compile(r"####\s*(" + NUMBER.pattern + ")")
LETTER = re.compile(r"(?<![A-Za-z])(?:([B-HJ])|([AI])(?!['’]|\s+(?!is\b)[a-z]))(?![A-Za-z])")
"""One that stands alone and is no word: "A train …", "I think"."""
STATED = re.compile(r"(?i:answer|choice|option)\s*(?i:is)?\s*[:：]?\s*[(*]*([A-J](?![A-Za-z])|[a-j](?=[)*.\s]*$))", re.MULTILINE)
ANSWERED = re.compile(r"^[\s*]*(?i:answer)[*]*\s*[:：][\s*]*\(?([A-J])\)?[.\s*]*$", re.MULTILINE)
"""A line that is the answer, as the suites ask for one."""
STATED_WORDS = re.compile(r"^.*(?:\banswer\b|答案)(?:[\s*_]*(?:is\b|是|为))?[\s*_:：]*", re.IGNORECASE)
"""What stands before the answer in its line."""
BOXED = re.compile(r"\\boxed\{\s*(?:\\(?:text|textbf|mathrm|mathbf)\{)?\s*([^{}]+?)\s*\}")


class Scored(NamedTuple):
    """`extracted`: what counts as the answer, "" where nothing does; `correct`: strict or flexible, as the scorer has it."""

    extracted: str
    strict: bool
    flexible: bool
    correct: bool


def score(scorer: Scorer, visible: str, answer: str) -> Scored:
    """`visible`: what was said behind any reasoning, stripped."""
    return score_all(scorer, [(visible, answer)])[0]


def score_all(scorer: Scorer, pairs: Sequence[tuple[str, str]]) -> list[Scored]:
    """Of (visible, answer) pairs, in their order."""
    if scorer == "math":
        return [_math(one) for one in mathematics.read_all(pairs)]
    return [SCORERS[scorer](*pair) for pair in pairs]


def _integer(visible: str, answer: str) -> Scored:
    """Strict: the text is the answer and nothing else. Flexible: the last integer in it is. Strict counts."""
    extracted = next(iter(INTEGER.findall(visible)[-1:]), "")
    return Scored(extracted, visible == answer, extracted == answer, visible == answer)


def _number(visible: str, answer: str) -> Scored:
    """Strict: the number behind the last ####. Flexible: that, else the one in \\boxed{}, else the last in the text. Flexible counts."""
    marked = [found[1] for found in MARKED.finditer(visible)]
    boxed = [number[0] for found in BOXED.finditer(visible) if (number := NUMBER.search(found[1]))]
    loose = [found[0] for found in NUMBER.finditer(visible)]
    extracted = next((_plain(found[-1]) for found in (marked, boxed, loose) if found), "")
    strict = bool(marked) and _plain(marked[-1]) == _plain(answer)
    flexible = extracted != "" and extracted == _plain(answer)
    return Scored(extracted, strict, flexible, flexible)


def _plain(number: str) -> str:
    """Without what does not change it: thousands, a currency, zeros behind the point."""
    bare = number.replace("$", "").replace(",", "")
    return bare.rstrip("0").rstrip(".") if "." in bare else bare


def _choice(visible: str, answer: str) -> Scored:
    """Strict: the letter alone, in brackets or with a stop, or a last line `Answer: X`. Flexible: the last such line, else the letter that
    is boxed or stated last, else the last that stands alone. Flexible counts."""
    alone = re.fullmatch(r"\(?([A-J])[).]?", visible)
    lines = [found[1] for found in ANSWERED.finditer(visible)]
    boxed = [letter[1] for found in BOXED.finditer(visible) if (letter := re.fullmatch(r"\(?([A-J])\)?", found[1]))]
    stated = [found[1].upper() for found in STATED.finditer(visible)]
    letters = [found[1] or found[2] for found in LETTER.finditer(visible)]
    extracted = next((found[-1] for found in (lines, boxed, stated, letters) if found), "")
    last = ANSWERED.fullmatch(visible.rpartition("\n")[2])
    strict = any(form is not None and form[1] == answer for form in (alone, last))
    return Scored(extracted, strict, extracted == answer, extracted == answer)


def _math(read: mathematics.Read) -> Scored:
    """Strict: what stands in the last \\boxed{} is equal to the answer. Flexible: that, or without a box what the text ends in."""
    return Scored(read.extracted, read.boxed and read.equal, read.equal, read.equal)


def _exact(visible: str, answer: str) -> Scored:
    """Strict: the text is the answer. Flexible: its last line is, without "Answer:", case, and marks around it. Flexible counts."""
    last = next((line for line in reversed(visible.splitlines()) if line.strip()), "")
    extracted = _bare(STATED_WORDS.sub("", last))
    flexible = extracted != "" and extracted == _bare(answer)
    return Scored(extracted, visible == answer, flexible, flexible)


def _bare(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .,:;!*_`\"'。，：！")


SCORERS: dict[str, Callable[[str, str], Scored]] = {"integer": _integer, "number": _number, "choice": _choice, "exact": _exact}
