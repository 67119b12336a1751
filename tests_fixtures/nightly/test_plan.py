"""What fits into the time that is left, and what is dropped first."""

import pytest

from quantgate.matrix import SuiteCost as Cost
from quantgate.matrix import costs_of, worth
from quantgate.nightly.cases import Case, Phase
from quantgate.nightly.plan import expected_seconds, fit
from tests_fixtures.doubles.nights import night


def case(checkpoint: str, suite: str, phase: Phase = Phase.ACCURACY) -> Case:
    return Case(f"{checkpoint}:{suite}", "f", checkpoint, suite, "nvfp4", phase, True)


COSTS = {
    ("f", "a", "long"): Cost(100.0, 10.0, 0.9),
    ("f", "a", "short"): Cost(20.0, 10.0, 0.2),
    ("f", "b", "long"): Cost(100.0, 10.0, 0.9),
    ("f", "b", "vague"): Cost(60.0, 10.0, 0.1),
}
ALL = [case(checkpoint, suite) for _, checkpoint, suite in COSTS]


@pytest.mark.parametrize(
    ("half_width", "decides"),
    [(0.05, 0.5), (0.025, 0.975), (0.1, 0.1635), (1e-9, 1.0), (0.0, 1.0)],
)
def test_a_suite_is_worth_the_probability_that_it_passes_what_lost_nothing(half_width: float, decides: float) -> None:
    assert worth(0.05, (-half_width, half_width)) == pytest.approx(decides, abs=1e-4)


def test_what_has_no_tolerance_or_interval_has_its_worth_still_to_show() -> None:
    assert worth(None, (0.0, 1.0)) == worth(0.05, None) == 1.0


def test_a_boot_is_paid_once_a_checkpoint_and_checkpoints_share_the_slots() -> None:
    assert expected_seconds(ALL, COSTS, slots=1) == (100 + 20 + 10) + (100 + 60 + 10)
    assert expected_seconds(ALL, COSTS, slots=2) == 170
    assert expected_seconds(ALL, COSTS, slots=4) == 170


def test_speed_is_measured_one_checkpoint_at_a_time() -> None:
    speeds = [case("a", "long", Phase.THROUGHPUT), case("b", "long", Phase.THROUGHPUT)]
    assert expected_seconds(speeds, COSTS, slots=2) == 220


def test_what_decides_least_a_second_is_dropped_first_and_no_more_than_has_to_be() -> None:
    assert fit(ALL, COSTS, {"f": 1}, 300.0).dropped == []
    plan = fit(ALL, COSTS, {"f": 1}, 245.0)
    assert ([str(one.node) for one in plan.dropped], plan.seconds) == (["b:vague"], 240.0)
    assert [one.node for one in fit(ALL, COSTS, {"f": 1}, 130.0).dropped] == ["b:vague", "a:long", "b:long"]


def test_what_nobody_has_timed_is_not_dropped() -> None:
    plan = fit([*ALL, case("c", "new")], COSTS, {"f": 1}, 0.0)
    assert [one.node for one in plan.kept] == ["c:new"]


def test_a_cost_is_the_last_whole_nights() -> None:
    nights = [night(1, seconds=20.0), night(0, seconds=10.0), night(2, None, verdict="error", seconds=1.0)]
    assert costs_of(nights) == {("reference", "nvfp4", "decode-16x64"): Cost(20.0, 60.0, worth(0.05, (-0.01, 0.03)))}


def test_the_longest_checkpoints_are_laid_first() -> None:
    costs = {("f", name, "s"): Cost(seconds) for name, seconds in (("a", 50.0), ("b", 50.0), ("c", 100.0))}
    assert expected_seconds([case(name, "s") for name in "abc"], costs, slots=2) == 100
