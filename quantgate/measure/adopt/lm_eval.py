"""lm-evaluation-harness: `samples_<task>_<time>.jsonl[.gz]`, a line for each document and filter, with `results_<time>.json` beside.

A filter and a metric are chosen; where the filters are strict-match and flexible-extract, both stand in each item, and the flexible one
counts unless the other is chosen. Tasks of one group (by the results' `group_subtasks`) are one suite, ids and groups by the task.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from quantgate import fingerprint
from quantgate.errors import MeasurementError
from quantgate.measure.adopt.files import canonical, decode
from quantgate.measure.adopt.lm_eval_files import Task, is_metric, of_model, of_one_run, rows, task_of
from quantgate.measure.adopt.lm_eval_results import Results, results_of, sent_with
from quantgate.measure.adopt.lm_eval_ways import ways_of
from quantgate.measure.adopt.run import SHOWN, Asked, Choice, Run, Said, Settings, chosen_of, said_of, worth_of

NAME = "lm-eval"
STRICT, FLEXIBLE = "strict-match", "flexible-extract"
NOTHING, RIGHT, WRONG = Said(""), (1.0,), (0.0,)
AS_TEXT = re.compile(r"\d+(\.\d+)?")
PART = 16
INVALID = {"", "[invalid]"}


class Sample(msgspec.Struct):
    """One line, without its metric; what is not looked into stays as it is written."""

    doc_id: int | str
    filter: str = "none"
    doc: msgspec.Raw = msgspec.Raw(b"")
    target: msgspec.Raw = msgspec.Raw(b"")
    resps: Any = None
    filtered_resps: Any = None
    doc_hash: str = ""
    prompt_hash: str = ""
    target_hash: str = ""
    prompt_0: msgspec.Raw = msgspec.Raw(b"")
    logit_0: Any = None
    truth: msgspec.Raw = msgspec.Raw(b"")


class Line(NamedTuple):
    """What one filter made of a document; a value for each repeat where the metric has as many."""

    values: tuple[float, ...]
    extracted: str


def read(paths: Sequence[Path], choice: Choice) -> list[Run]:
    """A run for each suite. Raises MeasurementError where one task stands there more than once."""
    tasks = of_one_run(of_model([task_of(path) for path in paths], choice.model))
    suites: dict[str, list[tuple[Task, Results]]] = {}
    for task in tasks:
        told = results_of(task.results)
        suites.setdefault(choice.suite or told.group_of(task.name), []).append((task, told))
    return [_run(suite, parts, choice) for suite, parts in suites.items()]


def _run(suite: str, parts: Sequence[tuple[Task, Results]], choice: Choice) -> Run:
    path = parts[0][0].path
    models = {told.model for _, told in parts if told.model}
    if len(models) > 1:
        raise MeasurementError(f"the tasks of {suite} in {path.parent} are of several models ({', '.join(sorted(models))}): name one file")
    run = Run(path if len(parts) == 1 else path.parent, NAME, suite=suite, model=next(iter(models), ""))
    is_many = len(parts) > 1 or parts[0][0].name != suite
    figures = set[str]()
    for task, told in sorted(parts):
        figures.add(_read_task(run, task, told, choice, task.name if is_many else ""))
        _same(run.setup, told.setup(task.name), task)
        run.told |= told.provenance()
    run.figure = " and ".join(sorted(figures))
    return run.whole()


def _same(settings: Settings, told: Settings, task: Task) -> None:
    """Settings of one more task of a suite; where a task has its own, both stand there, by the task."""
    for name, value in told.items():
        if settings.setdefault(name, value) != value:
            settings[f"{name} of {task.name}"] = value


def _read_task(run: Run, task: Task, told: Results, choice: Choice, group: str) -> str:
    """Adds a file's items, and says which figure counts."""
    metric, decoder, first = "", None, dict[str, Any]()
    filters: dict[str, dict[str, Line]] = {}
    texts: dict[str, tuple[list[Said], Asked]] = {}
    for number, content in rows(task.path):
        where = f"{task.path}, line {number}"
        if decoder is None:
            first = decode(msgspec.json.Decoder(dict[str, Any]), content, where, "line of lm-eval's samples")
            metric = _metric(first, choice, where)
            decoder = msgspec.json.Decoder(
                msgspec.defstruct("SampleOf", [("value", Any, msgspec.UNSET)], bases=(Sample,), rename={"value": metric})
            )
            _same(run.sent, sent_with(first.get("arguments")), task)
            ways = ways_of(task.name, told, first.get("arguments"), task.path.parent)
            _same(run.setup, ways.settings, task)
            run.ways += [one for one in ways.said if one not in run.ways]
        one: Any = decode(decoder, content, where, "line of lm-eval's samples")
        name = str(one.doc_id)
        of_filter = filters.setdefault(one.filter, {})
        if name in of_filter:
            nameless = "" if "filter" in first else ", as lm-eval 0.4.0 wrote several filters without their names: leave the rows of one"
            raise MeasurementError(f"{where}: document {name} stands there again under the filter {one.filter}{nameless}")
        if one.value is msgspec.UNSET:
            raise MeasurementError(f"{where}: it has no metric {metric}, which the first line has; choose one that all have with --metric")
        said = texts_of(one.resps if one.resps is not None else [one.logit_0])
        of_filter[name] = Line(_values(one.value, len(said), metric, where), _scalar(one.filtered_resps)[:SHOWN])
        if name not in texts:
            texts[name] = [said_of(text) for text in said], _asked(one, number, where)
    if decoder is None:
        raise MeasurementError(f"{task.path} is empty: run lm-eval with --log_samples again")
    chosen = _filter(filters, choice, task.path)
    _add(run, filters, chosen, texts, group)
    return f"filter {chosen}, metric {metric}" if chosen != "none" else f"metric {metric}"


