"""How answers ended, and what is said of those that never came."""

from typing import Any

import msgspec
import pytest

from quantgate.judgement.answers import judge_answers
from quantgate.judgement.endings import repeats_itself
from quantgate.judgement.length import thinks
from quantgate.judgement.wellformed import void
from quantgate.records import Answers, Unanswered
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


WAYS: dict[str, tuple[dict[str, Any], str]] = {
    "in_reasoning": ({"open_think": True, "finish_reason": "length", "parsed": False, "answer": ""}, "ended inside their reasoning"),
    "cut_off": ({"finish_reason": "length", "parsed": False, "answer": ""}, "cut off by length"),
    "empty": ({"parsed": False, "answer": "<think>so</think> \n"}, "empty"),
    "unreadable": ({"parsed": False, "answer": "<think>so</think>no idea"}, "without an answer in them"),
}
"""Way in which an answer is none → an item of that sort, and what it is called."""


@pytest.mark.parametrize("way", WAYS)
def test_each_way_in_which_answers_are_none_is_counted_and_has_its_limit(way: str) -> None:
    fields, said = WAYS[way]
    wrong = RIGHT.replace("+++++++---", "---+++++++")  # the items that are none are wrong ones
    within = judge_answers(cut_off(answers(wrong), 0, 3, **fields), answers(wrong), accuracy_points=7.0)
    assert (within.verdict, within.unanswered) == ("pass", msgspec.structs.replace(Unanswered(), **{way: 3}))
    few = answers("---+++++++" + "+-" * 20)  # 50 items, of which 3 are 6 %
    beyond = judge_answers(cut_off(few, 0, 3, **fields), few, accuracy_points=90.0)
    assert (beyond.verdict, beyond.unanswered) == ("error", msgspec.structs.replace(Unanswered(), **{way: 3}))
    assert beyond.reason.endswith(f"; of 50: 3 {said} (q0 first)")
    assert beyond.reason.startswith("6% of the measurement's answers ")
    assert beyond.reason.count("5% may") == 1


def test_each_answer_that_is_none_is_counted_once_and_all_are_named_together() -> None:
    few = answers("-" * 10 + "+" * 40)
    for place, (fields, _) in enumerate(WAYS.values()):
        few = cut_off(few, place, place + 1, **fields)
    got = judge_answers(few, answers("-" * 10 + "+" * 40), accuracy_points=90.0)
    assert got.unanswered == Unanswered(in_reasoning=1, cut_off=1, empty=1, unreadable=1)
    # Two never came, 4 %; four hold nothing that can be read, 8 %.
    assert got.reason == (
        "8% of the measurement's answers hold no answer that can be read, 5% may: look at them in the record, then at the prompt; "
        "of 50: 1 ended inside their reasoning (q0 first), 1 cut off by length (q1 first), 1 empty (q2 first), "
        "1 without an answer in them (q3 first)"
    )


def test_what_never_came_and_what_cannot_be_read_are_said_in_one_verdict() -> None:
    few = cut_off(cut_off(answers("-" * 10 + "+" * 40), 0, 3, **WAYS["cut_off"][0]), 3, 6, **WAYS["empty"][0])
    got = judge_answers(few, answers("-" * 10 + "+" * 40), accuracy_points=90.0)
    assert got.reason == (
        "6% of the measurement's answers never came, 5% may: raise the suite's max_tokens, 1 now; "
        "12% of the measurement's answers hold no answer that can be read, 5% may: look at them in the record, then at the prompt; "
        "of 50: 3 cut off by length (q0 first), 3 empty (q3 first)"
    )


@pytest.mark.parametrize(("characters", "thinking"), [(None, False), (0, False), (120, True)])
def test_reasoning_that_a_server_hands_over_apart_is_thinking_too(characters: int | None, thinking: bool) -> None:
    assert thinks(cut_off(answers(RIGHT), 0, 1, reasoning_characters=characters)) is thinking


@pytest.mark.parametrize(
    ("answer", "is_so"),
    [
        ("The answer is:\n\n" * 9, True),
        ("So: " + "1. " * 40, True),
        ("2" + "0" * 200, True),
        ("x" * 59, False),
        ("abcdefghij" * 5 + "k" * 9, False),
        ("First, forty and two are added, which makes forty-two, and then the remainder is taken by seven: 42 / 7 is 6, so none", False),
        ("the same long sentence of more than fifty characters, thrice. " * 3, True),
        ("the same long sentence of more than fifty characters, twice. " * 2, False),
        ("", False),
    ],
)
def test_an_answer_that_is_cut_off_in_a_loop_is_known_by_its_end(answer: str, is_so: bool) -> None:
    (item,) = changed(answers("-"), 1.0, finish_reason="length", answer=answer).items
    assert repeats_itself(item) == is_so
    assert not repeats_itself(msgspec.structs.replace(item, finish_reason="stop"))


@pytest.mark.parametrize(
    ("looping", "said"), [(9, "9 of these 12 repeat themselves without end, for which no max_tokens"), (6, "raise the")]
)
def test_where_most_loop_no_more_room_is_advised(looping: int, said: str) -> None:
    measured = cut_off(answers("+" * 100), 0, 12)
    items = [msgspec.structs.replace(item, answer="and " * 50) if place < looping else item for place, item in enumerate(measured.items)]
    found = void(msgspec.structs.replace(measured, items=items))
    assert found is not None
    assert said in found
