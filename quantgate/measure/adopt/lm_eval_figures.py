"""lm-eval's figures of whole tasks: from its results file, or, where there are samples alone, their means."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from quantgate import stats
from quantgate.errors import MeasurementError
from quantgate.measure.adopt.files import decode, whole
from quantgate.measure.adopt.lm_eval_files import is_metric, rows
from quantgate.measure.adopt.lm_eval_results import results_of
from quantgate.measure.adopt.run import SHOWN, Choice, Figure

STDERR = "_stderr"
NO_METRIC = {"alias", "name", "sample_len", "sample_count", " ", ""}


class Aggregated(msgspec.Struct):
    """A results file; what is not looked at here is in `lm_eval_results.Results`. Since 0.4.10 groups stand in `groups` alone."""

    results: dict[str, dict[str, Any]]
    groups: dict[str, dict[str, Any]] = {}
    versions: dict[str, Any] = {}
    shots: dict[str, Any] = msgspec.field(default_factory=dict, name="n-shot")
    samples: dict[str, Any] = msgspec.field(default_factory=dict, name="n-samples")
    higher_is_better: dict[str, Any] = {}
    group_subtasks: dict[str, list[str]] = {}


def of_results(path: Path) -> tuple[str, Path, list[Figure]]:
    """Its model ("" where that is not told), itself, and each task's metrics, as groups nest. Raises MeasurementError where it cannot
    be read, or a metric is neither a number nor a text."""
    told = whole(path, Aggregated, "results file of lm-eval's")
    held, found = {**told.groups, **told.results}, list[Figure]()
    for task, depth in _nested(told.results, told.group_subtasks):
        metrics = held.get(task, {})
        counts = told.samples.get(task)
        n = counts.get("effective") if isinstance(counts, dict) else _of_group(task, told)
        for key, value in metrics.items():
            name, _, filter_ = key.partition(",")
            if name in NO_METRIC or name.endswith(STDERR):
                continue
            where = f"{path}: {task}'s {key}"
            if isinstance(value, dict | list):
                raise MeasurementError(f"{where} is no figure but {str(value)[:SHOWN]}")
            stderr = metrics.get(f"{name}{STDERR}{',' + filter_ if filter_ else ''}")
            better = told.higher_is_better.get(task)
            found.append(
                Figure(
                    task=task,
                    depth=depth,
                    is_group=bool(told.group_subtasks.get(task)),
                    metric=name,
                    filter="" if filter_ == "none" else filter_,
                    value=value if isinstance(value, bool | int | float) else str(value),
                    stderr=float(stderr) if isinstance(stderr, int | float) else None,
                    n=n if isinstance(n, int) else None,
                    shots=_plain(told.shots.get(task)),
                    version=_plain(told.versions.get(task)),
                    higher_is_better=better.get(name) if isinstance(better, dict) else None,
                )
            )
    if not found:
        raise MeasurementError(f"{path} holds no figures: lm-eval wrote it without a task")
    return results_of(path).model, path, found


def _nested(tasks: Iterable[str], subtasks: Mapping[str, list[str]]) -> list[tuple[str, int]]:
    """Each task, and each group before what is in it, with how deep it stands; a task of several groups in the first of them."""
    above = {one: group for group, parts in reversed(list(subtasks.items())) for one in parts}
    found: dict[str, int] = {}

    def walk(name: str, depth: int) -> None:
        if name not in found:
            found[name] = depth
            for one in subtasks.get(name, []):
                walk(one, depth + 1)

    for task in tasks:
        root, seen = task, {task}
        while (group := above.get(root)) is not None and group not in seen:
            root = group
            seen.add(group)
        walk(root, 0)
    return list(found.items())


def _of_group(task: str, told: Aggregated) -> int | None:
    """The documents of a group: those of its tasks, where all are told."""
    counts = [told.samples.get(one) for one in _leaves(task, told.group_subtasks, {task})]
    held = [n for one in counts if isinstance(one, dict) and isinstance(n := one.get("effective"), int)]
    return sum(held) if held and len(held) == len(counts) else None


def _leaves(group: str, subtasks: Mapping[str, list[str]], seen: set[str]) -> list[str]:
    found = list[str]()
    for one in subtasks.get(group, []):
        if one not in seen:
            seen.add(one)
            found += _leaves(one, subtasks, seen) if subtasks.get(one) else [one]
    return found


def _plain(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) or value in ("N/A", "Yaml") else str(value)


def of_samples(path: Path, task: str, choice: Choice) -> list[Figure]:
    """The mean of each filter's each metric, of documents; a list of numbers is a document's mean. A metric that is no number of a
    document has no figure, and stands as such. Raises MeasurementError for a line that cannot be read."""
    decoder = msgspec.json.Decoder(dict[str, Any])
    values: dict[tuple[str, str], list[float] | None] = {}
    for number, content in rows(path):
        row = decode(decoder, content, f"{path}, line {number}", "line of lm-eval's samples")
        told = row.get("metrics")
        for metric in told if isinstance(told, list) and told else [key for key in row if is_metric(key)]:
            key = str(row.get("filter", "none")), str(metric)
            one, held = _number(row.get(str(metric))), values.setdefault(key, [])
            if one is None:
                values[key] = None
            elif held is not None:
                held.append(one)
    wanted = {name for name in (part.strip() for part in choice.metric.split(",")) if name}
    filters = {name for name in (part.strip() for part in choice.filter.split(",")) if name}
    return [
        _figure(task, filter_, metric, held)
        for (filter_, metric), held in values.items()
        if (not wanted or metric in wanted) and (not filters or filter_ in filters)
    ]


def _figure(task: str, filter_: str, metric: str, values: list[float] | None) -> Figure:
    name = "" if filter_ == "none" else filter_
    if values is None:
        return Figure(task=task, filter=name, metric=metric, value="to be put together over all items")
    stderr = stats.nested_stderr(values, range(len(values)), [("", "")] * len(values)) if len(values) > 1 else None
    return Figure(task=task, filter=name, metric=metric, value=math.fsum(values) / len(values), stderr=stderr, n=len(values))


def _number(value: Any) -> float | None:
    if isinstance(value, list) and value:
        parts = [_number(one) for one in value]
        return None if None in parts or any(isinstance(one, bool) for one in value) else math.fsum(filter(None, parts)) / len(parts)
    return float(value) if isinstance(value, bool | int | float) and math.isfinite(value) else None
