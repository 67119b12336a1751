"""Public questions, asked without examples: the instruction is part of the question, and so of the fingerprint."""

from pathlib import Path

from quantgate.suites.kinds import Question, QuestionSuite
from quantgate.suites.public import GSM8K, rows

GSM8K_INSTRUCTION = "\n\nThink it through step by step. End with one line: #### and then the answer as a number."
GSM8K_TOKENS = 512


def gsm8k(data: Path | None) -> QuestionSuite:
    """1,319 word problems of GSM8K's test split, answered by a number behind ####."""
    asked = [
        Question(f"gsm8k-{number:04}", "gsm8k", one["question"].strip() + GSM8K_INSTRUCTION, _gold(one["answer"]))
        for number, one in enumerate(rows(GSM8K, data, "gsm8k"))
    ]
    return QuestionSuite("gsm8k", asked, max_tokens=GSM8K_TOKENS, scorer="number")


def _gold(answer: str) -> str:
    return answer.rpartition("####")[2].strip().replace(",", "")
