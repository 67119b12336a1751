"""A matrix that the tests fill in by hand: six families, their baselines, and pytest's own judging, cut into any number of shards."""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from unittest import mock

import msgspec

from quantgate import registry
from quantgate.baselines import BaselineFolder
from quantgate.errors import QuantgateError
from quantgate.judgement import Case, Judge, sentence
from quantgate.judgement.rule import Evidence
from quantgate.judgement.weigh import weigh
from quantgate.merging import Merged, merge, tree
from quantgate.records import (
    OUTCOMES,
    Answers,
    Measurement,
    Outcome,
    Shard,
    TextLoss,
    encode,
    read_shard,
    write_outcomes,
    write_record,
    write_shard,
)
from quantgate.registry import Tolerance
from tests_fixtures.doubles.examples import with_provenance
from tests_fixtures.doubles.pairs import pair_of_answers, pair_of_texts

FAMILIES = ("ada", "bell", "curie", "darwin", "euler", "fermi")
QUESTIONS = ("q-a", "q-b", "q-c")
TEXT = "text"
STARTED, ENDED = "2026-05-01T01:00:00+00:00", "2026-05-01T02:00:00+00:00"
DISCORDANT = {"fermi": ((12, 2), (40, 1), (5, 1)), "euler": ((40, 1), (40, 1), (40, 1))}
"""(regressed, improved) of 160 in each suite of questions: p = 0.0065 of fermi's first is no fail when it is taken four times, as where
nothing else is known, and is one three times, as where the second is known to be smaller. Euler's fail by themselves."""
LOSS = {"darwin": 0.2}
TEST = "tests_accuracy/test_{0}.py::test_it[{1}/{2}:{3}]"


def models_of(root: Path) -> Path:
    """models.toml, with folders that hold no weights."""
    file = root / "models.toml"
    rows = ["[tolerance]", *(f"{one} = {{ accuracy_points = 4.0, perplexity_ratio = 1.05 }}" for one in ("bf16", "nvfp4"))]
    for source, kind in ((QUESTIONS, "answers"), ((TEXT,), "text")):
        rows += [row for name in source for row in ("[[suite]]", f'name = "{name}"', f'from = "file:{name}.jsonl"', f'kind = "{kind}"')]
    for family in FAMILIES:
        rows += ["[[family]]", f'name = "{family}"', f"suites = {[*QUESTIONS, TEXT]}"]
        for one in ("bf16", "nvfp4"):
            made = root / "weights" / family / one
            made.mkdir(parents=True, exist_ok=True)
            (made / "config.json").write_text("{}")
            rows += ["[[family.checkpoint]]", f'name = "{one}"', f'precision = "{one}"', f'path = "weights/{family}/{one}"']
    file.write_text("\n".join(rows) + "\n")
    return file


def of(measured: Answers | TextLoss, family: str, suite: str) -> Measurement:
    """The double, in this family and suite."""
    moved = msgspec.structs.replace(measured, family=family, suite=suite)
    return with_provenance(moved, suite_fingerprint=f"s-{suite}", checkpoint_fingerprint=f"{family}-{measured.checkpoint}", started=STARTED)


@lru_cache
def measured(family: str) -> list[Measurement]:
    """BF16 as it was approved, and NVFP4."""
    made: list[Measurement] = []
    for place, suite in enumerate(QUESTIONS):
        regressed, improved = DISCORDANT.get(family, ((1, 1),) * 3)[place]
        made += [of(one, family, suite) for one in reversed(pair_of_answers(regressed, improved, 160))]
    return made + [of(one, family, TEXT) for one in reversed(pair_of_texts(LOSS.get(family, 0.001)))]


WEIGHED: dict[bytes, Evidence] = {}
ENCODED: dict[bytes, bytes] = {}


def weigh_once(measured: Measurement, against: Measurement, tolerance: Tolerance, **more: bool) -> Evidence:
    """As the judge's own, which takes its time over a bootstrap, and says the same of the same."""
    key = msgspec.json.encode((measured, against, tolerance, more))
    if key not in WEIGHED:
        WEIGHED[key] = weigh(measured, against, tolerance, **more)
    return msgspec.structs.replace(WEIGHED[key], measured=measured)


def encode_once(record: Measurement) -> bytes:
    """As the records' own, of the same the same."""
    key = msgspec.json.encode(record)
    if key not in ENCODED:
        ENCODED[key] = encode(record)
    return ENCODED[key]


@contextlib.contextmanager
def quickly() -> Iterator[None]:
    """Hundreds of little files, of which nobody wants any after a power cut, and the same few measurements in all of them."""
    with (
        mock.patch.object(os, "fsync"),
        mock.patch.object(tree, "_flush"),
        mock.patch("quantgate.judgement.judge.weigh", weigh_once),
        mock.patch("quantgate.records.files.encode", encode_once),
    ):
        yield