def _add(run: Run, filters: dict[str, dict[str, Line]], chosen: str, texts: dict[str, tuple[list[Said], Asked]], group: str) -> None:
    forms = (filters.get(STRICT), filters.get(FLEXIBLE)) if {STRICT, FLEXIBLE} <= filters.keys() else (None, None)
    widest = filters[FLEXIBLE] if forms[1] is not None else filters[chosen]
    for name, line in filters[chosen].items():
        said, asked = texts.pop(name)
        doc = f"{group}:{name}" if group else name
        for place, worth in enumerate(line.values):
            strict, flexible = (None, None) if forms[0] is None else [_at((form or {}).get(name), place) for form in forms]
            text = said[place] if place < len(said) else NOTHING
            run.add(
                doc if len(line.values) == 1 else f"{doc}:{place + 1}",
                worth,
                asked,
                text=text,
                extracted=line.extracted,
                parsed=not said or (_found(widest.get(name)) and not text.is_blank) or worth == 1,
                strict=strict,
                flexible=flexible,
                group=group,
                cluster=None if len(line.values) == 1 else doc,
            )


def _found(line: Line | None) -> bool:
    """Whether a filter took an answer out of the text."""
    return line is not None and line.extracted.strip() not in INVALID


def _at(line: Line | None, place: int) -> bool:
    return line is not None and place < len(line.values) and line.values[place] == 1


def _metric(first: dict[str, Any], choice: Choice, where: str) -> str:
    """The metric that counts: the only one, or the one chosen."""
    told = first.get("metrics")
    names = [str(one) for one in told] if isinstance(told, list) and told else [key for key in first if is_metric(key)]
    return chosen_of(names, choice.metric, "metric", where)


def _filter(filters: dict[str, dict[str, Line]], choice: Choice, path: Path) -> str:
    if not choice.filter and filters.keys() == {STRICT, FLEXIBLE}:
        return FLEXIBLE
    return chosen_of(list(filters), choice.filter, "filter", str(path))


def _values(value: Any, repeats: int, metric: str, where: str) -> tuple[float, ...]:
    if value == 1 or value == 0:  # noqa: PLR1714 (a set would want a hash, which a list has not)
        return RIGHT if value else WRONG
    if isinstance(value, str) and AS_TEXT.fullmatch(value):  # 0.3's
        return (worth_of(float(value), metric, where),)
    if isinstance(value, list) and repeats > 1 and len(value) == repeats:
        return tuple(worth_of(one, metric, where) for one in value)
    return (worth_of(value, metric, where),)


def texts_of(resps: Any) -> list[str]:
    """What was said, from `["text"]`, `[["text"]]` or `[["text", "again"]]`; none of log-likelihoods, which are pairs."""
    if type(resps) is not list:
        return []
    if len(resps) == 1 and type(resps[0]) is list and len(resps[0]) == 1 and type(resps[0][0]) is str:
        return [resps[0][0]]  # of a hundred thousand lines nearly all
    found = list[str]()
    for one in resps:
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, list) and not any(isinstance(part, list) for part in one[:2]):
            found += [part for part in one if isinstance(part, str)]
    return found


def _scalar(filtered: Any) -> str:
    """The first answer that the filter found; "" of log-likelihoods."""
    while isinstance(filtered, list) and filtered:
        filtered = filtered[0]
    return filtered if isinstance(filtered, str) else ""


def _asked(one: Sample, line: int, where: str) -> Asked:
    """64 bits of each hash are plenty, and a hundred thousand whole ones are 30 MB. Before 0.4 prompt and truth are all there is."""
    view = memoryview(one.doc)
    is_early = not view.nbytes
    shown = str((memoryview(one.prompt_0) if is_early else view)[: 2 * SHOWN], "utf-8", "ignore")[:SHOWN]
    if one.doc_hash:
        what = one.doc_hash[:PART] + one.target_hash[:PART]
    else:
        what = (
            fingerprint.of([_plain(bytes(part), where) for part in ((one.prompt_0, one.truth) if is_early else (one.doc, one.target))])
            if shown
            else ""
        )
    return Asked(what, one.prompt_hash[:PART], shown, line)


def _plain(content: bytes, where: str) -> str:
    return canonical(decode(msgspec.json.Decoder(), content, where, "line of lm-eval's samples")) if content else ""
