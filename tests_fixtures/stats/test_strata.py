"""The mean of means: weights by hand, and an interval held against the textbook's formula and against simulation."""

import math
import random
from fractions import Fraction
from statistics import fmean, variance

import pytest
from scipy import special

from quantgate import stats

STRATA = [("a", "x")] * 2 + [("a", "y")] * 3 + [("b", "z")] * 4


def test_an_item_weighs_by_its_task_and_its_category() -> None:
    wanted = [Fraction(1, 2 * 2 * 2)] * 2 + [Fraction(1, 2 * 2 * 3)] * 3 + [Fraction(1, 2 * 1 * 4)] * 4
    assert stats.nested_weights(STRATA) == [pytest.approx(float(one)) for one in wanted]
    # (((1 + 0)/2 + (1 + 1 + 0)/3)/2 + (1 + 0 + 0 + 0)/4)/2 = (7/12 + 1/4)/2
    assert stats.nested_mean([1, 0, 1, 1, 0, 1, 0, 0, 0], STRATA) == pytest.approx(float(Fraction(5, 12)))


def test_one_task_is_a_plain_mean() -> None:
    draw = random.Random(3)
    before, after = ([draw.random() for _ in range(60)] for _ in "ba")
    found = stats.stratified_score_interval(before, after, range(60), [("a", "x")] * 60)
    plain = stats.clustered_score_interval(before, after, range(60))
    assert found.value == pytest.approx(plain.value)
    assert found.interval == pytest.approx(plain.interval, rel=1e-9)
    assert (found.p_value, found.p_better) == pytest.approx((plain.p_value, plain.p_better))


def test_the_variance_is_that_of_a_stratified_mean() -> None:
    draw = random.Random(5)
    strata = [("a", "x")] * 40 + [("a", "y")] * 20 + [("b", "z")] * 50
    before, after = ([draw.random() * (0.2 if task == "x" else 1.0) for _, task in strata] for _ in "ba")
    found = stats.stratified_score_interval(before, after, range(len(strata)), strata)
    spread, mean, weighed = 0.0, 0.0, 0.0
    for weight, held in ((1 / 4, range(40)), (1 / 4, range(40, 60)), (1 / 2, range(60, 110))):
        differences = [before[place] - after[place] for place in held]
        spread += weight**2 * variance(differences) / len(differences)
        mean += weight * fmean(differences)
        weighed += weight**2 / len(differences)
    half = float(special.stdtrit(1 / weighed - 3, 0.975)) * math.sqrt(spread)
    assert found.value == pytest.approx(mean)
    assert found.interval == pytest.approx((mean - half, mean + half))


def test_turns_of_one_question_prove_less_than_questions() -> None:
    draw = random.Random(7)
    lost = [draw.choice((0.0, 0.0, 1.0)) for _ in range(40)]
    strata = [("a", "x")] * 80 + [("b", "y")] * 80
    before, after = [1.0] * 160, [1 - lost[place // 4] for place in range(160)]
    alone = stats.stratified_score_interval(before, after, range(160), strata)
    together = stats.stratified_score_interval(before, after, [place // 4 for place in range(160)], strata)
    assert together.value == alone.value
    assert together.interval[1] - together.value > 1.8 * (alone.interval[1] - alone.value)


def test_answers_that_are_right_together_prove_less_even_where_none_changed() -> None:
    strata = [("a", "x")] * 80 + [("b", "y")] * 80
    worths = [float(place // 4 % 3 > 0) for place in range(160)]
    alone = stats.stratified_score_interval(worths, worths, range(160), strata)
    together = stats.stratified_score_interval(worths, worths, [place // 4 for place in range(160)], strata)
    assert together.interval[1] > 3 * alone.interval[1]


def test_a_task_of_one_question_shows_its_spread_about_the_whole() -> None:
    strata = [("a", "x")] * 40 + [("b", f"t{place}") for place in range(20)]
    found = stats.stratified_score_interval([1.0] * 60, [1.0] * 50 + [0.0] * 10, range(60), strata)
    # the forty did not change; ten of the twenty lost 1 of a weight of 1/40, D = 1/4: (10*(3/4)^2 + 10*(1/4)^2)/40^2
    freedom = 1 / (40 / 80**2 + 20 / 40**2) - 2
    half = float(special.stdtrit(freedom, 0.975)) * math.sqrt(6.25 / 1600)
    assert found.interval == pytest.approx((0.25 - half, 0.25 + half))


def test_nothing_that_changed_proves_no_more_than_the_weights_can() -> None:
    strata = [("a", "x")] * 190 + [("b", "y")] * 10
    still = stats.stratified_score_interval([1.0] * 200, [1.0] * 200, range(200), strata)
    count = 1 / (0.25 / 190 + 0.25 / 10)  # 38 of one weight
    freedom = float(special.stdtrit(count - 2, 0.975))
    upper = upper_without_a_flip(count, freedom)
    assert still.interval == pytest.approx((-upper, upper))
    assert still.p_value == 0.5


def upper_without_a_flip(n: float, quantile: float) -> float:
    """Tango's upper limit without a flip, solved by hand: (n*d - 1/4)^2 = z^2*n*d*(1 - d), q being 0."""
    a, b, c = n**2 + quantile**2 * n, -(n / 2 + quantile**2 * n), 1 / 16
    return (-b + math.sqrt(b**2 - 4 * a * c)) / (2 * a)


def test_tasks_of_one_question_are_taken_about_the_whole() -> None:
    strata = [("a", f"t{place}") for place in range(30)]
    before, after = [1.0] * 30, [float(place % 3 > 0) for place in range(30)]
    found = stats.stratified_score_interval(before, after, range(30), strata)
    plain = stats.clustered_score_interval(before, after, range(30))
    assert found.value == pytest.approx(1 / 3)
    assert found.interval == pytest.approx(plain.interval, abs=0.005)  # n/(n - 1) apart
    lonely = stats.stratified_score_interval([1.0], [0.0], ["q"], [("a", "t")])
    assert (lonely.interval, lonely.p_value) == ((-math.inf, math.inf), 1.0)


def test_lists_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 items before, 1 after, 2 clusters, 2 strata"):
        stats.stratified_score_interval([1.0, 1.0], [1.0], [1, 2], [("a", "b")] * 2)


@pytest.mark.parametrize("score", [1.0, 0.5])
def test_a_loss_as_large_as_the_tolerance_seldom_passes(score: float) -> None:
    """Drawn 400 times: 5 points lost in the mean by category, half of them in the smallest tasks; 2.5 % may pass."""
    draw = random.Random(11)
    strata = [(group, f"{group}{size}") for group in "abcdef" for size in (25, 8) for _ in range(size)]
    passed, times = 0, 400
    for _ in range(times):
        after = [1 - score * (draw.random() < (0.04 / score if task.endswith("25") else 0.06 / score)) for _, task in strata]
        passed += stats.stratified_score_interval([1.0] * len(strata), after, range(len(strata)), strata).interval[1] < 0.05
    assert passed <= 0.025 * times
