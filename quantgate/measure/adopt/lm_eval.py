"""lm-evaluation-harness: `samples_<task>_<time>.jsonl[.gz]`, a line for each document and filter, with `results_<time>.json` beside.

A filter and a metric are chosen; where the filters are strict-match and flexible-extract, both stand in each item, and the flexible one
counts unless the other is chosen. Tasks of one group (by the results' `group_subtasks`) are one suite, ids and groups by the task.
"""

import filecmp
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from quantgate import fingerprint
from quantgate.errors import MeasurementError
from quantgate.measure.adopt.files import Head, canonical, decode, lines
from quantgate.measure.adopt.lm_eval_results import Results, results_of, sent_with
from quantgate.measure.adopt.lm_eval_ways import ways_of
from quantgate.measure.adopt.run import SHOWN, Asked, Choice, Run, Said, Settings, chosen_of, said_of, worth_of

NAME = "lm-eval"
STRICT, FLEXIBLE = "strict-match", "flexible-extract"
FILE = re.compile(r"samples_(.+?)_(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)\.jsonl(?:\.gz)?")
KNOWN = {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics", "doc_hash", "prompt_hash", "target_hash"}
NOTHING, RIGHT, WRONG = Said(""), (1.0,), (0.0,)
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


class Task(NamedTuple):
    """A file of samples: which task, from when ("" where its name does not tell)."""

    path: Path
    name: str
    stamp: str


class Line(NamedTuple):
    """What one filter made of a document; a value for each repeat where the metric has as many."""

    values: tuple[float, ...]
    extracted: str


def sniff(head: Head) -> bool:
    return "doc_id" in head.first and bool({"resps", "filtered_resps", "metrics", "doc_hash"} & head.first.keys())


def is_aggregated(head: Head) -> bool:
    """A results file: figures of whole tasks, and no items."""
    found = [
        key for key in (b'"results"', b'"configs"', b'"n-shot"', b'"group_subtasks"', b'"n-samples"', b'"versions"') if key in head.start
    ]
    return b'"results"' in found and len(found) > 1


def read(paths: Sequence[Path], choice: Choice) -> list[Run]:
    """A run for each suite. Raises MeasurementError where one task stands there more than once."""
    tasks = _of_one_run(_of_model([task_of(path) for path in paths], choice.model))
    suites: dict[str, list[tuple[Task, Results]]] = {}
    for task in tasks:
        told = results_of(task.path, task.stamp)
        suites.setdefault(choice.suite or told.group_of(task.name), []).append((task, told))
    return [_run(suite, parts, choice) for suite, parts in suites.items()]


def task_of(path: Path) -> Task:
    found = FILE.fullmatch(path.name)
    return Task(path, *found.groups()) if found is not None else Task(path, re.sub(r"^samples_|\.jsonl(\.gz)?$", "", path.name), "")


def _of_model(tasks: Sequence[Task], model: str) -> list[Task]:
    """Those whose results file names this model, where one is asked for; case does not matter."""
    told = [results_of(task.path, task.stamp).model for task in tasks] if model else []
    found = [task for task, name in zip(tasks, told, strict=True) if name.casefold() == model.casefold()] if model else list(tasks)
    if not found:
        named = ", ".join(sorted({name for name in told if name})) or "none that a results file names"
        raise MeasurementError(f"{tasks[0].path.parent} holds no samples of the model {model}; there is {named}")
    return found


def _of_one_run(tasks: Sequence[Task]) -> list[Task]:
    """Each task once; copies of the same file are one."""
    found: dict[str, Task] = {}
    for task in tasks:
        first = found.setdefault(task.name, task)
        if first is not task and not (first.path.name == task.path.name and filecmp.cmp(first.path, task.path, shallow=False)):
            several = [_with_model(one) for one in (first, task)]
            raise MeasurementError(
                f"the task {task.name} stands there {sum(one.name == task.name for one in tasks)} times, told apart by the time alone: "
                f"{', '.join(several)}; name the one file to compare, or --model"
            )
    return list(found.values())


def _with_model(task: Task) -> str:
    model = results_of(task.path, task.stamp).model
    return f"{task.path} ({model})" if model else str(task.path)


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
    metric, decoder = "", None
    filters: dict[str, dict[str, Line]] = {}
    texts: dict[str, tuple[list[Said], Asked]] = {}
    for number, content in lines(task.path):
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
            raise MeasurementError(f"{where}: document {name} stands there again under the filter {one.filter}")
        if one.value is msgspec.UNSET:
            raise MeasurementError(f"{where}: it has no metric {metric}, which the first line has; choose one that all have with --metric")
        said = texts_of(one.resps)
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
            strict, flexible = (None if form is None else _at(form.get(name), place) for form in forms)
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
    names = [str(one) for one in told] if isinstance(told, list) and told else [key for key in first if key not in KNOWN]
    return chosen_of(names, choice.metric, "metric", where)


def _filter(filters: dict[str, dict[str, Line]], choice: Choice, path: Path) -> str:
    if not choice.filter and filters.keys() == {STRICT, FLEXIBLE}:
        return FLEXIBLE
    return chosen_of(list(filters), choice.filter, "filter", str(path))


def _values(value: Any, repeats: int, metric: str, where: str) -> tuple[float, ...]:
    if value == 1 or value == 0:  # noqa: PLR1714 (a set would want a hash, which a list has not)
        return RIGHT if value else WRONG
    if isinstance(value, list) and repeats > 1 and len(value) == repeats:
        return tuple(worth_of(one, metric, where) for one in value)
    return (worth_of(value, metric, where),)


def texts_of(resps: Any) -> list[str]:
    """What was said, from `["text"]`, `[["text"]]` or `[["text", "again"]]`; none of log-likelihoods, which are pairs."""
    found = list[str]()
    for one in resps if isinstance(resps, list) else ():
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
    """64 bits of each hash are plenty, and a hundred thousand whole ones are 30 MB."""
    shown = memoryview(one.doc)[: 2 * SHOWN].tobytes().decode(errors="ignore")[:SHOWN]
    if one.doc_hash:
        what = one.doc_hash[:PART] + one.target_hash[:PART]
    else:
        what = fingerprint.of([_plain(bytes(part), where) for part in (one.doc, one.target)]) if shown else ""
    return Asked(what, one.prompt_hash[:PART], shown, line)


def _plain(content: bytes, where: str) -> str:
    return canonical(decode(msgspec.json.Decoder(), content, where, "line of lm-eval's samples")) if content else ""
