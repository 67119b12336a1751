"""Whether the whole is certain: by hand, against every whole there is, and over all orders of one."""

import math
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest

from quantgate import stats
from quantgate.stats import early

CERTAIN = math.log(40)


def everything(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(n + 1, int), np.arange(n + 1)


def one_whole(n: int, regressed: int, improved: int) -> tuple[np.ndarray, np.ndarray]:
    """Bounds that hold this whole alone."""
    low, high = np.ones(n + 1, int), np.zeros(n + 1, int)
    low[regressed + improved] = high[regressed + improved] = regressed
    return low, high


@pytest.mark.parametrize("n", [3, 30, 90])
@pytest.mark.parametrize(("tolerance", "suites", "proven"), [(0.02, 1, False), (0.1, 3, False), (0.25, 1, True)])
def test_the_first_counts_are_those_of_the_enumeration(n: int, tolerance: float, suites: int, proven: bool) -> None:
    passed, failed = early.first_counts(n, tolerance, suites, proven=proven)
    for d in range(n + 1):
        b = np.arange(d + 1)
        passes, fails = stats.decide_counts(b, d - b, n, tolerance, suites, proven=proven)
        assert passes.tolist() == (b < passed[d]).tolist(), d
        assert fails.tolist() == (b >= failed[d]).tolist(), d


def test_e_is_the_mean_of_two_ratios() -> None:
    # n = 6, 4 asked: one regressed, one improved, two alike; the whole has 2 and 1. R_B = B(2, 2)/B(1, 1) * (3*2)/(2*1) = 1/2.
    # R_D = B(3, 21)/B(1, 19) * (6*5*4*3)/(3*2 * 3*2), B(3, 21) = 2!*20!/23! and B(1, 19) = 1/19.
    ratio = Fraction(2 * 19, 21 * 22 * 23) * 10
    assert early.log_e(1, 1, 4, 6, *one_whole(6, 2, 1)) == pytest.approx(math.log(Fraction(1, 2) * (1 + ratio) / 2), rel=1e-12)


@pytest.mark.parametrize(("n", "regressed", "improved"), [(6, 3, 1), (7, 2, 2), (6, 2, 2), (6, 0, 2), (6, 6, 0), (5, 0, 0)])
def test_over_all_orders_of_a_whole_e_stays_one_on_average_and_falls_where_a_kind_runs_out(n: int, regressed: int, improved: int) -> None:
    marks = [1] * regressed + [-1] * improved + [0] * (n - regressed - improved)
    for asked in range(n + 1):
        values = []
        for order in set(permutations(marks)):
            first = order[:asked]
            values.append(math.exp(early.log_e(first.count(1), first.count(-1), asked, n, *one_whole(n, regressed, improved))))
        on_average = sum(values) / len(values)
        assert on_average <= 1 + 1e-9, asked
        if asked <= min(regressed, improved, n - regressed - improved):
            assert on_average == pytest.approx(1.0, rel=1e-9), asked


def test_the_smallest_over_many_wholes_is_the_smallest_of_each() -> None:
    n = 24
    low, high = np.arange(n + 1) // 2, np.minimum(np.arange(n + 1), 15)
    for b, c, asked in ((0, 0, 4), (2, 1, 9), (5, 0, 12), (0, 6, 20), (1, 9, 23)):
        each = [
            early.log_e(b, c, asked, n, *one_whole(n, whole, d - whole), cap=math.inf)
            for d in range(n + 1)
            for whole in range(low[d], high[d] + 1)
        ]
        assert early.log_e(b, c, asked, n, low, high, cap=math.inf) == pytest.approx(min(each), rel=1e-9), (b, c, asked)
        all_of_them = [
            early.log_e(b, c, asked, n, *one_whole(n, whole, d - whole), cap=math.inf) for d in range(n + 1) for whole in range(d + 1)
        ]
        assert early.log_e(b, c, asked, n, *everything(n), cap=math.inf) == pytest.approx(min(all_of_them), rel=1e-9), (b, c, asked)


def test_what_lies_beyond_the_cap_is_told_as_that_and_nothing_else_is_changed() -> None:
    n = 24
    for b, c, asked in ((2, 1, 9), (3, 3, 12), (1, 9, 20)):
        for whole, other in ((whole, d - whole) for d in range(n + 1) for whole in range(d + 1)):
            plain = early.log_e(b, c, asked, n, *one_whole(n, whole, other), cap=math.inf)
            capped = early.log_e(b, c, asked, n, *one_whole(n, whole, other), cap=0.1)
            assert capped == pytest.approx(min(0.1, plain), rel=1e-9), (b, c, asked, whole, other)


def test_certain_is_what_every_other_whole_speaks_against() -> None:
    n, tolerance = 40, 0.1
    wholes = [(whole, d - whole) for d in range(n + 1) for whole in range(d + 1)]
    regressed, improved = (np.array(side) for side in zip(*wholes, strict=True))
    passes, fails = stats.decide_counts(regressed, improved, n, tolerance)
    for b, c, asked in ((0, 0, 20), (1, 2, 30), (9, 1, 20), (12, 0, 30), (4, 4, 39)):
        against = np.array([early.log_e(b, c, asked, n, *one_whole(n, *one)) for one in wholes])
        counts = (b, c, asked, n, tolerance)
        assert stats.log_e_that_it_passes(*counts) == pytest.approx(against[~passes].min(), rel=1e-9), counts
        assert stats.log_e_that_it_fails(*counts) == pytest.approx(against[~fails].min(), rel=1e-9), counts
        assert stats.log_e_that_it_does_not_fail(*counts) == pytest.approx(against[fails].min(), rel=1e-9), counts


def test_what_the_rest_cannot_change_is_certain() -> None:
    n, tolerance = 60, 0.3
    passed, _ = early.first_counts(n, tolerance)
    # 59 alike, one to come: whichever way it falls, D is 1 at most, and one regressed of 60 passes.
    assert passed[1] == 2
    assert stats.log_e_that_it_passes(0, 0, 59, n, tolerance) == stats.CAP_NATS
    assert stats.log_e_that_it_fails(0, 0, 59, n, tolerance) < 0


def test_certainty_points_one_way_and_grows_with_what_was_asked() -> None:
    n, tolerance = 1319, 0.05
    alike = [stats.log_e_that_it_passes(asked // 50, asked // 50, asked, n, tolerance) for asked in (100, 300, 500, 700)]
    assert alike == sorted(alike)
    assert alike[0] < CERTAIN < alike[-1]
    lost = [stats.log_e_that_it_fails(asked * 8 // 50, asked // 50, asked, n, tolerance) for asked in (50, 100, 300, 500)]
    assert lost == sorted(lost)
    assert lost[0] < CERTAIN < lost[-1]
    assert stats.log_e_that_it_passes(48, 6, 300, n, tolerance) < 0 > stats.log_e_that_it_fails(6, 6, 300, n, tolerance)


def test_a_stricter_question_is_later_certain() -> None:
    plain = stats.log_e_that_it_fails(18, 4, 200, 400, 0.02)
    assert stats.log_e_that_it_fails(18, 4, 200, 400, 0.02, suites=8) < plain
    assert stats.log_e_that_it_fails(18, 4, 200, 400, 0.02, proven=True) < plain


def test_both_ways_a_gain_is_no_pass() -> None:
    gained = (0, 30, 300, 400, 0.02)
    assert stats.log_e_that_it_passes(*gained) > CERTAIN
    assert stats.log_e_that_it_passes(*gained, both_ways=True) < 0


@pytest.mark.parametrize("counts", [(3, 2, 4, 10), (-1, 0, 4, 10), (0, 0, 11, 10)])
def test_counts_that_cannot_be_are_refused(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"need regressed \+ improved <= asked <= n"):
        early.log_e(*counts, *everything(10))


def test_of_any_suite_no_more_than_one_in_forty_orders_ends_it_wrongly() -> None:
    """The worst there is: a whole one item short of the verdict that it is ended with; looked at after every other item."""
    n, suites, ever = 120, 3000, 0
    draw = np.random.default_rng(1)
    for tolerance, discordant in ((0.1, 6), (0.05, 30)):
        passed, failed = early.first_counts(n, tolerance)
        for b, ends in ((int(passed[discordant]), "pass"), (int(failed[discordant]) - 1, "fail")):
            marks = np.repeat([1, -1, 0], [b, discordant - b, n - discordant])
            orders = draw.permuted(np.tile(marks, (suites, 1)), axis=1)
            regressed, improved = (np.cumsum(orders == sign, axis=1) for sign in (1, -1))
            wrongly = np.zeros(suites, bool)
            say = stats.log_e_that_it_passes if ends == "pass" else stats.log_e_that_it_fails
            for asked in range(1, n, 2):
                here = np.stack([regressed[:, asked - 1], improved[:, asked - 1]], axis=1)
                kinds, which = np.unique(here, axis=0, return_inverse=True)
                certain = np.array([say(int(one), int(other), asked, n, tolerance, cap=CERTAIN) >= CERTAIN for one, other in kinds])
                wrongly |= certain[which.reshape(-1)]
            assert wrongly.mean() <= 0.025, (discordant, ends)
            ever += int(wrongly.sum())
    assert ever > 0  # else these were no edges
