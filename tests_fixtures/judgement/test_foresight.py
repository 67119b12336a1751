"""What a suite cannot see is said before it is run, with the n that would do."""

from pathlib import Path

import msgspec
import pytest

from quantgate.baselines import BaselineFolder
from quantgate.judgement.foresight import underpowered
from quantgate.judgement.judge import Case
from quantgate.records import Answers, TextLoss, write_record
from quantgate.registry import Checkpoint, Family, Tolerance
from quantgate.suites import Document, Question, QuestionSuite, TextSuite
from tests_fixtures.doubles.examples import answers, text_loss

CHECKPOINTS = [
    Checkpoint(name="bf16", precision="bf16", path="a", family="reference"),
    Checkpoint(name="nvfp4", precision="nvfp4", path="b", family="reference"),
]
FAMILY = Family(name="reference", checkpoint=CHECKPOINTS, suites=["reference-questions", "reference-text"])


def case(suite: str, checkpoint: int = 1, accuracy_points: float | None = None, perplexity_ratio: float | None = None) -> Case:
    tolerance = Tolerance(accuracy_points=accuracy_points, perplexity_ratio=perplexity_ratio)
    return Case(FAMILY, CHECKPOINTS[checkpoint], suite, tolerance, Tolerance())


def questions(n: int) -> QuestionSuite:
    return QuestionSuite("reference-questions", [Question(f"q{place}", "add", "1 + 1", "2") for place in range(n)], max_tokens=8)


def store(root: Path, *measured: TextLoss | Answers) -> None:
    for one in measured:
        write_record(root / "cpu", one)


def named(measured: Answers, checkpoint: str) -> Answers:
    return msgspec.structs.replace(measured, checkpoint=checkpoint, precision=checkpoint)


def test_forty_questions_cannot_guard_two_points(tmp_path: Path) -> None:
    """2.80 * sqrt(0.05/40) = 9.9 points; 1,068 items for 2, by enumeration."""
    said = underpowered(case("reference-questions", accuracy_points=2.0), questions(40), BaselineFolder(tmp_path), "cpu")
    assert said == (
        "underpowered: reference/nvfp4 reference-questions: 40 items would pass an unharmed checkpoint with less than 80 %: "
        "they see a loss of about 9.9 points, the tolerance is 2.0; about 1068 would do"
    )


@pytest.mark.parametrize(("n", "points"), [(1068, 2.0), (309, 4.0), (1200, 2.0)])
def test_enough_questions_are_not_worth_a_line(tmp_path: Path, n: int, points: float) -> None:
    assert underpowered(case("reference-questions", accuracy_points=points), questions(n), BaselineFolder(tmp_path), "cpu") is None


def test_the_discordance_last_measured_counts_and_bf16_s_with_itself_does_not(tmp_path: Path) -> None:
    """20 of 100 items differ: 2.80 * sqrt(0.2/1200) = 3.6 points."""
    store(tmp_path, named(answers("+" * 80 + "-" * 20), "bf16"), named(answers("+" * 60 + "-" * 20 + "-" * 20), "nvfp4"))
    said = underpowered(case("reference-questions", accuracy_points=2.0), questions(1200), BaselineFolder(tmp_path), "cpu")
    assert said is not None
    assert "they see a loss of about 3.6 points" in said
    assert said.endswith("about 3961 would do")
    assert underpowered(case("reference-questions", 0, accuracy_points=2.0), questions(1200), BaselineFolder(tmp_path), "cpu") is None


def test_text_is_foreseen_from_the_checkpoint_s_own_approved_loss(tmp_path: Path) -> None:
    suite = TextSuite("reference-text", [Document(f"d{place}", "a b") for place in range(6)])
    tight = case("reference-text", perplexity_ratio=1.001)
    assert underpowered(tight, suite, BaselineFolder(tmp_path), "cpu") is None
    store(tmp_path, text_loss("bf16"), text_loss("nvfp4", [20.3, 31.1, 39.4, 52.1, 58.5, 71.1]))
    said = underpowered(tight, suite, BaselineFolder(tmp_path), "cpu")
    assert said is not None
    assert said.startswith(
        "underpowered: reference/nvfp4 reference-text: 6 documents would pass an unharmed checkpoint with less than 80 %: "
    )
    assert "the tolerance is 0.1 %; about " in said
    assert underpowered(case("reference-text", perplexity_ratio=1.2), suite, BaselineFolder(tmp_path), "cpu") is None


def test_a_suite_without_a_stated_tolerance_has_nothing_to_guard(tmp_path: Path) -> None:
    assert underpowered(case("reference-questions"), questions(40), BaselineFolder(tmp_path), "cpu") is None


def test_a_checkpoint_that_was_never_measured_takes_the_discordance_of_its_kin(tmp_path: Path) -> None:
    """Its family's other NVFP4 changed 20 of 100 answers, its FP8 none that would count."""
    others = [Checkpoint(name=name, precision=precision, path=name, family="reference") for name, precision in OTHERS]
    family = msgspec.structs.replace(FAMILY, checkpoint=[*CHECKPOINTS, *others])
    new = msgspec.structs.replace(case("reference-questions", accuracy_points=2.0), family=family, checkpoint=others[0])
    base, kin = answers("+" * 80 + "-" * 20), answers("+" * 60 + "-" * 40)
    store(tmp_path, named(base, "bf16"), named(kin, "nvfp4"), named(answers("+" * 79 + "-" * 21), "fp8"))
    said = underpowered(new, questions(1200), BaselineFolder(tmp_path), "cpu")
    assert said is not None
    assert "they see a loss of about 3.6 points" in said


OTHERS = (("nvfp4-mse", "nvfp4"), ("fp8", "fp8"))
