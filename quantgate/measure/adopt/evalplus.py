"""EvalPlus: `*_eval_results.json`, a dict of tasks with a list of samples each. The base checks and the plus checks are two suites.

A sample passes plus where it passes both. Several samples of a task are a cluster. An empty solution is no answer; a timeout is wrong.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from quantgate.errors import MeasurementError
from quantgate.measure.adopt.files import Head, whole
from quantgate.measure.adopt.run import Asked, Choice, Run

NAME = "EvalPlus"
PASS = "pass"  # noqa: S105 (a status)
WRONG = {"fail", "timeout"}


class Sample(msgspec.Struct):
    """One solution; `plus_status` is None where the plus checks did not run."""

    solution: str
    base_status: str
    plus_status: str | None = None


class Results(msgspec.Struct):
    """`hash`: of the data set."""

    eval: dict[str, list[Sample]]
    hash: str = ""


def sniff(head: Head) -> bool:
    return b'"eval"' in head.start and b'"base_status"' in head.start


def read(paths: Sequence[Path], choice: Choice) -> list[Run]:
    """Two runs a file, base and plus, or the one of `--metric`. Raises MeasurementError where a folder has several files."""
    if len(paths) > 1:
        raise MeasurementError(f"{paths[0]} and {paths[1]} are both results of EvalPlus: name the one file to compare")
    results = whole(paths[0], Results, "results file of EvalPlus's")
    samples = [one for of_task in results.eval.values() for one in of_task]
    is_plus = any(one.plus_status is not None for one in samples)
    wanted = [one.strip() for one in choice.metric.split(",") if one.strip()] or ["base", *(["plus"] if is_plus else [])]
    if unknown := next((one for one in wanted if one not in ({"base", "plus"} if is_plus else {"base"})), None):
        raise MeasurementError(f"{paths[0]} has no metric {unknown}; there is base{' and plus' if is_plus else ', and no plus was run'}")
    return [_run(paths[0], results, kind) for kind in wanted]


def _run(path: Path, results: Results, kind: str) -> Run:
    names = sorted({task.partition("/")[0].lower() for task in results.eval})
    run = Run(path, NAME, suite=f"{'-'.join(names)}{'+' if kind == 'plus' else ''}", figure=f"{kind} checks", unit="task")
    run.setup = {"dataset": results.hash} if results.hash else {}
    for place, (task, samples) in enumerate(results.eval.items(), 1):
        for repeat, sample in enumerate(samples, 1):
            name = task if repeat == 1 else f"{task}:{repeat}"
            statuses = [sample.base_status, *([sample.plus_status] if kind == "plus" else [])]
            if (odd := next((one for one in statuses if one not in {PASS, *WRONG}), None)) is not None or None in statuses:
                raise MeasurementError(f"{path}: {task} has the status {odd!r}; it must be pass, fail or timeout")
            run.add(
                name,
                float(all(one == PASS for one in statuses)),
                Asked("", "", "", place),
                text=sample.solution,
                parsed=bool(sample.solution.strip()),
                cluster=task,
            )
    return run.whole()
