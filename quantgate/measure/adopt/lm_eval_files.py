"""Which files are lm-eval's, what they are of, and their rows.

Since 0.4.2 `samples_<task>_<time>.jsonl[.gz]` has a line for each document and filter, with `results_<time>.json` beside. 0.4.0 and
0.4.1 wrote a list into `<the model's arguments>_<task>.jsonl`, with `results.json` beside; 0.3 one into `<task>_write_out_info.json`, whose
metrics are text.
"""

import filecmp
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from quantgate.errors import MeasurementError
from quantgate.measure.adopt.files import MARK, Head, decode, lines, opened
from quantgate.measure.adopt.lm_eval_results import results_of

FILE = re.compile(r"samples_(.+?)_(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)\.jsonl(?:\.gz)?")
KNOWN = {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics", "doc_hash", "prompt_hash", "target_hash"}
OF_A_REQUEST = re.compile(r"(prompt|logit)_\d+|truth")
"""0.3's, beside the metrics."""


class Task(NamedTuple):
    """A file of samples: which task, from when ("" where its name does not tell), and the results file of the same run, if there is one."""

    path: Path
    name: str
    stamp: str
    results: Path | None


def sniff(head: Head) -> bool:
    """Samples, as lines or, before 0.4.2, as one list."""
    if head.start.lstrip().startswith(b"["):
        return b'"doc_id"' in head.start and any(name in head.start for name in (b'"resps"', b'"prompt_0"', b'"filtered_resps"'))
    return "doc_id" in head.first and bool({"resps", "filtered_resps", "metrics", "doc_hash"} & head.first.keys())


def is_aggregated(head: Head) -> bool:
    """A results file: figures of whole tasks, and no items."""
    found = [
        key for key in (b'"results"', b'"configs"', b'"n-shot"', b'"group_subtasks"', b'"n-samples"', b'"versions"') if key in head.start
    ]
    return b'"results"' in found and len(found) > 1


def is_metric(key: str) -> bool:
    """Whether a field of a sample that does not list its metrics is one."""
    return key not in KNOWN and OF_A_REQUEST.fullmatch(key) is None


def rows(path: Path) -> Iterator[tuple[int, bytes | msgspec.Raw]]:
    """Each sample with its line, or its place in a list, from 1. Raises MeasurementError for what is neither."""
    with opened(path) as file:
        is_list = file.read(64).removeprefix(MARK).lstrip().startswith(b"[")
    if not is_list:
        yield from lines(path)
        return
    with opened(path) as file:
        content = file.read().removeprefix(MARK)
    yield from enumerate(decode(msgspec.json.Decoder(list[msgspec.Raw]), content, str(path), "list of lm-eval's samples"), 1)


def task_of(path: Path) -> Task:
    """By its name, and the results file that belongs to it."""
    if (found := FILE.fullmatch(path.name)) is not None:
        name, stamp = found.groups()
        return Task(path, name, stamp, next(iter(sorted(path.parent.glob(f"*_{stamp}.json"))), None))
    plain = re.sub(r"^samples_|(_write_out_info)?\.jsonl?(\.gz)?$", "", path.name)
    beside = path.parent / "results.json"
    if not beside.is_file():
        return Task(path, plain, "", None)
    # 0.4.0 and 0.4.1: <the model's arguments>_<task>.jsonl beside results.json
    known = sorted(results_of(beside).configs, key=len, reverse=True)
    return Task(path, next((name for name in known if plain == name or plain.endswith(f"_{name}")), plain), "", beside)


def of_model(tasks: Sequence[Task], model: str) -> list[Task]:
    """Those whose results file names this model, where one is asked for; case does not matter."""
    told = [results_of(task.results).model for task in tasks] if model else []
    found = [task for task, name in zip(tasks, told, strict=True) if name.casefold() == model.casefold()] if model else list(tasks)
    if not found:
        named = ", ".join(sorted({name for name in told if name})) or "none that a results file names"
        raise MeasurementError(f"{tasks[0].path.parent} holds no samples of the model {model}; there is {named}")
    return found


def of_one_run(tasks: Sequence[Task]) -> list[Task]:
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
    model = results_of(task.results).model
    return f"{task.path} ({model})" if model else str(task.path)
