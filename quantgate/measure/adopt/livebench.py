"""LiveBench: `ground_truth_judgment.jsonl`, a line for each model, question and turn; `model_answer/<model>.jsonl` tells how answers ended.

Judged again, the last judgment counts, as long as it is of the same answer. A score of -1 and an `eval_status` are errors of the harness.
The turns of a question are a cluster.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from quantgate.errors import MeasurementError
from quantgate.measure.adopt.files import Head, canonical, decode, head, lines
from quantgate.measure.adopt.run import Asked, Choice, Run, Settings, worth_of

NAME = "LiveBench"
SUITE = "livebench"
ERROR = "$ERROR$"
LOGGED = re.compile(rb"question: (\S+?),(?: turn: (\d+),)? model: (.+?), score: ([^,\s]+)")
"""A judgment as the program prints it, among whatever else it prints."""


class Judgment(msgspec.Struct):
    """One line; `turn` is missing where a question has one."""

    question_id: str
    model: str
    score: Any = None
    task: str = ""
    turn: int | None = None
    tstamp: float = 0.0
    category: str = ""
    answer_id: str = ""
    eval_status: str | None = None
    error_msg: str | None = None


class Choices(msgspec.Struct):
    """What was said, turn by turn."""

    turns: list[str]


class Given(msgspec.Struct):
    """A line of the answers."""

    question_id: str
    model_id: str
    choices: list[Choices]
    total_output_tokens: int = 0
    api_info: dict[str, Any] | None = None


def sniff(found: Head) -> bool:
    return _is_judgments(found) or {"question_id", "model_id", "choices"} <= found.first.keys()


def _is_judgments(found: Head) -> bool:
    return {"question_id", "model", "score"} <= found.first.keys() or _is_log(found)


def _is_log(found: Head) -> bool:
    return not found.first and LOGGED.search(found.start) is not None


def read(paths: Sequence[Path], choice: Choice) -> list[Run]:
    """One run: all tasks together, their categories as groups."""
    judged = [path for path in paths if _is_judgments(head(path))]
    if not judged:
        raise MeasurementError(f"{paths[0]} holds answers that nobody judged: give LiveBench's ground_truth_judgment.jsonl too")
    beside = [one for path in judged for one in sorted((path.parent.parent / "model_answer").glob("*.jsonl"))]
    rows = [(path, number, row) for path in judged for number, row in _judgments(path)]
    model = _model({row.model for _, _, row in rows}, choice, judged[0])
    run = Run(judged[0] if len(judged) == 1 else judged[0].parent, NAME, suite=choice.suite or SUITE, model=model, figure="score")
    last: dict[tuple[str, int], tuple[Path, int, Judgment]] = {}
    for path, number, row in rows:
        if row.model != model:
            continue
        key = row.question_id, row.turn or 1
        if (before := last.get(key)) is not None and before[2].answer_id != row.answer_id:
            raise MeasurementError(
                f"{path}, line {number}: question {row.question_id!r}, turn {key[1]}, was judged for the answer {row.answer_id!r}, and "
                f"in line {before[1]} of {before[0].name} for {before[2].answer_id!r}: leave the lines of one"
            )
        if before is None or row.tstamp >= before[2].tstamp:
            last[key] = path, number, row
    given = _answers([*dict.fromkeys([*(one for one in paths if one not in judged), *beside])], model)
    run.sent, run.ways = _sent(list(given.values()))
    for path, number, row in last.values():
        _add(run, row, given.get(row.question_id), f"{path}, line {number}", number)
    return [run.whole()]


def models(paths: Sequence[Path]) -> list[str]:
    """Those that were judged in these files, as they come; none where no file holds judgments."""
    judged = [path for path in paths if _is_judgments(head(path))]
    return list(dict.fromkeys(row.model for path in judged for _, row in _judgments(path)))


def _sent(given: Sequence[Given]) -> tuple[Settings, list[str]]:
    """What LiveBench's own table of models had sent with the requests (`api_kwargs`, which nobody asked for on the command line), as a
    setting and in words. Temperature and room for an answer are in these files only where that table names them."""
    found = [canonical(one.api_info.get("api_kwargs") or {}) for one in given if one.api_info is not None]
    if not found:
        return {}, []
    others = sum(one != found[0] for one in found)
    told = f"{others} of {len(found)} have others than the first" if others else found[0]
    return {"api_kwargs": told}, [] if told == "{}" else [f"api_kwargs from its own table of models ({told})"]


def _judgments(path: Path) -> list[tuple[int, Judgment]]:
    if _is_log(head(path)):
        return [(number, _logged(one)) for number, content in lines(path) if (one := LOGGED.match(content)) is not None]
    decoder = msgspec.json.Decoder(Judgment)
    return [(number, decode(decoder, content, f"{path}, line {number}", "judgment of LiveBench's")) for number, content in lines(path)]


def _logged(found: re.Match[bytes]) -> Judgment:
    question, turn, model, score = (part.decode(errors="replace") if part is not None else "" for part in found.groups())
    try:
        number: Any = float(score)
    except ValueError:
        number = score
    return Judgment(question, model, number, turn=int(turn) if turn else None)


def _model(names: set[str], choice: Choice, path: Path) -> str:
    """The only model, or the one chosen, whose case does not matter."""
    found = [name for name in names if not choice.model or name.casefold() == choice.model.casefold()]
    if choice.model in found:
        return choice.model
    if len(found) == 1:
        return found[0]
    listed = ", ".join(sorted(names))
    if not choice.model:
        raise MeasurementError(f"{path} holds the models {listed}: choose one a side, --model BASELINE --model CANDIDATE")
    raise MeasurementError(f"{path} holds no one model {choice.model}; there is {listed}")


def _answers(paths: Sequence[Path], model: str) -> dict[str, Given]:
    found: dict[str, Given] = {}
    decoder = msgspec.json.Decoder(Given)
    for path in paths:
        if {"question_id", "model_id", "choices"} <= head(path).first.keys():
            for number, content in lines(path):
                one = decode(decoder, content, f"{path}, line {number}", "answer of LiveBench's")
                if one.model_id.casefold() == model.casefold():
                    found[one.question_id] = one
    return found


def _add(run: Run, row: Judgment, given: Given | None, where: str, line: int) -> None:
    turn = row.turn or 1
    name = row.question_id if turn == 1 else f"{row.question_id}:{turn}"
    turns = given.choices[0].turns if given is not None and given.choices else []
    text = turns[turn - 1] if 0 < turn <= len(turns) else ""
    asked = Asked("", "", "", line)
    if row.eval_status or row.score == -1 or text == ERROR:
        run.fail(name, row.error_msg or row.eval_status or ("no answer ($ERROR$)" if text == ERROR else "score -1"), asked)
        return
    tokens = given.total_output_tokens if given is not None and len(turns) == 1 else 0
    run.add(
        name,
        worth_of(row.score, "score", where),
        asked,
        text=text,
        parsed=not turns or bool(text.strip()) or row.score == 1,
        group=row.category or row.task,
        task=row.task if row.category else "",
        cluster=row.question_id,
        tokens=max(0, tokens),
    )
