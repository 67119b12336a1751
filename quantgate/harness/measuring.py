"""From a harness's task to a measurement: run once, and for a baseline some of it once more, and what came of it as any other suite's."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from quantgate import fingerprint, folders
from quantgate.errors import MeasurementError
from quantgate.harness.asked import Asked, Harness, Python
from quantgate.harness.inspect_tasks import Inspect
from quantgate.harness.livebench import LiveBench
from quantgate.harness.lm_eval import LmEval
from quantgate.harness.refused import error_of
from quantgate.harness.running import Telling, run_harness, told_of, why_it_failed
from quantgate.measure import MOST_FAILED, NEUTRAL, NOT_KEPT, Sitting, answers_of, conditions_of, declared_sampling, provenance
from quantgate.measure.adopt import Run
from quantgate.programs import python
from quantgate.records import Answer, Answers, Provenance, Started, harness_folder_of
from quantgate.server import Serving
from quantgate.suites import HarnessSuite

HARNESSES: dict[str, Harness] = {"lm-eval": LmEval(), "inspect": Inspect(), "livebench": LiveBench()}
UNDER_WAY = "under-way.json"
NAMED = 3
ALREADY = {"temperature", "max_tokens", "max_gen_toks", "do_sample", "seed", "gen_kwargs", "extra_body", *NEUTRAL}
"""What a harness says that it sent, and the declaration says in our words."""


def measure_harness(
    server: Serving, suite: HarnessSuite, again: int = 0, sitting: Sitting = NOT_KEPT, environment: Python = python
) -> Answers:
    """Have the harness ask the server, and take over what it found; the first `again` items once more, where asked for.

    What an interrupted run has left is gone on with where the harness can, and the conditions are the same. Raises ConfigurationError for
    a task or data that are not there, GatedDataError for data that one has to ask for, MeasurementError where the harness fails.
    """
    harness = HARNESSES[suite.harness]
    needs = harness.environment(suite)
    under = provenance(server, declared_fingerprint(suite), declared_sampling(suite), Started(), seed=suite.seed)
    with _folder(server, suite, under, sitting) as folder:
        interpreter = None if needs is None else environment(Telling(sitting, str(suite.name)), needs)
        started = Started()
        first = _round(harness, Asked(suite, server, folders.private(folder / "first"), suite.n), interpreter, sitting)
        repeated: Run | None = None
        if again:
            limit = min(again, suite.n or again)
            repeated = _round(harness, Asked(suite, server, folders.private(folder / "again"), limit), interpreter, sitting)
        _refuse_failed(server, suite, first, none_may=again > 0)
        told = msgspec.structs.replace(
            under,
            suite_fingerprint=fingerprint.of(
                [under.suite_fingerprint, sorted((name, one.what, one.how) for name, one in first.asked.items())]
            ),
            sampling={**_told_by(harness, first), **_longest(first), **under.sampling},
            started=started.at,
            seconds=round(started.seconds(), 3),
        )
        items, repeats = _grouped(suite, first.items), [] if repeated is None else _grouped(suite, repeated.items)
        found = _with_means(answers_of(server, suite.name, told, items, repeats, first.failed), first)
        if first.ways:
            sitting.tell("warning", f"{server.checkpoint} {suite.name}: {harness.name}: {'; '.join(first.ways)}")
        _tidy(folder)
    return found


def declared_fingerprint(suite: HarnessSuite) -> str:
    """Of the task as it is declared, and of the harness that will ask it."""
    return fingerprint.of([suite.fingerprint, HARNESSES[suite.harness].pins(suite)])


def _with_means(found: Answers, run: Run) -> Answers:
    """LiveBench's two means, and which of them is judged."""
    theirs = run.record(found.suite, found.checkpoint, "")
    return msgspec.structs.replace(found, mean=theirs.mean, category_mean=theirs.category_mean)


def _tidy(folder: Path) -> None:
    """What is kept for a run that goes on is of no use to one that has ended; log and results stay."""
    for scrap in folder.glob("*/cache*"):
        if scrap.is_dir():
            shutil.rmtree(scrap, ignore_errors=True)
        else:
            scrap.unlink(missing_ok=True)
    (folder / UNDER_WAY).unlink(missing_ok=True)


def _round(harness: Harness, asked: Asked, interpreter: Path | None, sitting: Sitting) -> Run:
    """One run of the harness."""
    file = told_of(asked.folder)
    file.unlink(missing_ok=True)
    ended = run_harness(harness, asked, harness.command(asked, interpreter), sitting)
    told: dict[str, Any] = json.loads(file.read_bytes()) if file.is_file() else {}
    if "refused" in told:
        raise error_of(harness, asked, told)
    if ended.code:
        raise why_it_failed(harness, asked, ended)
    return harness.results(asked, told)


def _grouped(suite: HarnessSuite, items: Sequence[Answer]) -> list[Answer]:
    """Items of a task without parts are in one group, of its name."""
    whole = suite.task.rpartition("@")[2].rpartition("/")[2].partition(".")[0]
    return [item if item.group else msgspec.structs.replace(item, group=whole) for item in items]


def _refuse_failed(server: Serving, suite: HarnessSuite, run: Run, *, none_may: bool) -> None:
    """Raises MeasurementError where more items are errors than requests of ours might fail."""
    total = len(run.items) + len(run.failed)
    if len(run.failed) <= (0 if none_may else int(MOST_FAILED * total)):
        return
    shown = "; ".join(f"{name}: {why}" for name, why in list(run.failed.items())[:NAMED])
    limit = "" if none_may else f", and {MOST_FAILED:.1%} may"
    raise MeasurementError(
        f"{server.checkpoint} {suite.name}: {len(run.failed)} of {total:,} items are errors of the harness{limit}, so nothing was "
        f"measured: {shown}"
    )


def _longest(run: Run) -> dict[str, float | int | bool | str]:
    """How long an answer could be, where the harness says so."""
    told = [run.sent[name] for name in ("max_gen_toks", "max_tokens") if name in run.sent]
    return {"max_tokens": told[0]} if told else {}


def _told_by(harness: Harness, run: Run) -> dict[str, float | int | bool | str]:
    """What the harness itself says of how it asked, which may be more than was declared: which figure counts, examples, stops."""
    told = {key: value for key, value in {**run.setup, **run.sent}.items() if key not in ALREADY}
    return {"harness": harness.name, **({"figure": run.figure} if run.figure else {}), **told}


@contextlib.contextmanager
def _folder(server: Serving, suite: HarnessSuite, under: Provenance, sitting: Sitting) -> Iterator[Path]:
    """Where the harness writes: beside the records, else for this measurement alone. What is there is kept where it was left under way
    under the same conditions, and goes otherwise."""
    if sitting.folder is None:
        with tempfile.TemporaryDirectory(prefix="quantgate-harness-") as scratch:
            yield Path(scratch)
        return
    whose = server.checkpoint
    folder = harness_folder_of(sitting.folder.resolve(), whose.family, whose.name, suite.name)  # the harness runs elsewhere
    conditions = msgspec.json.decode(msgspec.json.encode(conditions_of(server, under)))
    mark = folder / UNDER_WAY
    before = json.loads(mark.read_bytes()) if mark.is_file() else None
    if before is not None and before["conditions"] == conditions:
        sitting.tell("server", f"{whose} {suite.name}: goes on with what {suite.harness} kept of {before['started']}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
        folders.private(folder)
        mark.write_text(json.dumps({"conditions": conditions, "started": under.started}), encoding="utf-8")
    yield folder
