"""Public questions, asked without examples: the instruction is part of the question, and so of the fingerprint."""

import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from quantgate.errors import ConfigurationError
from quantgate.suites.kinds import Question, QuestionSuite
from quantgate.suites.public import AIME24, GPQA, GSM8K, MATH500, MMLU_PRO, rows

GSM8K_INSTRUCTION = "\n\nThink it through step by step. End with one line: #### and then the answer as a number."
MATH_INSTRUCTION = "\n\nReason step by step, and put your final answer within \\boxed{}."
CHOICE_INSTRUCTION = "\n\nThink it through step by step. End with one line: Answer: and then the letter of the right option alone."
GSM8K_TOKENS, MMLU_PRO_TOKENS = 512, 4096
MATH500_TOKENS, GPQA_TOKENS, AIME24_TOKENS = 8192, 16384, 32768
"""Room for models that think: most of a good one's answers end within it. A model that does not think uses a tenth."""
LETTERS = "ABCDEFGHIJ"
GPQA_SEED = 20261127
"""Of the order in which a question's options stand; the order is part of the prompt, and so of the fingerprint."""


def gsm8k(data: Path | None) -> QuestionSuite:
    """1,319 word problems of GSM8K's test split, answered by a number behind ####."""
    asked = [
        Question(f"gsm8k-{number:04}", "gsm8k", one["question"].strip() + GSM8K_INSTRUCTION, _gold(one["answer"]))
        for number, one in enumerate(rows(GSM8K, data, "gsm8k"))
    ]
    return QuestionSuite("gsm8k", asked, max_tokens=GSM8K_TOKENS, scorer="number")


def math500(data: Path | None) -> QuestionSuite:
    """500 competition problems of MATH in seven subjects, answered in \\boxed{}; right is what is equal, however it is written."""
    asked = [
        Question(_named("math500", one["unique_id"]), one["subject"], one["problem"].strip() + MATH_INSTRUCTION, one["answer"].strip())
        for one in rows(MATH500, data, "math500")
    ]
    return QuestionSuite("math500", _unlike("math500", asked), max_tokens=MATH500_TOKENS, scorer="math")


def aime24(data: Path | None) -> QuestionSuite:
    """The 30 problems of AIME 2024, answered by an integer from 000 to 999 in \\boxed{}. Too few to decide anything without repeats."""
    asked = [
        Question(f"aime24-{one['id']}", "aime24", one["problem"].strip() + MATH_INSTRUCTION, _of_three_digits(one))
        for one in rows(AIME24, data, "aime24")
    ]
    return QuestionSuite("aime24", _unlike("aime24", asked), max_tokens=AIME24_TOKENS, scorer="math")


def mmlu_pro(data: Path | None) -> QuestionSuite:
    """12,032 questions of MMLU-Pro's test split in 14 categories, up to ten options each, answered by a letter."""
    asked = [
        Question(f"mmlu-pro-{one['question_id']}", one["category"], _with_options(one["question"], one["options"]), _letter(one))
        for one in rows(MMLU_PRO, data, "mmlu_pro")
    ]
    return QuestionSuite("mmlu_pro", _unlike("mmlu_pro", asked), max_tokens=MMLU_PRO_TOKENS, scorer="choice")


def gpqa(data: Path | None) -> QuestionSuite:
    """198 questions of GPQA's diamond set in biology, chemistry and physics, four options each in an order of our own; gated at the hub."""
    asked = [_of_gpqa(one) for one in rows(GPQA, data, "gpqa")]
    return QuestionSuite("gpqa", _unlike("gpqa", asked), max_tokens=GPQA_TOKENS, scorer="choice")


def _of_gpqa(row: dict[str, Any]) -> Question:
    """The right one stands first in the data set: the order is drawn by seed and record, whatever the rows' own order."""
    right, *wrong = (str(row[name]).strip() for name in GPQA.columns[3:])
    options = [right, *wrong]
    random.Random(f"{GPQA_SEED} {row['Record ID']}").shuffle(options)
    asked = _with_options(str(row["Question"]), options)
    return Question(f"gpqa-{row['Record ID']}", row["High-level domain"], asked, LETTERS[options.index(right)])


def _with_options(question: str, options: Sequence[str]) -> str:
    lettered = (f"{letter}) {str(option).strip()}" for letter, option in zip(LETTERS, options, strict=False))
    return "\n".join([question.strip(), "", *lettered]) + CHOICE_INSTRUCTION


def _letter(row: dict[str, Any]) -> str:
    letter, options = str(row["answer"]).strip(), len(row["options"])
    if not 2 <= options <= len(LETTERS) or letter not in LETTERS[:options] or len(letter) != 1:
        raise ConfigurationError(
            f"suite mmlu_pro: question {row['question_id']} has the answer {letter!r} and {options} options: it is no letter of theirs"
        )
    return letter


def _of_three_digits(row: dict[str, Any]) -> str:
    answer = str(row["answer"]).strip()
    if not re.fullmatch(r"\d{1,3}", answer):
        raise ConfigurationError(f"suite aime24: problem {row['id']} has the answer {answer!r}, and AIME's are integers from 000 to 999")
    return str(int(answer))


def _named(suite: str, path: str) -> str:
    """`test/algebra/24.json` as `math500-algebra-24`."""
    return "-".join([suite, *path.removesuffix(".json").split("/")[1:]])


def _unlike(suite: str, asked: list[Question]) -> list[Question]:
    ids = [one.id for one in asked]
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise ConfigurationError(f"suite {suite}: its data have the question {twice} twice; fetch them again")
    return asked


def _gold(answer: str) -> str:
    return answer.rpartition("####")[2].strip().replace(",", "")
