"""MMLU-Pro's own scripts: a JSON list of answers (or lines), plain or in a zip; one file, or a folder with one for each category.

Where a text holds no answer, some of these files have a letter drawn by lot in its place. So the letter is looked for again, by the
script's own three patterns: a `pred` that the text does not give is a guess, and no answer.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from quantgate import fingerprint
from quantgate.errors import MeasurementError
from quantgate.measure.adopt.files import Head, decode, lines, opened
from quantgate.measure.adopt.packed import ZipFile, is_zipfile, part
from quantgate.measure.adopt.run import SHOWN, Asked, Choice, Run

NAME = "MMLU-Pro"
SUITE = "mmlu_pro"
PATTERNS = (
    re.compile(r"answer is \(?([A-J])\)?"),
    re.compile(r".*[aA]nswer:\s*([A-J])"),
    re.compile(r"\b[A-J]\b(?!.*\b[A-J]\b)", re.DOTALL),
)


class Row(msgspec.Struct):
    """One answer; the text stands under either of two names."""

    question_id: int | str
    answer: str
    pred: str | None = None
    question: str = ""
    options: list[Any] = []
    category: str = ""
    generated_text: str | None = None
    model_outputs: Any = None

    @property
    def text(self) -> str | None:
        """None where it was not kept."""
        if self.generated_text is not None:
            return self.generated_text
        return self.model_outputs if isinstance(self.model_outputs, str) else None


def sniff(head: Head) -> bool:
    return b'"question_id"' in head.start and b'"pred"' in head.start and b'"answer"' in head.start


def read(paths: Sequence[Path], choice: Choice) -> list[Run]:
    """One run: all files together."""
    run = Run(paths[0] if len(paths) == 1 else paths[0].parent, NAME, suite=choice.suite or SUITE, figure="letter", unit="item")
    guesses = 0
    for path in paths:
        for where, place, row in _rows(path):
            text = row.text
            if row.pred is not None and not re.fullmatch("[A-J]", row.pred):
                raise MeasurementError(f"{where}: pred is {row.pred!r}; it must be a letter from A to J, or null")
            is_guess = row.pred is not None and text is not None and _found(text) != row.pred
            guesses += is_guess
            what = fingerprint.of([row.question, row.options, row.answer]) if row.question else ""
            run.add(
                str(row.question_id),
                float(row.pred == row.answer and not is_guess),
                Asked(what, "", f"{row.question} {row.options} {row.answer}"[:SHOWN] if what else "", place),
                text=text or "",
                extracted="" if is_guess else row.pred or "",
                parsed=row.pred is not None and not is_guess,
                group=row.category,
            )
    run.remark = f"{guesses:,} letters that the text does not give were taken for guesses" if guesses else ""
    return [run.whole()]


def _found(text: str) -> str | None:
    """The first of the patterns that finds a letter decides."""
    for pattern in PATTERNS:
        if (found := pattern.search(text)) is not None:
            return found[found.re.groups]
    return None


def _rows(path: Path) -> Iterator[tuple[str, int, Row]]:
    if is_zipfile(path):
        with ZipFile(path) as packed:
            for name in sorted(one for one in packed.namelist() if one.endswith(".json")):
                yield from _list(part(packed, name, path), f"{path}: {name}")
        return
    with opened(path) as file:
        is_list = file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"[")
    if is_list:
        with opened(path) as file:
            yield from _list(file.read().removeprefix(b"\xef\xbb\xbf"), str(path))
    else:
        decoder = msgspec.json.Decoder(Row)
        for number, content in lines(path):
            yield f"{path}, line {number}", number, decode(decoder, content, f"{path}, line {number}", "answer of MMLU-Pro's")


def _list(content: bytes, where: str) -> Iterator[tuple[str, int, Row]]:
    for place, row in enumerate(decode(msgspec.json.Decoder(list[Row]), content, where, "list of MMLU-Pro's answers"), 1):
        yield f"{where}, item {place}", place, row
