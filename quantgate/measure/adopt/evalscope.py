"""evalscope: `reviews/<model>/<task>.jsonl` has the scores, `predictions/<model>/<task>.jsonl` how answers ended; joined by `index`.

The lines of one `group_id` are one question asked several times: a cluster.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from quantgate import fingerprint
from quantgate.errors import MeasurementError
from quantgate.measure.adopt.files import Head, decode, head, lines
from quantgate.measure.adopt.run import SHOWN, Asked, Choice, Run, chosen_of, worth_of

NAME = "evalscope"


class Score(msgspec.Struct):
    """`value`: metric → what it gave."""

    value: dict[str, Any]
    extracted_prediction: Any = None
    prediction: Any = None
    main_score_name: str | None = None


class SampleScore(msgspec.Struct):
    """`group_id`: the question, where it is asked several times."""

    score: Score
    group_id: int | str | None = None


class Review(msgspec.Struct):
    """One answer's score."""

    index: int
    sample_score: SampleScore
    input: Any = None
    target: Any = None


class Choices(msgspec.Struct):
    """One answer."""

    message: dict[str, Any] = {}
    stop_reason: str | None = None


class Output(msgspec.Struct):
    """What the model said, or why it did not."""

    choices: list[Choices] = []
    usage: dict[str, Any] | None = None
    error: Any = None


class Prediction(msgspec.Struct):
    """One answer."""

    index: int
    model_output: Output


def sniff(found: Head) -> bool:
    return _is_reviews(found) or _is_predictions(found)


def _is_reviews(found: Head) -> bool:
    return {"index", "sample_score"} <= found.first.keys()


def _is_predictions(found: Head) -> bool:
    return {"index", "model_output"} <= found.first.keys()


def read(paths: Sequence[Path], choice: Choice) -> list[Run]:
    """A run for each file of reviews. Raises MeasurementError where there is none, or one task has several."""
    reviews = [path for path in paths if _is_reviews(head(path))]
    if not reviews:
        raise MeasurementError(f"{paths[0]} holds predictions that nobody scored: give evalscope's reviews")
    runs = [_read(path, choice) for path in reviews]
    for place, run in enumerate(runs):
        if (first := next((one for one in runs[:place] if one.suite == run.suite), None)) is not None:
            raise MeasurementError(f"{first.path} and {run.path} are both reviews of {run.suite}: name the one file to compare")
    return runs


def _read(path: Path, choice: Choice) -> Run:
    model = path.parent.name if path.parent.parent.name == "reviews" else ""
    run = Run(path, NAME, suite=choice.suite or path.name.partition(".")[0], model=model)
    predictions, figures = _predictions(path), set[str]()
    decoder = msgspec.json.Decoder(Review)
    for number, content in lines(path):
        where = f"{path}, line {number}"
        one = decode(decoder, content, where, "review of evalscope's")
        figures.add(_add(run, one, predictions.get(one.index), choice, where, number))
    run.figure = " and ".join(sorted(figures - {""}))
    return run.whole()


def _predictions(reviews: Path) -> dict[int, Output]:
    """From the file of the same name below `predictions` in the place of `reviews`; {} where there is none."""
    parts = list(reviews.parts)
    if "reviews" not in parts[:-1]:
        return {}
    parts[len(parts) - 1 - parts[::-1].index("reviews")] = "predictions"
    if not (path := Path(*parts)).is_file():
        return {}
    decoder = msgspec.json.Decoder(Prediction)
    found = (decode(decoder, content, f"{path}, line {number}", "prediction of evalscope's") for number, content in lines(path))
    return {one.index: one.model_output for one in found}


def _add(run: Run, one: Review, output: Output | None, choice: Choice, where: str, line: int) -> str:
    """Adds one answer, and says which metric counts; "" where it is an error."""
    name, score = str(one.index), one.sample_score.score
    what = fingerprint.of([one.input, one.target]) if one.input is not None else ""
    asked = Asked(what, "", str(one.input)[:SHOWN] if what else "", line)
    if output is not None and output.error:
        run.fail(name, str(output.error)[:SHOWN], asked)
        return ""
    metric = chosen_of(list(score.value), choice.metric or score.main_score_name or "", "metric", where)
    worth = worth_of(score.value[metric], metric, where)
    first = output.choices[0] if output is not None and output.choices else None
    said = first.message.get("content") if first is not None else score.prediction
    text = said if isinstance(said, str) else ""
    tokens = (output.usage or {}).get("output_tokens") if output is not None else None
    group = one.sample_score.group_id
    run.add(
        name,
        worth,
        asked,
        text=text,
        extracted=str(score.extracted_prediction or ""),
        parsed=bool(score.extracted_prediction) or worth == 1,
        cluster=None if group is None else str(group),
        ending=(first.stop_reason or "") if first is not None else "",
        tokens=tokens if isinstance(tokens, int) and tokens > 0 else 0,
    )
    return f"metric {metric}"
