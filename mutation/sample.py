"""The large sample on which a true loss is measured: ten times the suites, from the same sources, under seeds of its own.

Nothing in it stands in a suite. Its questions are held out of training by the same rule as the suite's. Where a level
has fewer held-out questions than are wanted (three digits times one leave about 430), all of them are asked and then
asked again, so that groups and levels weigh what they weigh in the suite.
"""

import itertools
import random
from collections.abc import Sequence

import numpy as np

from quantgate.suites.reference import questions, source
from quantgate.suites.reference.make_suites import LONGEST, SHORTEST
from quantgate.suites.reference.questions import Question

DOCUMENTS, QUESTIONS = 2_560, 12_000
SMALL_DOCUMENTS, SMALL_QUESTIONS = 32, 200
DOCUMENT_SEED, QUESTION_SEED = 2_560, 12_000
FRUITLESS = 4_000
"""Draws in a row without a new question after which a level counts as exhausted."""


def documents(wanted: int = DOCUMENTS) -> list[str]:
    """Documents of 120 to 256 words, lengths spread as the suite spreads them."""
    lengths = np.linspace(SHORTEST, LONGEST, wanted).round().astype(int)
    drawn = source.sample(np.random.default_rng(DOCUMENT_SEED), wanted, LONGEST)
    return [source.as_text(words[:length]) for words, length in zip(drawn, lengths, strict=True)]


def asked(wanted: int = QUESTIONS, taken: Sequence[str] | None = None) -> list[Question]:
    """Questions in the suite's groups and levels, equally many of each group; none is among the prompts `taken`.

    `taken` is the suite, unless given.
    """
    rng, drawn = random.Random(QUESTION_SEED), list[Question]()
    seen = {question.prompt for question in questions.suite_questions()} if taken is None else set(taken)
    per_group = wanted // len(questions.SUITE)
    for group, levels in questions.SUITE.items():
        for number, level in enumerate(levels):
            share = len(range(number, per_group, len(levels)))
            drawn += itertools.islice(itertools.cycle(distinct(rng, group, level, share, seen)), share)
    return drawn


def distinct(rng: random.Random, group: str, level: int, wanted: int, seen: set[str]) -> list[Question]:
    """Up to `wanted` held-out questions, no two alike and none in `seen`, which grows by them."""
    found: list[Question] = []
    fruitless = 0
    while len(found) < wanted and fruitless < FRUITLESS:
        question = questions.draw(rng, group, level, suite=True)
        if question.prompt in seen:
            fruitless += 1
            continue
        fruitless = 0
        seen.add(question.prompt)
        found.append(question)
    return found
