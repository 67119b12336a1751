"""Inspect: a log as `.eval` (a zip with a file for each sample) or as one JSON document. The epochs of a sample are a cluster.

A sample that ended in an error, or that nobody scored, is an error and no zero.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from quantgate import fingerprint
from quantgate.errors import MeasurementError
from quantgate.measure.adopt.files import Head, decode, whole
from quantgate.measure.adopt.inspect_ways import sent_with, setup_of, ways_of
from quantgate.measure.adopt.packed import ZipFile, is_zipfile, part
from quantgate.measure.adopt.run import SHOWN, Asked, Choice, Run, chosen_of, worth_of

NAME = "Inspect"
WORTH = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
"""Inspect's own: correct, incorrect, partial, no answer."""
LIMITS = {"token": "max_tokens", "context": "model_length"}


class Score(msgspec.Struct):
    """`value`: a letter of WORTH, a number, or a dict of these."""

    value: Any = None
    answer: str | None = None


class Choices(msgspec.Struct):
    """`message`: its content is a text or a list of parts."""

    message: dict[str, Any] = {}
    stop_reason: str = ""


class Output(msgspec.Struct):
    """What the model said last."""

    choices: list[Choices] = []
    usage: dict[str, Any] | None = None


class Sample(msgspec.Struct):
    """One question in one epoch."""

    id: int | str
    epoch: int = 1
    input: Any = None
    choices: list[str] | None = None
    target: Any = None
    scores: dict[str, Score] | None = None
    output: Output = msgspec.field(default_factory=Output)
    error: dict[str, Any] | None = None
    limit: dict[str, Any] | None = None


class Log(msgspec.Struct):
    """A log, or the header of one, whose samples lie beside it."""

    eval: dict[str, Any] = {}
    plan: dict[str, Any] = {}
    samples: list[Sample] | None = None


def sniff(head: Head) -> bool:
    if head.names:
        return any(name in head.names for name in ("header.json", "_journal/start.json")) or any(
            name.startswith("samples/") for name in head.names
        )
    return b'"eval"' in head.start and b'"task"' in head.start and b'"plan"' in head.start


def read(paths: Sequence[Path], choice: Choice) -> list[Run]:
    """A run for each log. Raises MeasurementError where a task has several."""
    runs = [_read(path, choice) for path in paths]
    for place, run in enumerate(runs):
        if (first := next((one for one in runs[:place] if one.suite == run.suite), None)) is not None:
            raise MeasurementError(f"{first.path} and {run.path} are both logs of the task {run.suite}: name the one file to compare")
    return runs


def _read(path: Path, choice: Choice) -> Run:
    log, samples = _opened(path)
    task, model = str(log.eval.get("task") or ""), str(log.eval.get("model") or "")
    run = Run(path, NAME, suite=choice.suite or task.rpartition("/")[2] or path.name.partition(".")[0], model=model, unit="sample")
    run.sent, run.setup = sent_with(log.eval, log.plan), setup_of(log.eval, log.plan)
    run.ways = list(ways_of(log.eval, log.plan))
    figures = set[str]()
    for place, (where, sample) in enumerate(samples, 1):
        figures.add(_add(run, sample, choice, where, place))
    run.figure = " and ".join(sorted(figures - {""}))
    return run.whole()


def _opened(path: Path) -> tuple[Log, Iterator[tuple[str, Sample]]]:
    if not is_zipfile(path):
        log = whole(path, Log, "log of Inspect's")
        samples = log.samples or []
        return log, ((f"{path}, sample {place}", sample) for place, sample in enumerate(samples, 1))
    with ZipFile(path) as packed:
        header = next((name for name in ("header.json", "_journal/start.json") if name in packed.namelist()), None)
        log = (
            Log()
            if header is None
            else decode(msgspec.json.Decoder(Log), part(packed, header, path), f"{path}: {header}", "log of Inspect's")
        )
    return log, _packed(path)


def _packed(path: Path) -> Iterator[tuple[str, Sample]]:
    decoder = msgspec.json.Decoder(Sample)
    with ZipFile(path) as packed:
        for name in packed.namelist():
            if name.startswith("samples/") and name.endswith(".json"):
                yield f"{path}: {name}", decode(decoder, part(packed, name, path), f"{path}: {name}", "sample of Inspect's")


def _add(run: Run, sample: Sample, choice: Choice, where: str, place: int) -> str:
    """Adds one sample, and says which scorer counts; "" where there is none."""
    cluster = str(sample.id)
    name = cluster if sample.epoch == 1 else f"{cluster}:{sample.epoch}"
    asked = _asked(sample, place)
    if sample.error is not None:
        run.fail(name, str(sample.error.get("message") or "error")[:SHOWN], asked)
        return ""
    if not sample.scores:
        run.fail(name, "not scored", asked)
        return ""
    figures = {key: value for scorer, score in sample.scores.items() for key, value in _figures(scorer, score).items()}
    scorer = chosen_of(list(figures), choice.metric, "metric", where)
    value, answer = figures[scorer]
    worth = WORTH[value] if isinstance(value, str) and value in WORTH else worth_of(value, scorer, where)
    first = sample.output.choices[0] if sample.output.choices else Choices()
    ending = first.stop_reason
    if sample.limit is not None:
        kind = str(sample.limit.get("type"))
        ending = LIMITS.get(kind, f"{kind} limit")
    tokens = (sample.output.usage or {}).get("output_tokens")
    text = _text(first.message)
    run.add(
        name,
        worth,
        asked,
        text=text,
        extracted=answer or "",
        parsed=value != "N" and (bool(text.strip()) or bool(answer) or worth == 1),
        cluster=cluster,
        ending=ending,
        tokens=tokens if isinstance(tokens, int) and tokens > 0 else 0,
    )
    return f"scorer {scorer}"


def _figures(scorer: str, score: Score) -> dict[str, tuple[Any, str | None]]:
    """What a scorer gives: under its name, or, of a dict, under `scorer/key`."""
    if isinstance(score.value, dict):
        return {f"{scorer}/{key}": (value, score.answer) for key, value in score.value.items()}
    return {scorer: (score.value, score.answer)}


def _asked(sample: Sample, place: int) -> Asked:
    """The ids of messages are another run's each time, and do not count."""
    messages = sample.input if isinstance(sample.input, list) else []
    said = [[one.get("role"), _text(one)] for one in messages if isinstance(one, dict)] or sample.input
    shown = str(said[-1][1]) if messages and said is not sample.input else str(said)
    what = fingerprint.of([said, sample.choices or None, sample.target]) if said else ""
    return Asked(what, "", shown[:SHOWN], place)


def _text(message: dict[str, Any]) -> str:
    """The text of a message; reasoning that stands apart, and nothing else, in its tag."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = [one for one in content if isinstance(one, dict)] if isinstance(content, list) else []
    reasoning = "".join(str(one["reasoning"]) for one in parts if one.get("type") == "reasoning" and one.get("reasoning"))
    text = "".join(str(one.get("text") or "") for one in parts if one.get("type") == "text")
    if not reasoning:
        return text
    return f"<think>{reasoning}</think>{text}" if text.strip() else f"<think>{reasoning}"
