"""Lines that no harness has a name for: JSON lines, a JSON list, or CSV, with the caller's word for which column is what.

A column of JSON may lie inside another: `small.is_correct`. Without a column for the id it is the hash of the question.
"""

import csv
import gzip
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from quantgate import fingerprint
from quantgate.errors import ConfigurationError, MeasurementError, nearest
from quantgate.measure.adopt.files import decode, lines, opened, whole
from quantgate.measure.adopt.run import SHOWN, Asked, Choice, Run, worth_of

NAME = "plain lines"
FIELDS = ("id", "correct", "score", "answer", "group", "cluster", "question", "model", "finish_reason", "tokens", "error")
TABLES = {".csv": ",", ".tsv": "\t"}
WORDS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False, "yes": True, "no": False}


def columns_of(text: str) -> tuple[tuple[str, str], ...]:
    """`id=name,correct=is_right` as pairs of field and column. Raises ConfigurationError where a field is none, or what is needed lacks."""
    found = []
    for part in text.split(","):
        field, _, column = (one.strip() for one in part.partition("="))
        if field not in FIELDS or not column:
            close = nearest(field, FIELDS)
            raise ConfigurationError(f"--columns: {part!r} is no FIELD=COLUMN; the fields are {', '.join(FIELDS)}{close}")
        found.append((field, column))
    names = {field for field, _ in found}
    if not names & {"correct", "score"} or not names & {"id", "question"}:
        raise ConfigurationError(f"--columns={text}: it needs id or question, and correct or score")
    return tuple(found)


def read(paths: Sequence[Path], choice: Choice) -> list[Run]:
    """A run for each file; of one file alone the suite is left to the pair."""
    return [_read(path, choice, "" if len(paths) == 1 else path.name.partition(".")[0]) for path in paths]


def _read(path: Path, choice: Choice, suite: str) -> Run:
    columns = dict(choice.columns)
    figure = "score" if "score" in columns else "correct"
    run, models = Run(path, NAME, suite=choice.suite or suite, figure=figure), set[str]()
    for number, row in _rows(path):
        where = f"{path}, line {number}"
        values = {field: _at(row, column, where) for field, column in columns.items()}
        if (model := str(values.get("model") or "")) and choice.model and model != choice.model:
            continue
        models.add(model)
        question = values.get("question")
        what = fingerprint.of(question) if question is not None else ""
        name = str(values["id"]) if "id" in columns else what
        asked = Asked(what, "", str(question)[:SHOWN] if what else "", number)
        if values.get("error"):
            run.fail(name, str(values["error"])[:SHOWN], asked)
            continue
        text = str(values["answer"]) if values.get("answer") is not None else ""
        worth = _worth(values, where)
        run.add(
            name,
            worth,
            asked,
            text=text,
            extracted=text,
            parsed="answer" not in columns or bool(text.strip()) or worth == 1,
            group=str(values.get("group") or ""),
            cluster=str(values["cluster"]) if values.get("cluster") is not None else None,
            ending=str(values.get("finish_reason") or ""),
            tokens=_tokens(values.get("tokens"), where),
        )
    if len(models) > 1:
        raise MeasurementError(f"{path} holds the models {', '.join(sorted(models))}: choose one with --model")
    if choice.model and "model" in columns and not models:
        raise MeasurementError(f"{path} holds no line of the model {choice.model}")
    run.model = next(iter(models), "") or columns[figure].rpartition(".")[0]
    return run.whole()


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each row with its line (of a list: its place from 1)."""
    ending = next((one for one in reversed(path.suffixes) if one != ".gz"), "")
    if ending in TABLES:
        with opened(path) as file:
            try:
                reader = csv.DictReader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""), delimiter=TABLES[ending], strict=True)
                for row in reader:
                    if None in row or None in row.values():
                        raise MeasurementError(f"{path}, line {reader.line_num}: it has not the columns of the first line")
                    yield reader.line_num, row
            except (csv.Error, UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
                raise MeasurementError(f"{path} cannot be read as a table: {error}") from None
    elif ending == ".json":
        yield from enumerate(whole(path, list[dict[str, Any]], "list of objects"), 1)
    else:
        decoder = msgspec.json.Decoder(dict[str, Any])
        for number, content in lines(path):
            yield number, decode(decoder, content, f"{path}, line {number}", "object")


def _at(row: Mapping[str, Any], column: str, where: str) -> Any:
    """The column's value; a dot goes inside, where there is no column of the whole name."""
    if column in row:
        return row[column]
    found: Any = row
    for part in column.split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise MeasurementError(f"{where} has no column {column!r}; there is {', '.join(map(str, row))}{nearest(column, map(str, row))}")
        found = found[part]
    return found


def _worth(values: Mapping[str, Any], where: str) -> float:
    if "score" in values:
        score = values["score"]
        try:
            return worth_of(float(score) if isinstance(score, str) else score, "score", where)
        except ValueError:
            raise MeasurementError(f"{where}: the score is {score!r}, and no number") from None
    value = values["correct"]
    found = WORDS.get(str(value).strip().lower())
    if found is None:
        raise MeasurementError(f"{where}: correct is {value!r}; it must be true or false, 1 or 0")
    return float(found)


def _tokens(value: Any, where: str) -> int:
    if value in (None, ""):
        return 0
    try:
        return max(0, int(float(value)))
    except (TypeError, ValueError, OverflowError):
        raise MeasurementError(f"{where}: tokens is {value!r}, and no number") from None
