"""How long the answers are: a verdict of its own."""

import math

import msgspec
import pytest

from quantgate.errors import ConfigurationError
from quantgate.judgement import sentence
from quantgate.judgement.length import weigh_length
from quantgate.judgement.rule import decide
from quantgate.records import Answers, Verdict
from tests_fixtures.doubles.examples import MIXED, answers


def long_answers(tokens: list[int], checkpoint: str = "bf16", *, thinking: bool = True) -> Answers:
    """Answers of so many tokens, with their reasoning before them."""
    one = answers(MIXED[: len(tokens)], checkpoint)
    text = "<think>two and two</think> 4" if thinking else " 4"
    items = [msgspec.structs.replace(item, completion_tokens=n, answer=text) for item, n in zip(one.items, tokens, strict=True)]
    return msgspec.structs.replace(one, items=items)


BEFORE = [100 + 10 * (place % 7) for place in range(140)]


def judged(factor: float, ratio: float | None = None) -> Verdict:
    evidence = weigh_length(
        long_answers([round(factor * n) + place % 3 - 1 for place, n in enumerate(BEFORE)], "nvfp4"),
        long_answers(BEFORE),
        length_ratio=ratio,
    )
    assert evidence is not None
    return decide(evidence)


@pytest.mark.parametrize(("factor", "outcome"), [(1.0, "pass"), (0.8, "pass"), (1.05, "pass"), (1.3, "fail")])
def test_answers_that_think_may_be_a_tenth_longer(factor: float, outcome: str) -> None:
    got = judged(factor)
    assert (got.verdict, got.aspect, got.unit, got.n) == (outcome, "length", "ln(tokens ratio)", 140)
    assert got.drop == pytest.approx(math.log(factor), abs=0.002)


def test_the_line_shows_the_ratio_and_the_tokens() -> None:
    line = sentence(judged(1.3))
    assert line.startswith(
        "fail: reference/nvfp4 reference-questions length: tokens 1.30x of BF16 [1.30, 1.30], at most 1.10x wanted, n = 140"
    )
    assert line.endswith("; proven beyond the tolerance (p < 1e-99); 130 to 169 tokens an answer")


def test_the_ratio_stated_counts() -> None:
    assert judged(1.3, 1.5).verdict == "pass"
    with pytest.raises(ConfigurationError, match=r"length_ratio = 1\.0 is no tolerance"):
        judged(1.3, 1.0)


def test_the_interval_is_that_of_the_delta_method() -> None:
    """x = 10, 20, 30, y = 12, 18, 36: r = 1.1; u = y/22 - x/20 = 0.04545, -0.18182, 0.13636, standard error of their mean
    sqrt(0.05372/2/3) = 0.09462, t(2) = 4.30265."""
    evidence = weigh_length(long_answers([12, 18, 36], "nvfp4"), long_answers([10, 20, 30]))
    assert evidence is not None
    assert evidence.estimate is not None
    half = 4.30265 * 0.09462
    assert evidence.estimate.interval == pytest.approx((math.log(1.1) - half, math.log(1.1) + half), rel=1e-3)


def test_answers_that_do_not_think_are_asked_only_where_a_ratio_is_stated() -> None:
    short = long_answers(BEFORE, thinking=False)
    assert weigh_length(short, short) is None
    assert weigh_length(short, short, length_ratio=1.1) is not None


def judged_pair(now: list[int], before: list[int], *, both_ways: bool = False) -> Verdict:
    evidence = weigh_length(long_answers(now, "nvfp4"), long_answers(before), both_ways=both_ways)
    assert evidence is not None
    return decide(evidence)


def test_tokens_that_nobody_counted_decide_nothing_and_it_is_said() -> None:
    got = judged_pair([0] * 20, BEFORE[:20])
    assert got.verdict == "inconclusive"
    assert got.reason.startswith("the tokens of 0 of 20 answers were counted on both sides, and below 15 nothing is decided")


@pytest.mark.parametrize("uncounted", [0, -1])
def test_answers_whose_tokens_were_not_counted_are_left_out(uncounted: int) -> None:
    before = [uncounted if place % 2 else n for place, n in enumerate(BEFORE)]
    got = judged_pair(BEFORE, before)
    assert (got.verdict, got.n) == ("pass", 70)
    assert "70 of 140 left out" in got.reason


def test_two_answers_of_one_ratio_prove_nothing() -> None:
    assert judged_pair([12, 12], [10, 10]).verdict == "inconclusive"


def test_much_shorter_answers_are_noted_and_fail_where_nothing_should_have_changed() -> None:
    half = [n // 2 for n in BEFORE]
    assert judged_pair(half, BEFORE).reason.endswith("; shorter by as much: look at what is no longer said")
    assert judged_pair(half, BEFORE, both_ways=True).verdict == "fail"