class Matrix:
    """`root` holds models.toml and baselines; `shards` runs it as pytest would."""

    def __init__(self, root: Path, families: Sequence[str] = FAMILIES) -> None:
        self.root, self.families = root, families
        self.models, self.baselines = models_of(root), root / "baselines"
        with quickly():
            for one in (one for family in families for one in measured(family) if one.precision == "bf16"):
                write_record(self.baselines / "cpu", one)

    def shards(self, count: int, where: str = "") -> list[Path]:
        """One folder for each shard of so many."""
        cut = [list(self.families[place::count]) for place in range(count)]
        return [self.run(place + 1, cut, self.root / (where or f"of-{count}") / f"part-{place + 1}") for place in range(count)]

    def run(self, index: int, cut: list[list[str]], folder: Path) -> Path:
        """As pytest: each suite is measured, judged by what is known so far, and its test ends so."""
        folder.mkdir(parents=True)
        with quickly():
            return self._run(index, cut, folder)

    def _run(self, index: int, cut: list[list[str]], folder: Path) -> Path:
        known, ends = registry.load(self.models), list[Outcome]()
        for name in cut[index - 1]:
            family = next(one for one in known.family if one.name == name)
            p_values: dict[str, dict[str, dict[str, float]]] = {}
            for one in measured(name):
                checkpoint = next(own for own in family.checkpoint if own.name == one.checkpoint)
                case = Case(family, checkpoint, one.suite, known.tolerance_of(family, checkpoint), known.drift_of(family))
                judge = Judge(case, BaselineFolder(self.baselines), p_values.setdefault(one.checkpoint, {}), weights_of=lambda _: None)
                ends.append(self.gate(judge, one, folder))
            log = folder / name / "nvfp4" / "server.log"
            log.write_text(f"{name} served\n")
        write_outcomes(folder / OUTCOMES, ends)
        code = int(any(one.outcome == "failed" for one in ends))
        write_shard(folder, self.shard(index, cut, ended=ENDED, exit_code=code))
        return folder

    def merge(self, folders: Sequence[Path], into: str = "merged", **more: object) -> Merged:
        with quickly():
            return merge(folders, self.root / into, **({"models": self.models, "baselines": str(self.baselines)} | more))  # type: ignore[arg-type]

    @staticmethod
    def gate(judge: Judge, one: Measurement, folder: Path) -> Outcome:
        """What the test of this measurement leaves."""
        write_record(folder, one)
        bad = []
        try:
            for drift, found in ((False, judge.quality(one)), (True, judge.drift(one))):
                for verdict in found:
                    if not isinstance(verdict, str):
                        write_record(folder, verdict, drift=drift)
                        bad += [sentence(verdict)] if verdict.verdict in ("fail", "error") else []
        except QuantgateError as error:
            bad.append(str(error))
        return ended(one.family, one.checkpoint, one.suite, "\n".join(bad))

    def shard(self, index: int, cut: list[list[str]], **more: object) -> Shard:
        matrix = {name: entries_of(name) for name in self.families}
        said = {
            "index": index,
            "count": len(cut),
            "matrix": sorted(entry for own in matrix.values() for entry in own),
            "mine": sorted(entry for name in cut[index - 1] for entry in matrix[name]),
            "cut": cut,
            "models_sha256": hashlib.sha256(self.models.read_bytes()).hexdigest(),
            "device_class": "cpu",
            "inconclusive": "warn",
            "must_run": False,
            "host": f"host-{index}",
            "started": STARTED,
        }
        return Shard(**(said | more))  # type: ignore[arg-type]  # the test's own fields


def entries_of(family: str) -> list[str]:
    return [f"{family}/{checkpoint}:{suite}" for checkpoint in ("bf16", "nvfp4") for suite in (*QUESTIONS, TEXT)]


def ended(family: str, checkpoint: str, suite: str, why: str) -> Outcome:
    """A test's end: it failed where it has a reason."""
    test = TEST.format("x", family, checkpoint, suite)
    how = "failed" if why else "passed"
    return Outcome(at=ENDED, test=test, outcome=how, why=why, family=family, checkpoint=checkpoint, suite=suite)  # type: ignore[arg-type]


def verdicts_in(folder: Path) -> dict[str, bytes]:
    """Every verdict file below a folder, by its place."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*.verdict.json"))}


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its place."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def reshard(folder: Path, **more: object) -> None:
    """Another shard.json there, with these fields."""
    old = read_shard(folder)
    assert old is not None
    write_shard(folder, msgspec.structs.replace(old, **more))
