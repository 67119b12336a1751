"""What is known before anything boots: which tolerance is missing, and of which suite no verdict can come."""

import msgspec
import pytest

from quantgate.judgement import Case
from quantgate.judgement.beforehand import has_no_verdict, missing_tolerances
from quantgate.records import Measurement
from quantgate.registry import Checkpoint, Family, Tolerance
from quantgate.suites import LoadSuite, Suite, decode_16x64, reference_questions, reference_text
from tests_fixtures.doubles.examples import speed, text_loss
from tests_fixtures.judgement.test_judge import Stored

SUITES: dict[str, Suite] = {one.name: one for one in (reference_text(None), reference_questions(None), decode_16x64(None))}
WHOLE = Tolerance(accuracy_points=2.0, perplexity_ratio=1.05, decode_tps_ratio=0.95)


def case(precision: str, suite: str, tolerance: Tolerance, drift: Tolerance = WHOLE) -> Case:
    checkpoints = [Checkpoint(name=name, precision=name, path=name, family="reference") for name in ("bf16", "nvfp4")]
    family = Family(name="reference", checkpoint=checkpoints, suites=list(SUITES))
    return Case(family, next(one for one in checkpoints if one.precision == precision), suite, tolerance, drift)


def missing(*cases: Case, on: str = "cpu", approved: Measurement | None = None, updating: bool = False) -> list[str]:
    class On(Stored):
        def load(self, device_class: str, family: str, checkpoint: str, suite: str) -> Measurement | None:
            assert device_class == on
            return super().load("cpu", family, checkpoint, suite)

    stored = On({} if approved is None else {approved.checkpoint: approved})
    return missing_tolerances([(one, SUITES[one.suite], on) for one in cases], stored, updating=updating)


def test_what_is_stated_is_not_missing() -> None:
    assert missing(*(case("nvfp4", suite, WHOLE) for suite in SUITES)) == []


def test_one_sentence_a_precision_names_each_setting_and_where_to_write_it() -> None:
    cases = [case("nvfp4", suite, Tolerance()) for suite in ("reference-text", "reference-questions")]
    assert missing(*cases) == [
        "models.toml states no perplexity_ratio and no accuracy_points for nvfp4 of reference: write tolerance.nvfp4 = "
        "{ perplexity_ratio = …, accuracy_points = … } into the family, or nvfp4 = { … } into [tolerance]"
    ]


def test_bf16_needs_none_while_it_is_approved_and_others_do() -> None:
    assert missing(case("bf16", "reference-text", Tolerance()), updating=True) == []
    assert len(missing(case("bf16", "reference-text", Tolerance()))) == 1
    assert len(missing(case("nvfp4", "reference-text", Tolerance()), updating=True)) == 1


def test_what_it_may_move_since_its_approval_is_bf16_s_and_needed_once_it_is_approved() -> None:
    asked = case("nvfp4", "reference-text", WHOLE, drift=Tolerance())
    assert missing(asked) == []
    (said,) = missing(asked, approved=text_loss("nvfp4"))
    assert said.startswith("models.toml states no perplexity_ratio for bf16 of reference")


def test_a_speed_needs_one_where_it_has_an_approval_to_be_held_to() -> None:
    asked, approved = case("nvfp4", "decode-16x64", Tolerance()), speed([100.0, 101.0])
    assert missing(asked, on="NVIDIA H200") == []
    assert len(missing(asked, on="NVIDIA H200", approved=approved)) == 1
    assert missing(asked, on="cpu", approved=approved) == []
    over_bf16 = msgspec.structs.replace(asked, tolerance=Tolerance(speedup_over_bf16={"NVIDIA H200": 1.2}))
    assert missing(over_bf16, on="NVIDIA H200", approved=approved) == []


@pytest.mark.parametrize(
    ("precision", "suite", "device_class", "idle"),
    [
        ("nvfp4", "decode-16x64", "cpu", True),
        ("nvfp4", "decode-16x64", "NVIDIA H200", False),
        ("nvfp4", "reference-text", "cpu", False),
        ("bf16", "decode-16x64", "cpu", True),
    ],
)
def test_on_a_cpu_no_verdict_can_come_of_a_speed(precision: str, suite: str, device_class: str, idle: bool) -> None:
    assert has_no_verdict(case(precision, suite, WHOLE), type(SUITES[suite]), device_class) is idle


def test_unless_a_speed_up_over_bf16_is_asked_for_which_bf16_has_none_of() -> None:
    asked = Tolerance(speedup_over_bf16={"cpu": 0.4})
    assert not has_no_verdict(case("nvfp4", "decode-16x64", asked), LoadSuite, "cpu")
    assert has_no_verdict(case("bf16", "decode-16x64", asked), LoadSuite, "cpu")
