"""What other harnesses' files say of whole tasks: lm-eval's own aggregated figures, or the mean of the items where there are only these.

A column is one model (or one file) with its figures; the table puts columns side by side.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from quantgate import stats
from quantgate.errors import ConfigurationError, MeasurementError
from quantgate.measure.adopt import livebench, lm_eval_files
from quantgate.measure.adopt.files import head
from quantgate.measure.adopt.lm_eval_figures import of_results, of_samples
from quantgate.measure.adopt.lm_eval_results import results_of
from quantgate.measure.adopt.readers import adopt, files_of, is_ours
from quantgate.measure.adopt.run import Choice, Figure, Run


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One model's figures. `files`: where they stand; `is_told`: whether these, or the folder, say which model it is."""

    name: str
    files: list[str]
    figures: list[Figure]
    is_told: bool = False


def columns(paths: Sequence[Path], choice: Choice) -> list[Column]:
    """At least one a path, in their order; two of one name get what their paths differ by. Raises ConfigurationError for a path that is
    none or holds our own records, MeasurementError for what is broken or nothing that can be read."""
    found: list[Column] = []
    for path in paths:
        if not path.exists():
            raise ConfigurationError(f"{path} does not exist; give files or folders of results")
        for column in _of_path(path, choice):
            _put(found, column)
    names = [one.name for one in found]
    return [one if names.count(one.name) == 1 else msgspec.structs.replace(one, name=f"{one.name} ({one.files[0]})") for one in found]


def _of_path(path: Path, choice: Choice) -> list[Column]:
    heads = [head(one) for one in files_of(path)] if not choice.columns else []
    if (ours := next((one.path for one in heads if is_ours(one)), None)) is not None:
        raise ConfigurationError(f"{ours} is a record of ours: give its folder of records alone, and --models")
    aggregated = [one.path for one in heads if lm_eval_files.is_aggregated(one)]
    samples = [one.path for one in heads if lm_eval_files.sniff(one)]
    if not aggregated and not samples:
        models = [choice.model] if choice.model else livebench.models([one.path for one in heads]) or [""]
        return [_of_run(run) for name in models for run in adopt(path, choice._replace(model=name)).values()]
    parts = [of_results(one) for one in aggregated]
    tasks = [lm_eval_files.task_of(one) for one in samples]
    lone = [task for task in tasks if task.results not in aggregated]
    parts += [(results_of(task.results).model, task.path, of_samples(task.path, task.name, choice)) for task in lone]
    wanted = [part for part in parts if not choice.model or part[0].casefold() == choice.model.casefold()]
    if not wanted:
        named = ", ".join(sorted({model for model, _, _ in parts if model})) or "none that a file names"
        raise MeasurementError(f"{path} holds no results of the model {choice.model}; there is {named}")
    name = path.name if path.is_dir() else ""
    return [
        Column(name=model or name or file.name.partition(".")[0], files=[str(file)], figures=figures, is_told=bool(model or name))
        for model, file, figures in wanted
    ]


def _put(columns: list[Column], new: Column) -> None:
    """Beside the others; the files of one model are one column, as long as no figure stands in two of them."""
    keys = {one.key for one in new.figures}
    for place, one in enumerate(columns):
        if one.is_told and new.is_told and one.name == new.name and keys.isdisjoint(other.key for other in one.figures):
            columns[place] = msgspec.structs.replace(one, files=[*one.files, *new.files], figures=[*one.figures, *new.figures])
            return
    columns.append(new)


def _of_run(run: Run) -> Column:
    """The mean of the items, with its standard error: of clusters where there are, stratified for the mean by category."""
    worths = [item.worth for item in run.items]
    clusters: list[Any] = [item.cluster if item.cluster is not None else (item.id,) for item in run.items]
    suite, by = run.suite or run.path.name.partition(".")[0], " by question" if run.has_categories else ""
    metric = run.figure or "correct"
    figures = [
        Figure(task=suite, metric=f"{metric}{by}", value=math.fsum(worths) / len(worths), stderr=_stderr(worths, clusters), n=len(worths))
    ]
    if run.has_categories:
        strata = [(item.group, item.task) for item in run.items]
        value, stderr = stats.nested_mean(worths, strata), stats.nested_stderr(worths, clusters, strata)
        figures.append(Figure(task=suite, metric=f"{metric} by category", value=value, stderr=stderr, n=len(worths)))
    return Column(name=run.model or run.path.name.partition(".")[0], files=[str(run.path)], figures=figures, is_told=bool(run.model))


def _stderr(values: Sequence[float], clusters: Sequence[Any]) -> float | None:
    return stats.nested_stderr(values, clusters, [("", "")] * len(values)) if len(set(clusters)) > 1 else None
