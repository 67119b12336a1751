"""The mutation score: damaged, unharmed and harmlessly changed checkpoints through the real suite; `make mutants`.

A job is one server (boot, text, answers) or one fresh suite on two servers that run already. Each ends in a row of its
own file, so that a run that is cut off goes on where it stopped; `table.py` makes the tables out of the rows.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import msgspec

from mutation.catalogue import CATALOGUE, STANDARD
from mutation.fresh import FRESH_SUITES, fresh_suites
from mutation.mutant import REFERENCE, Mutant, make
from mutation.other_rules import Said, other_rules
from mutation.pairing import paired_and_unpaired
from mutation.table import Finding, Row, tables
from quantgate import devices, registry, suites
from quantgate.baselines import BaselineFolder
from quantgate.errors import MeasurementError, QuantgateError, ServerError
from quantgate.judgement import Case, Judge
from quantgate.measure import measure_answers, measure_text_loss
from quantgate.records import Answers, Measurement, TextLoss, Verdict, read_measurement, write_record, write_whole
from quantgate.registry import REFERENCE_PRECISION
from quantgate.server import Server

ROOT = Path(__file__).parents[1]
APPROVED = BaselineFolder(ROOT / "baselines")
NOT_MEASURED = ("text not measured", "answers not measured")
INSTRUCTION_SETS = ("SSE41", "AVX2", "AVX512_CORE")
SMALL_BATCH = 7


class Job(msgspec.Struct, frozen=True):
    """One server to judge. `place` makes the checkpoint's folder below a scratch folder; `reverse` asks in another order."""

    name: str
    kind: str
    source: str
    summary: str
    place: Callable[[Path], Path]
    env: dict[str, str] = {}
    max_num_seqs: int | None = None
    reverse: bool = False


def jobs(wanted: list[str], *, every: bool = False) -> Iterator[Job]:
    """The standard set (or every mutant) with the reruns and the harmless changes that are not in a folder, or those of these names."""
    found = [Job(one.name, one.kind, one.source, one.summary, _maker(one)) for one in CATALOGUE]
    for source in ("fp8", "nvfp4"):
        found.append(Job(f"{source}-again", "harmless", source, "nothing changed; booted and measured again.", _shipped(source)))
    for level in INSTRUCTION_SETS:
        summary = f"oneDNN held to {level}, as on another processor."
        found.append(Job(f"isa-{level}", "harmless", "nvfp4", summary, _shipped("nvfp4"), env={"ONEDNN_MAX_CPU_ISA": level}))
    found.append(Job("small-batch", "harmless", "nvfp4", "seven sequences at once.", _shipped("nvfp4"), max_num_seqs=SMALL_BATCH))
    found.append(
        Job("reversed", "harmless", "nvfp4", "documents and questions asked in the reverse order.", _shipped("nvfp4"), reverse=True)
    )
    unknown = set(wanted) - {job.name for job in found}
    if unknown:
        raise SystemExit(f"no such mutant: {', '.join(sorted(unknown))}")
    names = set(wanted) or (STANDARD if not every else {job.name for job in found})
    return (job for job in found if job.name in names)


def _maker(mutant: Mutant) -> Callable[[Path], Path]:
    return lambda scratch: make(mutant, scratch)


def _shipped(source: str) -> Callable[[Path], Path]:
    return lambda _: REFERENCE / source


