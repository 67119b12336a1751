"""The questions: seven kinds of small task, each with one decidable answer and graded by size.

A question belongs to the suite or to the training data by the checksum of its text (`held_out`), so the two can
never meet, however many are drawn.
"""

import random
import statistics
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from quantgate.suites.reference.words import source_words


class Question(NamedTuple):
    group: str
    level: int
    prompt: str
    answer: str


def held_out(prompt: str) -> bool:
    """Whether this question is reserved for the suite (one in sixteen is); training never sees it."""
    return zlib.crc32(prompt.encode()) % 16 == 0


def _number(rng: random.Random, digits: int) -> int:
    return rng.randrange(10 ** (digits - 1), 10**digits)


def add(rng: random.Random, digits: int) -> tuple[str, str]:
    """Two numbers of up to `digits` digits, seldom of the same length, so that the columns must be found first."""
    left, right = (_number(rng, rng.randint(digits // 2, digits)) for _ in range(2))
    return f"add {left} {right}", str(left + right)


def multiply(rng: random.Random, shape: int) -> tuple[str, str]:
    """Shape 32 is three digits by two."""
    left, right = (_number(rng, digits) for digits in divmod(shape, 10))
    return f"multiply {left} {right}", str(left * right)


def remainder(rng: random.Random, shape: int) -> tuple[str, str]:
    """Shape 32 is three digits by two."""
    left, right = (_number(rng, digits) for digits in divmod(shape, 10))
    return f"remainder {left} {right}", str(left % right)


def total(rng: random.Random, count: int) -> tuple[str, str]:
    numbers = [_number(rng, 2) for _ in range(count)]
    return "total " + " ".join(map(str, numbers)), str(sum(numbers))


def median(rng: random.Random, count: int) -> tuple[str, str]:
    numbers = [_number(rng, 2) for _ in range(count)]
    return "median " + " ".join(map(str, numbers)), str(statistics.median_low(numbers))


def sort(rng: random.Random, count: int) -> tuple[str, str]:
    numbers = [_number(rng, 2) for _ in range(count)]
    return "sort " + " ".join(map(str, numbers)), " ".join(map(str, sorted(numbers)))


def count(rng: random.Random, length: int) -> tuple[str, str]:
    kinds = rng.sample(source_words(), 4)
    listed = [rng.choice(kinds) for _ in range(length)]
    return f"count {kinds[0]} in {' '.join(listed)}", str(listed.count(kinds[0]))


GROUPS: dict[str, tuple[Callable[[random.Random, int], tuple[str, str]], tuple[int, ...]]] = {
    "add": (add, (6, 9, 12, 15)),
    "multiply": (multiply, (21, 31, 22, 32)),
    "remainder": (remainder, (21, 31, 41, 32)),
    "total": (total, (4, 6, 8, 10)),
    "median": (median, (9, 13, 17, 21)),
    "sort": (sort, (4, 8, 12, 16)),
    "count": (count, (4, 8, 12, 16)),
}
"""Group → (how to draw one, the levels that training covers)."""

SUITE = {"add": (12, 14, 15, 16), "multiply": (31, 22, 32), "remainder": (31, 41, 51), "median": (23, 27, 31), "count": (4, 8, 12)}
"""Group → levels that the suite asks: at the edge of what the model learnt, some just beyond the training's sizes.

Sorting is left out because the model never errs, and totals because they hang on the last bit of one attention
average (93 % in BF16, 27 % in NVFP4): neither says anything about a checkpoint.
"""
SUITE_QUESTIONS_PER_GROUP = 240


def draw(rng: random.Random, group: str, level: int, *, suite: bool) -> Question:
    """Draw one question of the suite (`suite=True`) or of the training data."""
    make, _ = GROUPS[group]
    while True:
        prompt, answer = make(rng, level)
        if held_out(prompt) is suite:
            return Question(group, level, prompt, answer)


def training_questions(rng: random.Random) -> Iterator[Question]:
    """Training questions without end: groups equally often, levels of a group equally often."""
    while True:
        group = rng.choice(list(GROUPS))
        yield draw(rng, group, rng.choice(GROUPS[group][1]), suite=False)


def suite_questions() -> list[Question]:
    """The 1,200 questions of `reference-questions`, no two alike."""
    rng, drawn = random.Random(1200), dict[str, Question]()
    for group, levels in SUITE.items():
        wanted = len(drawn) + SUITE_QUESTIONS_PER_GROUP
        while len(drawn) < wanted:
            question = draw(rng, group, levels[len(drawn) % len(levels)], suite=True)
            drawn.setdefault(question.prompt, question)
    return list(drawn.values())
