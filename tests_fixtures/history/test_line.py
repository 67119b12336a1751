"""What a line says of a record and the verdicts beside it."""

import hashlib
from pathlib import Path

from quantgate.history import line_of, line_without_a_record
from quantgate.judgement import judge_text
from quantgate.records import Verdict, write_record
from tests_fixtures.doubles.examples import PROVENANCE, answers, speed, text_loss
from tests_fixtures.doubles.pairs import pair_of_texts


def judged(verdict: str = "fail", **fields: object) -> Verdict:
    told = {"family": "reference", "checkpoint": "nvfp4", "suite": "decode-16x64", "unit": "points", "reason": "because", **fields}
    return Verdict(verdict=verdict, **told)  # type: ignore[arg-type]


def test_it_has_the_figure_the_verdict_and_what_it_was_made_with(tmp_path: Path) -> None:
    now, before = pair_of_texts(0.02)
    record = write_record(tmp_path, now)
    verdict = judge_text(now, before, perplexity_ratio=1.05)
    write_record(tmp_path, verdict)
    line = line_of(record, "night", boot_seconds=3.0)
    assert (line.value, line.kind, line.estimate, line.interval) == (now.perplexity, "text_loss", verdict.drop, verdict.interval)
    assert (line.verdict, line.reason, line.n, line.tolerance) == ("pass", verdict.reason, 20, verdict.tolerance)
    assert (line.at, line.run, line.seconds, line.boot_seconds) == (PROVENANCE.started, "night", 1.5, 3.0)
    assert line.versions is not None
    assert (line.versions.vllm, line.versions.driver, line.kernels) == ("vllm 1", None, ["SomeKernel"])
    assert line.record_sha256 == hashlib.sha256(record.read_bytes()).hexdigest()
    assert not line.is_broken
    assert line.since_approval is None


def test_what_moved_since_the_approval_is_the_verdict_on_that(tmp_path: Path) -> None:
    record = write_record(tmp_path, speed([100.0, 101.0, 99.0]))
    write_record(tmp_path, judged("pass"))
    assert line_of(record, "night").since_approval is None
    write_record(tmp_path, judged("fail", against="own"), drift=True)
    line = line_of(record, "night")
    assert (line.verdict, line.since_approval, line.value) == ("pass", "fail", 100.0)


def test_of_bf16_the_one_verdict_is_about_its_approval(tmp_path: Path) -> None:
    record = write_record(tmp_path, answers())
    write_record(tmp_path, judged("inconclusive", against="own", checkpoint="bf16", suite="reference-questions"))
    line = line_of(record, "night")
    assert (line.verdict, line.since_approval, line.kind, line.value) == ("inconclusive", "inconclusive", "answers", 2 / 3)


def test_without_a_verdict_it_was_not_compared_or_its_test_failed(tmp_path: Path) -> None:
    record = write_record(tmp_path, text_loss())
    assert (line_of(record, "night").verdict, line_of(record, "night").is_broken) == ("not compared", False)
    failed = line_of(record, "night", failed="no BF16 baseline")
    assert (failed.verdict, failed.reason, failed.is_broken) == ("error", "no BF16 baseline", True)


def test_a_verdict_of_error_makes_the_night_broken_though_there_is_a_figure(tmp_path: Path) -> None:
    record = write_record(tmp_path, speed([100.0]))
    write_record(tmp_path, judged("error"))
    assert line_of(record, "night").is_broken


def test_of_a_night_without_a_record_it_is_known_why() -> None:
    line = line_without_a_record(("cpu", "a", "b", "c"), "fp8", at="2026-01-01", run="night", verdict="error", reason="vLLM died")
    assert line.is_broken
    assert (line.name, line.reason, line.value, line.kind) == ("a/b c", "vLLM died", None, None)