class Bench:
    """What all jobs share: the family as models.toml has it, the suites, and where the rows go."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.loaded = registry.load(ROOT / "models.toml")
        self.family = next(family for family in self.loaded.family if family.name == "reference")
        self.checkpoints = {one.name: one for one in self.family.checkpoint}
        self.text, self.questions = suites.reference_text(None), suites.reference_questions(None)

    def run(self, job: Job, slot: devices.Slot) -> Row:
        """Boot, measure, judge; a row says what was found, whatever happened."""
        started, findings, measured = time.monotonic(), list[Finding](), list[Measurement]()
        with tempfile.TemporaryDirectory() as scratch:
            try:
                folder = job.place(Path(scratch))
                with_server = self.server(job.source, folder, slot, self.out / "logs" / f"{job.name}.log", job)
                try:
                    with_server.wait_until_ready()
                    for measure in (self._text, self._answers):
                        self._judged(job, measure, with_server, findings, measured)
                finally:
                    with_server.stop()
            except (QuantgateError, ServerError) as error:
                findings.append(Finding("boot", "error", str(error).splitlines()[0][:300]))
        for one in measured:
            write_record(self.out / "records" / job.name, one)
        return self._row(job, findings, measured, time.monotonic() - started)

    def server(self, source: str, folder: Path, slot: devices.Slot, log: Path, job: Job | None = None) -> Server:
        checkpoint = self.checkpoints[source]
        serve = checkpoint.serve
        if job is not None:
            serve = msgspec.structs.replace(serve, env=job.env, max_num_seqs=job.max_num_seqs or serve.max_num_seqs)
        return Server(msgspec.structs.replace(checkpoint, path=str(folder), serve=serve), folder, slot, log)

    def _judged(
        self, job: Job, measure: Callable[..., Measurement], server: Server, findings: list[Finding], measured: list[Measurement]
    ) -> None:
        try:
            one = measure(server, job.reverse)
        except MeasurementError as error:
            findings.append(Finding(f"{measure.__name__.strip('_')} not measured", "error", str(error)[:300]))
            return
        measured.append(one)
        for judged in self.verdicts(job.source, one):
            findings.append(finding(one, judged))

    def verdicts(self, source: str, measured: Measurement) -> list[Verdict]:
        """Against BF16's baseline, and since the checkpoint's own approval."""
        checkpoint = self.checkpoints[source]
        tolerance, drift = self.loaded.tolerance_of(self.family, checkpoint), self.loaded.drift_of(self.family)
        judge = Judge(Case(self.family, checkpoint, measured.suite, tolerance, drift), APPROVED, {})
        return [one for one in (*judge.quality(measured), *judge.drift(measured)) if isinstance(one, Verdict)]

    def _text(self, server: Server, reverse: bool) -> TextLoss:
        suite = msgspec.structs.replace(self.text, documents=self.text.documents[::-1]) if reverse else self.text
        return cast("TextLoss", _under(measure_text_loss(server, suite, REFERENCE / "bf16"), self.text.fingerprint))

    def _answers(self, server: Server, reverse: bool) -> Answers:
        suite = msgspec.structs.replace(self.questions, questions=self.questions.questions[::-1]) if reverse else self.questions
        return cast("Answers", _under(measure_answers(server, suite), self.questions.fingerprint))

    def judge_again(self, row: Row) -> Row:
        """The row with its stored measurements judged anew; what could not be measured stays as it was."""
        measured = [read_measurement(file) for file in sorted((self.out / "records" / row.name).rglob("*.json"))]
        kept = [one for one in row.findings if one.test in ("boot", *NOT_MEASURED)]
        findings = [finding(one, judged) for one in measured[::-1] for judged in self.verdicts(row.source, one)]
        return msgspec.structs.replace(row, findings=[*kept, *findings], others=self.others(row.source, measured))

    def others(self, source: str, measured: Sequence[Measurement]) -> dict[str, Said]:
        """What other projects' rules say of the answers among these against BF16's; empty without answers."""
        base = APPROVED.load("cpu", "reference", "bf16", "reference-questions")
        points = self.loaded.tolerance_of(self.family, self.checkpoints[source]).accuracy_points
        if isinstance(base, Answers) and points is not None:
            for one in measured:
                if isinstance(one, Answers):
                    return other_rules(one, base, points)._asdict()
        return {}

    def pairing(self) -> str:
        """What pairing is worth on the shipped checkpoints' approved answers."""
        parts = []
        base = APPROVED.load("cpu", "reference", "bf16", "reference-questions")
        for name in ("fp8", "nvfp4"):
            own = APPROVED.load("cpu", "reference", name, "reference-questions")
            points = self.loaded.tolerance_of(self.family, self.checkpoints[name]).accuracy_points
            if isinstance(base, Answers) and isinstance(own, Answers) and points is not None:
                parts.append(f"{name}:\n\n{paired_and_unpaired(base, own, points)}")
        return "\n\n".join(parts)

    def _row(self, job: Job, findings: list[Finding], measured: list[Measurement], seconds: float) -> Row:
        row = Row(name=job.name, kind=job.kind, source=job.source, summary=job.summary, findings=findings, seconds=round(seconds, 1))
        row = msgspec.structs.replace(row, others=self.others(job.source, measured))
        for one in measured:
            row = msgspec.structs.replace(row, checkpoint_fingerprint=one.provenance.checkpoint_fingerprint)
            if isinstance(one, Answers):
                row = msgspec.structs.replace(row, accuracy=one.accuracy)
            if isinstance(one, TextLoss):
                row = msgspec.structs.replace(row, perplexity=one.perplexity)
        return row


