"""What a number of items can see, against values worked by hand."""

import math
from itertools import pairwise

import pytest

from quantgate.stats import power


@pytest.mark.parametrize(("tolerance", "items"), [(0.02, 981), (0.04, 245)])
def test_the_items_needed_are_those_of_the_design(tolerance: float, items: int) -> None:
    assert power.n_needed(tolerance, 0.05) == items
    assert power.mde(items, 0.05) == pytest.approx(tolerance, rel=1e-3)


def test_the_factor_of_power_is_2_80() -> None:
    assert pytest.approx(2.80, abs=0.005) == power.Z_POWER
    assert power.mde(1200, 0.05) == pytest.approx(2.80 * math.sqrt(0.05 / 1200), rel=1e-3)


def test_power_from_an_interval_scales_with_the_root_of_n() -> None:
    # Half-width 0.0196 is a standard error of 0.01, so mde = 0.028; half that tolerance takes four times the rounds.
    assert power.mde_from_interval((-0.0096, 0.0296)) == pytest.approx(0.028, rel=1e-3)
    assert power.n_needed_from_interval(0.028016, (-0.0096, 0.0296), 10) == 10
    assert power.n_needed_from_interval(0.014008, (-0.0096, 0.0296), 10) == 40
    assert power.n_needed_from_interval(1.0, (0.0, 0.0), 10) == 2


def test_more_items_detect_smaller_losses() -> None:
    assert all(more < fewer for fewer, more in pairwise(power.mde(n, 0.05) for n in (10, 100, 1000)))


def test_power_without_tolerance_or_items_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        power.n_needed(0.0, 0.05)
    with pytest.raises(ValueError, match="above 0"):
        power.n_needed_from_interval(math.nan, (0.0, 1.0), 5)
    with pytest.raises(ValueError, match="at least one item"):
        power.mde(0, 0.05)
