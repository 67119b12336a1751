"""Whether the baseline is BF16's, and the two ways since an approval."""

from collections.abc import Mapping

import msgspec
import pytest

from quantgate.judgement import Case, Judge
from quantgate.records import Answers, Measurement, Verdict
from quantgate.registry import Checkpoint, Family, Tolerance
from tests_fixtures.doubles.examples import MIXED, PROVENANCE, answers, with_provenance
from tests_fixtures.doubles.pairs import pair_of_answers

TOLERANCE = Tolerance(accuracy_points=4.0, perplexity_ratio=1.05)


class Stored:
    """Approved measurements in memory, by checkpoint; one device class."""

    def __init__(self, by_checkpoint: Mapping[str, Measurement]) -> None:
        self.by_checkpoint = by_checkpoint

    def load(self, device_class: str, family: str, checkpoint: str, suite: str) -> Measurement | None:
        assert (device_class, family) == ("cpu", "reference")
        found = self.by_checkpoint.get(checkpoint)
        return found if found is not None and found.suite == suite else None

    def device_classes(self) -> list[str]:
        return ["cpu"]


def judge(checkpoint: str, approved: Mapping[str, Measurement], weights: str | None = PROVENANCE.checkpoint_fingerprint) -> Judge:
    """The judge of one checkpoint's answers, beside these baselines, where BF16's weights have this fingerprint."""
    checkpoints = [Checkpoint(name=name, precision=name, path=name, family="reference") for name in ("bf16", "nvfp4")]
    family = Family(name="reference", checkpoint=checkpoints, suites=["reference-questions"])
    case = Case(family, next(one for one in checkpoints if one.name == checkpoint), "reference-questions", TOLERANCE, TOLERANCE)
    return Judge(case, Stored(approved), {}, lambda _: weights)


def only(found: list[Verdict | str]) -> Verdict:
    """The one verdict."""
    assert len(found) == 1
    assert isinstance(found[0], Verdict)
    return found[0]


def test_a_baseline_of_another_precision_in_bf16_s_place_is_an_error() -> None:
    stranger = msgspec.structs.replace(answers(MIXED), precision="int4")
    got = only(judge("nvfp4", {"bf16": stranger}).quality(answers(MIXED, "nvfp4")))
    assert (got.verdict, got.reason.partition(":")[0]) == ("error", "the BF16 baseline is of precision int4")


@pytest.mark.parametrize("recorded", ["c9", "", "unknown"])
def test_a_baseline_of_other_bf16_weights_is_an_error(recorded: str) -> None:
    stranger = with_provenance(answers(MIXED), checkpoint_fingerprint=recorded)
    got = only(judge("nvfp4", {"bf16": stranger}).quality(answers(MIXED, "nvfp4")))
    assert got.verdict == "error"
    assert got.reason.startswith(f"the BF16 baseline was measured on other weights ({recorded or 'unknown'}) than reference/bf16 has (")


def test_weights_that_are_not_on_this_machine_are_not_asked_for() -> None:
    assert only(judge("nvfp4", {"bf16": answers(MIXED)}, None).quality(answers(MIXED, "nvfp4"))).verdict == "pass"


def test_bf16_itself_may_have_new_weights_and_it_is_said() -> None:
    now = with_provenance(answers(MIXED), checkpoint_fingerprint="c9")
    got = only(judge("bf16", {"bf16": answers(MIXED)}).quality(now))
    assert (got.verdict, got.against) == ("pass", "own")
    assert "the weights changed" in got.reason


def gained() -> tuple[Answers, Answers]:
    """Forty of 400 items better than before, none worse: ten points."""
    worse, better = pair_of_answers(40, 0, 400)
    return msgspec.structs.replace(better, checkpoint="nvfp4", precision="nvfp4", provenance=worse.provenance), worse


def test_better_than_its_own_approval_by_more_than_the_tolerance_fails() -> None:
    now, before = gained()
    got = only(judge("nvfp4", {"nvfp4": before}).drift(now))
    assert (got.verdict, got.drop, got.against) == ("fail", -10.0, "own")
    assert got.reason.startswith("better by more than the tolerance, where nothing should have changed")


def test_better_than_bf16_by_more_than_the_tolerance_passes_and_points_at_the_baseline() -> None:
    now, before = gained()
    base = msgspec.structs.replace(before, checkpoint="bf16", precision="bf16", provenance=PROVENANCE)
    got = only(judge("nvfp4", {"bf16": base}).quality(now))
    assert got.verdict == "pass"
    assert "better by more than the tolerance (p = 9.1e-13), which quantization does not do: look at the baseline" in got.reason