def _under(measured: Measurement, suite_fingerprint: str) -> Measurement:
    """The same measurement under the suite's own fingerprint: the order of asking is no part of what was asked."""
    provenance = msgspec.structs.replace(measured.provenance, suite_fingerprint=suite_fingerprint)
    return msgspec.structs.replace(measured, provenance=provenance)


def finding(measured: Measurement, judged: Verdict) -> Finding:
    """One line of a row."""
    test: str = judged.aspect or ("text" if isinstance(measured, TextLoss) else "answers")
    if judged.against == "own" and measured.precision != REFERENCE_PRECISION:
        test += " drift"
    return Finding(test, judged.verdict, judged.reason, judged.drop, judged.tolerance, judged.n)


def main() -> int:
    """Entry point; 1 where something harmful passed or something harmless failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="run these alone, and no fresh suites")
    parser.add_argument("-o", "--out", type=Path, default=ROOT / ".quantgate" / "mutants", metavar="DIR")
    parser.add_argument("--servers", type=int, default=len(os.sched_getaffinity(0)), metavar="N", help="at once, a core each")
    parser.add_argument("--all", action="store_true", help="every mutant of the catalogue, not the standard set")
    parser.add_argument("--judge-again", action="store_true", help="measure nothing; judge the stored measurements by today's rules")
    parser.add_argument("--again", action="store_true", help="forget the rows of an earlier run")
    options = parser.parse_args()
    if options.again:
        shutil.rmtree(options.out, ignore_errors=True)
    bench, rows = Bench(options.out), options.out / "rows"
    if options.judge_again:
        for file in sorted(rows.glob("*.json")):
            again = bench.judge_again(msgspec.json.decode(file.read_bytes(), type=Row))
            write_whole(file, msgspec.json.format(msgspec.json.encode(again)) + b"\n")
        return _report(bench)
    slots = [devices.Slot(devices=[devices.cpu(core)]) for core in sorted(os.sched_getaffinity(0))]
    free = slots * -(-options.servers // len(slots))
    waiting = [job for job in jobs(options.names, every=options.all) if options.names or not (rows / f"{job.name}.json").exists()]
    started = time.monotonic()

    def one(job: Job) -> None:
        slot = free.pop()
        try:
            row = bench.run(job, slot)
        finally:
            free.append(slot)
        write_whole(rows / f"{job.name}.json", msgspec.json.format(msgspec.json.encode(row)) + b"\n")
        print(f"{time.monotonic() - started:6.0f} s  {job.name}: {', '.join(f'{f.test} {f.verdict}' for f in row.findings)}", flush=True)

    with ThreadPoolExecutor(options.servers) as pool:
        list(pool.map(one, waiting))
    if not options.names:
        tolerances = {name: bench.loaded.tolerance_of(bench.family, one) for name, one in bench.checkpoints.items()}
        fresh_suites(bench.server, tolerances, slots, options.out / "fresh", FRESH_SUITES)
    return _report(bench)


def _report(bench: Bench) -> int:
    report = tables(bench.out, ROOT / "mutation" / "truth.json", bench.pairing())
    write_whole(bench.out / "table.md", report.text.encode())
    print(report.text)
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
