"""What an answer to a question is taken to say, and whether that is right: in the form asked for (strict), and in any (flexible).

Which of the two counts is the scorer's own: where the form is all that was asked for, the strict one; where a model reasons first and
may write its result in several ways, the flexible one, since a change of form is no loss of ability.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from quantgate.suites import Scorer

LAST_INTEGER = re.compile(r"-?\d+(?!.*\d)", re.DOTALL)
NUMBER = re.compile(r"-?\$?\d[\d,]*(?:\.\d+)?")
MARKED = re.compile(r"####\s*(" + NUMBER.pattern + ")")
LETTER = re.compile(r"(?<![A-Za-z])([A-J])(?![A-Za-z])")
STATED = re.compile(r"(?:answer|choice|option)\s*(?:is)?\s*:?\s*\(?\**([A-J])(?![A-Za-z])", re.IGNORECASE)
STATED_WORDS = re.compile(r"^.*(?:\banswer\b|答案)(?:[\s*_]*(?:is\b|是|为))?[\s*_:：]*", re.IGNORECASE)
"""What stands before the answer in its line."""
BOXED = re.compile(r"\\boxed\{\s*(?:\\text\{)?\s*([^{}]+?)\s*\}")


class Scored(NamedTuple):
    """`extracted`: what counts as the answer, "" where nothing does; `correct`: strict or flexible, as the scorer has it."""

    extracted: str
    strict: bool
    flexible: bool
    correct: bool


def score(scorer: Scorer, visible: str, answer: str) -> Scored:
    """`visible`: what was said behind any reasoning, stripped."""
    return SCORERS[scorer](visible, answer)


def _integer(visible: str, answer: str) -> Scored:
    """Strict: the text is the answer and nothing else. Flexible: the last integer in it is. Strict counts."""
    found = LAST_INTEGER.search(visible)
    extracted = found[0] if found else ""
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
    """Strict: the letter alone, in brackets or with a stop. Flexible: the one that is stated or boxed last, else the last letter that
    stands alone. Flexible counts."""
    alone = re.fullmatch(r"\(?([A-J])[).]?", visible)
    boxed = [found[1] for found in BOXED.finditer(visible) if re.fullmatch(r"[A-J]", found[1])]
    stated = [found[1].upper() for found in STATED.finditer(visible)]
    letters = [found[1] for found in LETTER.finditer(visible)]
    extracted = next((found[-1] for found in (boxed, stated, letters) if found), "")
    return Scored(extracted, alone is not None and alone[1] == answer, extracted == answer, extracted == answer)


def _exact(visible: str, answer: str) -> Scored:
    """Strict: the text is the answer. Flexible: its last line is, without "Answer:", case, and marks around it. Flexible counts."""
    last = next((line for line in reversed(visible.splitlines()) if line.strip()), "")
    extracted = _bare(STATED_WORDS.sub("", last))
    flexible = extracted != "" and extracted == _bare(answer)
    return Scored(extracted, visible == answer, flexible, flexible)


def _bare(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .,:;!*_`\"'。，：！")


SCORERS: dict[Scorer, Callable[[str, str], Scored]] = {"integer": _integer, "number": _number, "choice": _choice, "exact": _exact}
