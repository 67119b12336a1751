"""Records that no sound run can have produced, or that tell nothing."""

import msgspec

from quantgate.judgement.admissible import unfit_to_approve
from quantgate.judgement.rule import Others
from quantgate.judgement.text import judge_text
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
    said = "6% of the measurement's answers were cut off by length: raise the suite's max_tokens, 1 now"
    assert outcome_of(cut, sound) == ("error", said)
    assert outcome_of(sound, cut) == ("error", said.replace("measurement", "baseline"))
    assert unfit_to_approve(cut) == said
    assert unfit_to_approve(sound) is None


def test_answers_that_cannot_be_read_are_no_measurement() -> None:
    sound = answers(MIXED)
    outcome, reason = outcome_of(changed(sound, 0.06, parsed=False), sound)
    assert (outcome, reason.partition(":")[0]) == ("error", "6% of the measurement's answers hold no answer that can be read")


def test_one_answer_that_ends_inside_an_open_think_is_one_too_many() -> None:
    sound = answers(MIXED)
    outcome, reason = outcome_of(changed(sound, 0.005, open_think=True), sound)
    assert outcome == "error"
    assert reason.startswith("1 of 200 answers of the measurement end inside an open <think> (q0 first): raise")
