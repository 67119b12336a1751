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
    """2.80 * sqrt(0.05/40) = 9.9 points; 981 items for 2."""
    said = underpowered(case("reference-questions", accuracy_points=2.0), questions(40), BaselineFolder(tmp_path), "cpu")
    assert said == (
        "underpowered: reference/nvfp4 reference-questions: 40 items see a loss of 9.9 points at best, the tolerance is 2.0; "
        "about 981 would do"
    )


@pytest.mark.parametrize(("n", "points"), [(981, 2.0), (245, 4.0), (1200, 2.0)])
def test_enough_questions_are_not_worth_a_line(tmp_path: Path, n: int, points: float) -> None:
    assert underpowered(case("reference-questions", accuracy_points=points), questions(n), BaselineFolder(tmp_path), "cpu") is None


def test_the_discordance_last_measured_counts_and_bf16_s_with_itself_does_not(tmp_path: Path) -> None:
    """20 of 100 items differ: 2.80 * sqrt(0.2/1200) = 3.6 points."""
    store(tmp_path, named(answers("+" * 80 + "-" * 20), "bf16"), named(answers("+" * 60 + "-" * 20 + "-" * 20), "nvfp4"))
    said = underpowered(case("reference-questions", accuracy_points=2.0), questions(1200), BaselineFolder(tmp_path), "cpu")
    assert said is not None
    assert "1200 items see a loss of 3.6 points at best" in said
    assert said.endswith("about 3924 would do")
    assert underpowered(case("reference-questions", 0, accuracy_points=2.0), questions(1200), BaselineFolder(tmp_path), "cpu") is None


def test_text_is_foreseen_from_the_checkpoint_s_own_approved_loss(tmp_path: Path) -> None:
    suite = TextSuite("reference-text", [Document(f"d{place}", "a b") for place in range(6)])
    tight = case("reference-text", perplexity_ratio=1.001)
    assert underpowered(tight, suite, BaselineFolder(tmp_path), "cpu") is None
    store(tmp_path, text_loss("bf16"), text_loss("nvfp4", [20.3, 31.1, 39.4, 52.1, 58.5, 71.1]))
    said = underpowered(tight, suite, BaselineFolder(tmp_path), "cpu")
    assert said is not None
    assert said.startswith("underpowered: reference/nvfp4 reference-text: 6 documents see a loss of ")
    assert "the tolerance is 0.1 %; about " in said
    assert underpowered(case("reference-text", perplexity_ratio=1.2), suite, BaselineFolder(tmp_path), "cpu") is None


def test_a_suite_without_a_stated_tolerance_has_nothing_to_guard(tmp_path: Path) -> None:
    assert underpowered(case("reference-questions"), questions(40), BaselineFolder(tmp_path), "cpu") is None
