"""Since when a figure is another: dated where it is, nothing where it is not, and what was another there."""

import msgspec
import numpy as np
import pytest

from benchmarks.drift import look, ours
from quantgate.history import Line, Versions, changes, locate, series_of
from tests_fixtures.doubles.nights import night

NEW = Versions(vllm="0.32.0", torch="2.13", transformers="5", driver="580")


def slowed(nights: int = 60, at: int = 36, seed: int = 7) -> list[Line]:
    """Four per cent slower from `at` on, where vLLM is another, with 1 % noise."""
    noise = np.random.default_rng(seed).standard_normal(nights) * 0.01
    speeds = [800 * (0.96 if number >= at else 1.0) * (1 + float(by)) for number, by in enumerate(noise)]
    return [night(number, tps, **({"versions": NEW} if number >= at else {})) for number, tps in enumerate(speeds)]


def test_a_slow_down_of_twice_the_noise_is_dated_and_what_is_none_is_left_alone() -> None:
    seen = look(20, ours)
    assert seen.dated >= 17
    assert (seen.false, seen.alarmed) == (0, 0)


def test_the_first_night_after_it_is_named_with_what_was_another_there() -> None:
    (series,) = series_of(slowed())
    (change,) = changes(series)
    assert (change.place, change.run, change.at) == (36, "night-36", series.nights[36].at)
    assert change.after / change.before == pytest.approx(0.96, abs=0.01)
    assert [(one.what, one.before, one.now) for one in change.moved] == [("vLLM", "0.31.0", "0.32.0")]


def test_what_moves_far_from_the_change_is_not_blamed() -> None:
    nights = [msgspec.structs.replace(one, host="other") if number >= 20 else one for number, one in enumerate(slowed())]
    (change,) = changes(series_of(nights)[0])
    assert [one.what for one in change.moved] == ["vLLM"]


def test_each_of_two_changes_is_dated() -> None:
    values = [10.0, 10.1] * 10 + [11.0, 11.1] * 10 + [9.0, 9.1] * 10
    assert [place for place, _ in locate(values)] == [20, 40]


def test_the_medians_are_those_between_the_changes() -> None:
    values = [10.0, 10.1] * 10 + [11.0, 11.1] * 10 + [9.0, 9.1] * 10
    (series,) = series_of([night(number, value) for number, value in enumerate(values)])
    assert [(round(one.before, 2), round(one.after, 2)) for one in changes(series)] == [(10.05, 11.05), (11.05, 9.05)]


def test_it_takes_ten_nights_on_either_side() -> None:
    assert [place for place, _ in locate([1.0] * 10 + [2.0] * 10)] == [10]
    assert locate([1.0] * 10 + [2.0] * 9) == []
    assert all(10 <= place <= 20 for place, _ in locate([1.0] * 25 + [2.0] * 5))


def test_a_bad_night_is_none_and_nor_is_a_figure_that_never_moves() -> None:
    assert locate([1.0] * 30 + [0.5] + [1.0] * 30) == []
    assert locate([1.0] * 40) == []


def test_a_wild_night_hides_no_change() -> None:
    values = series_of(slowed())[0].values
    values[5] = 1e6
    assert [place for place, _ in locate(values)] == [36]


def test_broken_nights_and_nights_of_another_suite_are_in_no_statistic() -> None:
    broken = [night(number, None, verdict="error") for number in range(60, 75)]
    void = [night(number, 1.0, verdict="error") for number in range(75, 90)]
    other = [night(-number - 1, 5.0, suite_fingerprint="old") for number in range(15)]
    (series,) = series_of([*broken, *void, *other, *[night(number) for number in range(60)]])
    assert (len(series.nights), len(series.broken), series.of_another_suite) == (60, 30, 15)
    assert changes(series) == []


@pytest.mark.parametrize(("last", "drifted"), [("fail", True), ("pass", False), ("inconclusive", False), (None, False)])
def test_a_drift_is_what_the_suites_own_rule_says_in_the_last_night(last: str | None, drifted: bool) -> None:
    nights = [night(0, since_approval="fail"), night(1, since_approval=last), night(2, None, verdict="error", since_approval="fail")]
    assert series_of(nights)[0].has_drifted is drifted
