"""Records that no sound run can have produced, or that tell nothing."""

import msgspec
import pytest

from quantgate.judgement.admissible import unfit_to_approve
from quantgate.judgement.rule import Others, decide
from quantgate.judgement.text import judge_text
from quantgate.judgement.weigh import weigh
from quantgate.judgement.wellformed import malformed
from quantgate.records import Answers, Verdict
from quantgate.registry import Tolerance
from tests_fixtures.doubles.examples import MIXED, answers
from tests_fixtures.doubles.pairs import changed, outcome_of, pair_of_texts


def test_a_perplexity_equal_to_the_top_1_perplexity_is_a_bug_in_the_harness() -> None:
    measured, baseline = pair_of_texts(0.0)
    bug = msgspec.structs.replace(measured, top1_perplexity=measured.perplexity)
    for pair, side in (((bug, baseline), "measurement"), ((measured, bug), "baseline")):
        got = judge_text(*pair, perplexity_ratio=1.05, others=Others(1))
        assert got.verdict == "error"
        assert got.reason.startswith(f"the {side}'s perplexity and top-1 perplexity are both")
        assert "either the harness read the likeliest token instead of the one that stands there, or the model gives every" in got.reason


def test_answers_cut_off_by_length_are_no_measurement() -> None:
    sound = answers(MIXED)
    assert outcome_of(changed(sound, 0.05, finish_reason="length"), sound)[0] == "pass"
    cut = changed(sound, 0.06, finish_reason="length")
    said = (
        "6% of the measurement's answers never came, 5% may: raise the suite's max_tokens, 1 now; of 200: 12 cut off by length (q0 first)"
    )
    assert outcome_of(cut, sound) == ("error", said)
    assert outcome_of(sound, cut) == ("error", said.replace("measurement", "baseline"))
    assert unfit_to_approve(cut) == said
    assert unfit_to_approve(sound) is None


def test_a_tolerance_may_let_more_of_them_be_none_and_the_line_counts_them() -> None:
    sound = answers(MIXED)
    both = [changed(sound, 0.3, finish_reason="length"), changed(sound, 0.3, finish_reason="length")]
    assert judge(both[0], both[1], unanswered=0.29).verdict == "error"
    let = judge(both[0], both[1], unanswered=0.31)
    assert let.verdict == "pass"
    assert "; of 200: 60 cut off by length (q0 first), which unanswered = 0.31 allows" in let.reason
    assert unfit_to_approve(both[0], 0.31) is None
    assert str(unfit_to_approve(both[0], 0.29)).startswith("30% of the measurement's answers never came, 29% may: ")
    assert "allows" not in judge(sound, sound, unanswered=0.31).reason


def judge(measured: Answers, baseline: Answers, unanswered: float) -> Verdict:
    return decide(weigh(measured, baseline, Tolerance(accuracy_points=8.0, unanswered=unanswered)))


def test_answers_that_cannot_be_read_are_no_measurement() -> None:
    sound = answers(MIXED)
    outcome, reason = outcome_of(changed(sound, 0.06, parsed=False), sound)
    assert outcome == "error"
    said = "6% of the measurement's answers hold no answer that can be read, 5% may: look at them in the record, then at the prompt"
    assert reason == f"{said}; of 200: 12 without an answer in them (q0 first)"


def test_an_open_think_counts_as_cut_off_whatever_it_is_said_to_have_ended_by() -> None:
    sound = answers(MIXED)
    outcome, reason = outcome_of(changed(sound, 0.06, open_think=True), sound)
    assert outcome == "error"
    said = "6% of the measurement's answers never came, 5% may: raise the suite's max_tokens, 1 now"
    assert reason == f"{said}; of 200: 12 ended inside their reasoning (q0 first)"
    # One of 1,319 no longer voids a run of which 5 % may be cut off by length.
    assert outcome_of(changed(sound, 0.005, open_think=True), sound)[0] == "pass"


@pytest.mark.parametrize("word", ["stop", "tool_calls", "eos", "end_turn", "unknown", "not recorded", ""])
def test_words_for_an_ending_that_is_none_of_ours_void_nothing(word: str) -> None:
    assert unfit_to_approve(changed(answers(MIXED), 1.0, finish_reason=word)) is None


@pytest.mark.parametrize("word", ["length", "max_tokens"])
def test_words_for_a_cut_off_answer_void_alike(word: str) -> None:
    assert str(unfit_to_approve(changed(answers(MIXED), 1.0, finish_reason=word))).startswith(
        "100% of the measurement's answers never came, 5% may: "
    )


def test_answers_that_were_aborted_are_no_measurement() -> None:
    said = str(unfit_to_approve(changed(answers(MIXED), 1.0, finish_reason="abort")))
    assert said.startswith("100% of the measurement's answers ended neither by themselves nor by length")


@pytest.mark.parametrize(("correct", "score", "marked"), [(True, 0.0, "right"), (False, 1.0, "wrong")])
def test_a_score_that_contradicts_the_mark_is_no_record(correct: bool, score: float, marked: str) -> None:
    one = answers(MIXED)
    odd = msgspec.structs.replace(one, items=[msgspec.structs.replace(one.items[0], correct=correct, score=score), *one.items[1:]])
    assert malformed(odd) == f"item {one.items[0].id!r} has the score {score:g} and is marked {marked}: one of the two is not so"


def test_what_stands_twice_is_found_among_many_at_once() -> None:
    # Quadratic, this took four minutes.
    one = answers("+" * 100_000)
    twice = msgspec.structs.replace(one, items=[*one.items, one.items[-1]])
    assert malformed(twice) == f"item {one.items[-1].id!r} stands 2 times in it"
