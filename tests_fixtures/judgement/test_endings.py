"""How answers ended, and what is said of those that never came."""

import msgspec

from quantgate.judgement.answers import judge_answers
from quantgate.records import Answers
from tests_fixtures.doubles.examples import answers
from tests_fixtures.doubles.pairs import changed

RIGHT = "+++++++---" * 100
"""700 of 1,000 right."""


def cut_off(measured: Answers, first: int, last: int, **fields: object) -> Answers:
    """Items from `first` to below `last` cut off by length, or as `fields` say."""
    ended = fields or {"finish_reason": "length"}
    items = [msgspec.structs.replace(item, **ended) if first <= place < last else item for place, item in enumerate(measured.items)]
    return msgspec.structs.replace(measured, items=items)


def test_a_candidate_that_is_cut_off_more_is_named_in_a_pass_too() -> None:
    # 44 against 26, none of them the same items: McNemar's exact p of 44 or more of 70 is 0.0207.
    now, before = cut_off(answers(RIGHT), 0, 44), cut_off(answers(RIGHT), 100, 126)
    got = judge_answers(now, before, accuracy_points=7.0)
    assert got.verdict == "pass"
    said = "44 of 1000 answers never came (cut off, or inside their reasoning), 26 of the baseline's (p = 0.021)"
    assert got.reason == f"within tolerance; {said}"


def test_as_many_cut_off_on_both_sides_are_not_mentioned() -> None:
    now, before = cut_off(answers(RIGHT), 0, 40), cut_off(answers(RIGHT), 100, 138)
    assert judge_answers(now, before, accuracy_points=7.0).reason == "within tolerance"


def test_of_the_regressed_items_those_that_never_came_are_counted() -> None:
    # The first 48 right answers become wrong, 46 of them by ending inside their reasoning.
    right = [place for place, letter in enumerate(RIGHT) if letter == "+"][:48]
    letters = "".join("-" if place in right else letter for place, letter in enumerate(RIGHT))
    now = answers(letters)
    items = [msgspec.structs.replace(item, open_think=place in right[:46]) for place, item in enumerate(now.items)]
    got = judge_answers(msgspec.structs.replace(now, items=items), answers(RIGHT), accuracy_points=4.0)
    assert got.verdict == "fail"
    assert got.reason.endswith("; of 48 regressed items 46 never came to an answer (cut off, or inside their reasoning)")


def test_an_ending_that_nobody_recorded_is_said() -> None:
    now = changed(answers(RIGHT), 1.0, finish_reason="not recorded")
    got = judge_answers(now, answers(RIGHT), accuracy_points=7.0)
    said = "how answers ended was not recorded (1000 of 1000 here, 0 of the baseline's): they may be cut off"
    assert (got.verdict, got.reason) == ("pass", f"within tolerance; {said}")
