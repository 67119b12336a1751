"""Write what the family is asked: `python -m quantgate.suites.reference.make_suites` makes the files beside this one again.

They are stored, not drawn at run time, so that no change of a random generator can change a suite unseen.
`calibration.jsonl` is drawn from the training data's side of both sources; it shares nothing with the suites.
"""

import json
import random
from pathlib import Path

import numpy as np

from quantgate.suites.reference import questions, source

FOLDER = Path(__file__).parent
DOCUMENTS, SHORTEST, LONGEST = 256, 120, 256
CALIBRATION_DOCUMENTS = 256


def text_documents() -> list[str]:
    """The documents of `reference-text`: 256 of 120 to 256 words, 48,128 words in all."""
    lengths = np.linspace(SHORTEST, LONGEST, DOCUMENTS).round().astype(int)
    drawn = source.sample(np.random.default_rng(256), DOCUMENTS, LONGEST)
    return [source.as_text(words[:length]) for words, length in zip(drawn, lengths, strict=True)]


def calibration_texts() -> list[str]:
    """Training text and training questions with their answers, as the chat template renders them, alternating."""
    drawn = source.sample(np.random.default_rng(512), CALIBRATION_DOCUMENTS, LONGEST)
    asked = questions.training_questions(random.Random(512))
    texts = []
    for words in drawn:
        question = next(asked)
        texts += [source.as_text(words), f"<|user|>{question.prompt}<|end|><|assistant|>{question.answer}<|end|>"]
    return texts


def _lines(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def files() -> dict[str, str]:
    """File name → content, exactly as stored."""
    return {
        "text.jsonl": _lines([{"id": f"text-{number:03}", "text": text} for number, text in enumerate(text_documents())]),
        "questions.jsonl": _lines(
            [
                {"id": f"{asked.group}-{asked.level}-{number:04}", "group": asked.group, "prompt": asked.prompt, "answer": asked.answer}
                for number, asked in enumerate(questions.suite_questions())
            ]
        ),
        "calibration.jsonl": _lines([{"text": text} for text in calibration_texts()]),
    }


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, content in files().items():
        (FOLDER / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
