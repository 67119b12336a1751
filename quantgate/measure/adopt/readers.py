"""Which harness wrote a file: the one table of readers, asked by what the file says and not by its name."""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from quantgate.errors import ConfigurationError, MeasurementError
from quantgate.measure.adopt import evalplus, evalscope, inspect_logs, livebench, lm_eval, lm_eval_files, mmlu_pro, plain
from quantgate.measure.adopt.files import Head, head
from quantgate.measure.adopt.run import Choice, Run
from quantgate.records import HARNESS

ENDINGS = (".json", ".jsonl", ".csv", ".tsv", ".gz", ".eval", ".zip")
OURS = b'"kind"'


class Reader(NamedTuple):
    """`sniff`: whether a file that begins so is one of its files of items; `read`: a run for each suite in them."""

    name: str
    sniff: Callable[[Head], bool]
    read: Callable[[Sequence[Path], Choice], list[Run]]


READERS = (
    Reader(lm_eval.NAME, lm_eval_files.sniff, lm_eval.read),
    Reader(livebench.NAME, livebench.sniff, livebench.read),
    Reader(inspect_logs.NAME, inspect_logs.sniff, inspect_logs.read),
    Reader(evalplus.NAME, evalplus.sniff, evalplus.read),
    Reader(evalscope.NAME, evalscope.sniff, evalscope.read),
    Reader(mmlu_pro.NAME, mmlu_pro.sniff, mmlu_pro.read),
)
UNGRADED = (
    ({"response"}, "chat completions that nobody graded: grade them first, or name the columns of graded lines with --columns"),
    ({"tp", "fp", "fn"}, "counts (tp, fp, fn) in the place of a score: a column for right or wrong, by --columns, can be compared"),
)
"""By the fields of a first line: forms that are known, and hold nothing to compare."""
PLAIN = Reader(plain.NAME, lambda _: True, plain.read)
"""Whatever has lines, where the caller says which column is what."""


def is_foreign(path: Path, choice: Choice) -> bool:
    """Whether another harness wrote this file, or what lies in this folder; a folder with a record of ours is ours, and a .json that
    nobody knows is taken for a broken record."""
    if not path.exists():
        return False
    if choice.columns:
        return True
    heads = [head(one) for one in files_of(path)]
    if any(is_ours(one) for one in heads):
        return False
    return (path.is_file() and path.suffix != ".json") or any(lm_eval_files.is_aggregated(one) or _reader_of(one) for one in heads)


def adopt(path: Path, choice: Choice) -> dict[str, Run]:
    """Suite → run, of one harness's file or folder. Raises ConfigurationError where there is none, MeasurementError where a file is
    broken or lacks what was chosen."""
    if not path.exists():
        raise ConfigurationError(f"{path} does not exist; give two files or folders of results")
    if choice.columns:
        with _without_collector():
            return _by_suite(path, PLAIN.read(files_of(path), choice), choice)
    by_reader: dict[str, list[Path]] = {}
    readers = {one.name: one for one in READERS}
    aggregated = None
    for file in files_of(path):
        found = head(file)
        if (reader := _reader_of(found)) is not None:
            by_reader.setdefault(reader.name, []).append(file)
        elif lm_eval_files.is_aggregated(found):
            aggregated = file
    if not by_reader and aggregated is not None:
        raise MeasurementError(f"{aggregated}: these are lm-eval's aggregated results without samples: run with --log_samples")
    if not by_reader and (ungraded := _ungraded(path)) is not None:
        raise MeasurementError(ungraded)
    if not by_reader:
        raise MeasurementError(f"{path} holds nothing that a reader knows ({', '.join(readers)}); plain lines need --columns")
    if len(by_reader) > 1:
        shown = ", ".join(f"{name}: {files[0].name}" for name, files in by_reader.items())
        raise MeasurementError(f"{path} holds the files of several harnesses ({shown}): name one file, or a folder of one of them")
    ((name, files),) = by_reader.items()
    with _without_collector():
        return _by_suite(path, readers[name].read(files, choice), choice)


def _by_suite(path: Path, runs: Iterable[Run], choice: Choice) -> dict[str, Run]:
    """Raises MeasurementError for two of one name, of which one would hide the other, and for a mean that is not there."""
    found: dict[str, Run] = {}
    for run in runs:
        if (other := found.setdefault(run.suite, run)) is not run:
            raise MeasurementError(f"{path} holds two runs of the suite {run.suite!r} ({other.path.name}, {run.path.name}): name one file")
        run.mean = choice.mean
        if choice.mean == "category" and not run.has_categories:
            raise MeasurementError(f"{run.path} does not tell a category and a task of each item: it has the mean by question alone")
    return found


@contextmanager
def _without_collector() -> Iterator[None]:
    """Nothing that is read refers to itself, and looking for that in millions of values takes a fifth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _reader_of(found: Head) -> Reader | None:
    return next((one for one in READERS if one.sniff(found)), None)


def _ungraded(path: Path) -> str | None:
    """The first file that is known to hold no score, in a sentence; None where none is."""
    firsts = ((file, head(file).first.keys()) for file in files_of(path))
    return next((f"{file}: these are {said}" for file, first in firsts for fields, said in UNGRADED if fields <= first), None)


def is_ours(found: Head) -> bool:
    return OURS in found.start[:200] and b'"family"' in found.start


def files_of(path: Path) -> list[Path]:
    """Without what a harness left behind while it made a record of ours, which stands for it."""
    if path.is_file():
        return [path]
    found = sorted(one for one in path.rglob("*") if one.is_file() and one.suffix in ENDINGS)
    return [one for one in found if not any(part.endswith(HARNESS) for part in one.relative_to(path).parts)]
