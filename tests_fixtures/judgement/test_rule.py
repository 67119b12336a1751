"""Every branch of the rule, each with data small enough to work out by hand."""

import math
from collections.abc import Callable

import msgspec
import pytest

from quantgate import stats
from quantgate.judgement.answers import judge_answers
from quantgate.judgement.rule import Others
from quantgate.judgement.text import judge_text
from quantgate.records import Discordant, Verdict, encode
from tests_fixtures.doubles.examples import answers
from tests_fixtures.doubles.pairs import judged, pair_of_answers, pair_of_texts


def test_equal_answers_pass_with_an_interval_of_some_width() -> None:
    got = judged(pair_of_answers(0, 0, 200))
    # (200*d - 1/4)^2 = z^2*200*d*(1 - d): 40768.29*d^2 - 868.2918*d + 0.0625 = 0, so d = 0.0212261.
    limit = 2.12261
    assert (got.verdict, got.drop, got.p_value, got.reason) == ("pass", 0.0, 1.0, "within tolerance")
    assert got.interval == pytest.approx((-limit, limit), rel=1e-5)
    # No discordance was seen, so the default of 5 % carries the power.
    assert got.mde == pytest.approx(280 * math.sqrt(0.05 / 200), rel=1e-3)


def test_a_real_loss_within_tolerance_passes_and_says_so() -> None:
    got = judged(pair_of_answers(38, 18, 1200))
    assert (got.verdict, got.reason) == ("pass", "a real loss, within tolerance")
    assert got.interval is not None
    assert got.interval[0] > 0
    assert got.n_needed is None


def test_a_proven_loss_at_or_above_the_tolerance_fails() -> None:
    got = judged(pair_of_answers(30, 5, 400))
    assert (got.verdict, got.drop, got.n, got.discordant) == ("fail", 6.25, 400, Discordant(regressed=30, improved=5))
    assert got.p_value == stats.mcnemar_p(30, 5)


def test_a_drop_exactly_at_the_tolerance_can_fail() -> None:
    # 16 of 400 are 4.0 points, and 16 heads in a row are no chance.
    assert judged(pair_of_answers(16, 0, 400), points=4.0).verdict == "fail"


def test_an_upper_end_exactly_at_the_tolerance_is_no_pass() -> None:
    pair = pair_of_answers(5, 3, 300)
    interval = judged(pair).interval
    assert interval is not None
    assert judged(pair, points=interval[1]).verdict == "inconclusive"
    assert judged(pair, points=math.nextafter(interval[1], math.inf)).verdict == "pass"


def test_too_few_items_are_inconclusive_and_name_the_number_that_would_do() -> None:
    # Discordance 4 of 60: d*(2.80/0.04)^2 = 327 by the rule of thumb, and 80 % of unharmed checkpoints pass from 381 on.
    got = judged(pair_of_answers(2, 2, 60))
    assert (got.verdict, got.n_needed) == ("inconclusive", 381)
    assert got.reason == "60 items do not decide, about 381 would"


def test_a_drop_near_the_tolerance_does_not_ask_for_items_that_are_there() -> None:
    got = judged(pair_of_answers(52, 12, 1200))
    assert (got.verdict, got.n_needed) == ("inconclusive", None)
    assert got.reason == "1200 items do not decide, so near the tolerance lies the drop: more items will not settle it soon"


def test_many_suites_turn_a_fail_into_inconclusive() -> None:
    # 10 against 1: p = 12/2048 = 0.00586, times 4 = 0.0234, times 5 = 0.0293.
    pair = pair_of_answers(10, 1, 150)
    four, five = judged(pair, suites=4), judged(pair, suites=5)
    assert four.verdict == "fail"
    assert four.p_value == pytest.approx(48 / 2048, rel=1e-9)
    assert "Holm's correction over 4 suites" in four.reason
    assert five.verdict == "inconclusive"
    assert five.p_value == pytest.approx(60 / 2048, rel=1e-9)
    assert "chance could explain the drop (p = 0.029" in five.reason


def test_suites_judged_before_share_holm_s_correction() -> None:
    # p = 0.00586 here; beside 0.001 of another suite Holm multiplies it by 4, as one of the five is already rejected.
    pair = pair_of_answers(10, 1, 150)
    got = judge_answers(*pair, accuracy_points=4.0, others=Others(5, [0.001]))
    assert got.verdict == "fail"
    assert got.p_value == pytest.approx(48 / 2048, rel=1e-9)
    assert got.p_value_alone == pytest.approx(12 / 2048, rel=1e-9)
    # McNemar's mid-p takes half of what is exactly as far: (1 + 11/2)/2048.
    assert got.p_value_mid == pytest.approx(6.5 / 2048, rel=1e-9)


def test_more_suites_judged_than_there_are_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="suites = 2 and 2 others judged"):
        judge_answers(*pair_of_answers(3, 1, 150), accuracy_points=4.0, others=Others(2, [0.1, 0.2]))


def test_an_adjusted_p_stops_at_one() -> None:
    assert judged(pair_of_answers(3, 3, 300), suites=7).p_value == 1.0


def test_a_suite_is_always_one_of_the_suites() -> None:
    with pytest.raises(ValueError, match="suites = 0"):
        judged(pair_of_answers(0, 0, 10), suites=0)


@pytest.mark.parametrize(
    "judge",
    [
        lambda: judged(pair_of_answers(2, 2, 60)),
        lambda: judged((answers(""), answers(""))),
        lambda: judge_text(*pair_of_texts(0.0, n=1), perplexity_ratio=1.05, others=Others(1)),
    ],
)
def test_every_verdict_can_be_written(judge: Callable[[], Verdict]) -> None:
    got = judge()
    assert msgspec.json.decode(encode(got), type=Verdict) == got


def test_where_the_interval_and_the_exact_p_disagree_one_of_them_is_said_to_decide() -> None:
    # 11 against 3 of 300: P(X >= 11 | 14, 1/2) = 470/16384 = 0.0287, and Tango's interval begins at 0.16 points.
    got = judged(pair_of_answers(11, 3, 300), points=2.0)
    assert got.interval is not None
    assert got.interval[0] == pytest.approx(0.16, abs=0.01)
    assert got.verdict == "inconclusive"
    assert "since chance could explain the drop (p = 0.029; p decides, not the interval)" in got.reason


def test_a_loss_within_tolerance_is_called_real_only_where_the_exact_p_shows_it() -> None:
    assert judged(pair_of_answers(11, 3, 300), points=8.0).reason == "within tolerance"
    # 12 against 3: P(X >= 12 | 15, 1/2) = 576/32768 = 0.0176.
    assert judged(pair_of_answers(12, 3, 300), points=8.0).reason == "a real loss, within tolerance"
