"""Grading: the strict form, and the last integer that stands in an answer."""

import pytest

from quantgate.measure.answers import grade
from quantgate.records import Answer
from quantgate.suites import Question


def graded(text: str, answer: str = "42") -> Answer:
    return grade(Question("q1", "add", "add 40 2", answer), text, "stop", 3)


@pytest.mark.parametrize(
    ("text", "strict", "flexible", "extracted"),
    [
        ("42", True, True, "42"),
        (" 42\n", True, True, "42"),
        ("The answer is 42.", False, True, "42"),
        ("**42**", False, True, "42"),
        ("40 + 2 = 42", False, True, "42"),
        ("42 = 40 + 2", False, False, "2"),
        ("first 7\nthen 42\n", False, True, "42"),
        ("43", False, False, "43"),
        ("142", False, False, "142"),
        ("421", False, False, "421"),
        ("042", False, False, "042"),
        ("-42", False, False, "-42"),
        ("4 2", False, False, "2"),
    ],
)
def test_strict_is_the_answer_alone_and_flexible_the_last_integer(text: str, strict: bool, flexible: bool, extracted: str) -> None:
    item = graded(text)
    assert (item.strict, item.flexible, item.extracted, item.parsed) == (strict, flexible, extracted, True)


def test_correct_is_strict() -> None:
    assert graded("42").correct
    assert not graded("It is 42").correct


@pytest.mark.parametrize(("text", "strict"), [("-5", True), ("that makes -5", False), ("3 and then -5!", False)])
def test_a_negative_number_keeps_its_sign(text: str, strict: bool) -> None:
    item = graded(text, "-5")
    assert (item.strict, item.flexible, item.extracted) == (strict, True, "-5")


def test_a_number_that_should_be_negative_is_wrong_without_its_sign() -> None:
    assert not graded("5", "-5").flexible


@pytest.mark.parametrize("text", ["", "  \n", "forty-two", "-", "no idea."])
def test_an_answer_without_any_integer_is_not_parsed(text: str) -> None:
    item = graded(text)
    assert (item.parsed, item.extracted, item.strict, item.flexible, item.correct) == (False, "", False, False, False)


def test_what_was_thought_is_not_the_answer() -> None:
    item = graded("<think>40 and 2, so 42? or 44</think>\n42")
    assert (item.strict, item.flexible, item.extracted, item.open_think) == (True, True, "42", False)
    assert not graded("<think>42</think> 43").flexible
    assert not graded("<think>42</think>").parsed


def test_a_thought_opened_by_the_template_is_not_the_answer_either() -> None:
    item = graded("40 and 2</think>42")
    assert (item.strict, item.open_think) == (True, False)


def test_a_thought_that_was_cut_off_is_seen() -> None:
    item = graded("<think>40 and 2 make")
    assert item.open_think
    assert not item.correct


def test_what_came_back_is_kept_as_it_was() -> None:
    item = grade(Question("q1", "add", "add 40 2", "42"), " 42 <b>", "length", 24)
    assert (item.id, item.group, item.answer, item.finish_reason, item.completion_tokens) == ("q1", "add", " 42 <b>", "length", 24)


def test_an_answer_of_several_numbers_can_only_be_strict() -> None:
    item = graded("1 2 3", "1 2 3")
    assert (item.strict, item.flexible, item.extracted) == (True, False, "3")


def test_a_long_answer_is_searched_to_its_end() -> None:
    item = graded("7 " * 500 + "so 42")
    assert (item.extracted, item.flexible) == ("42", True)
