"""What a number of items can see, against values worked by hand and sums over every outcome."""

import math
import time
from itertools import pairwise, product

import numpy as np
import pytest

from quantgate import stats
from quantgate.stats import power
from quantgate.stats.enumeration import pass_chances

TOLERANCES = (0.005, 0.01, 0.02, 0.04, 0.08, 0.2)
DISCORDANCES = (0.0, 0.002, 0.01, 0.02, 0.05, 0.1, 0.3)


@pytest.mark.parametrize(
    ("tolerance", "discordance", "items"),
    [(0.01, 0.05, 4044), (0.02, 0.02, 554), (0.02, 0.05, 1068), (0.04, 0.01, 149), (0.04, 0.05, 309), (0.04, 0.10, 530)],
)
def test_with_the_items_needed_and_any_more_an_unharmed_checkpoint_passes(tolerance: float, discordance: float, items: int) -> None:
    assert power.n_needed(tolerance, discordance) == items
    chances = pass_chances(range(items - 1, items + round(3 / tolerance)), discordance, tolerance)
    assert chances[0] < 0.80
    assert chances[1:].min() >= 0.80


def test_the_chance_of_a_pass_is_a_sawtooth_so_the_first_n_is_not_enough() -> None:
    # 536 items would do, 537 to 553 would not all.
    chances = pass_chances(range(530, 554), 0.02, 0.02)
    assert chances[6] >= 0.80 > chances[-1]


def test_a_few_items_that_could_never_pass_are_not_named() -> None:
    # The rule of thumb says 0.01*(2.80/0.04)^2 = 49, and 49 equal answers have an upper end of more than 8 points.
    assert power.n_needed(0.04, 0.01) == 149
    assert stats.paired_proportion_interval(0, 0, 49)[1] > 0.08


@pytest.mark.parametrize("tolerance", [*TOLERANCES, 0.5, 0.95, 0.999])
def test_it_is_never_below_the_n_at_which_equal_answers_pass(tolerance: float) -> None:
    least = power.n_needed(tolerance, 0.0)
    assert stats.paired_proportion_interval(0, 0, least)[1] < tolerance
    assert least == 1 or stats.paired_proportion_interval(0, 0, least - 1)[1] >= tolerance
    assert all(power.n_needed(tolerance, discordance) >= least for discordance in DISCORDANCES)


def test_more_discordance_or_less_tolerance_takes_more_items() -> None:
    table = np.array([[power.n_needed(tolerance, discordance) for discordance in DISCORDANCES] for tolerance in TOLERANCES])
    assert (np.diff(table, axis=1) >= 0).all()
    assert (np.diff(table, axis=0) < 0).all()


@pytest.mark.parametrize("tolerance", [0.006, 0.01, 0.02, 0.04, 0.06])
def test_the_formula_and_the_search_agree_where_one_takes_over_from_the_other(tolerance: float, monkeypatch: pytest.MonkeyPatch) -> None:
    # So many are discordant: ENUMERATED_ITEMS = d*n = (d*2.80/tolerance)^2.
    discordance = 1.02 * tolerance * math.sqrt(power.ENUMERATED_ITEMS) / power.Z_POWER
    formula = power.n_needed(tolerance, discordance)
    monkeypatch.setattr(power, "ENUMERATED_ITEMS", math.inf)
    searched = power.n_needed.__wrapped__(tolerance, discordance)
    assert formula != searched
    assert formula == pytest.approx(searched, rel=0.004)


def test_where_the_tolerance_is_small_beside_the_discordance_it_is_the_rule_of_thumb() -> None:
    assert power.n_needed(0.001, 0.2) == pytest.approx(0.2 * (power.Z_POWER / 0.001) ** 2, rel=0.005)
    assert power.mde(1068, 0.05) == pytest.approx(0.0192, abs=0.0001)


def test_a_search_takes_less_than_a_third_of_a_second() -> None:
    for tolerance, discordance in product((0.001, 0.005, 0.01, 0.02), (0.02, 0.05, 0.1)):
        started = time.process_time()
        power.n_needed.__wrapped__(tolerance, discordance)
        assert time.process_time() - started < 0.3, (tolerance, discordance)


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
    with pytest.raises(ValueError, match="a share from 0 to 1"):
        power.n_needed(0.02, math.nan)
    with pytest.raises(ValueError, match="above 0"):
        power.n_needed_from_interval(math.nan, (0.0, 1.0), 5)
    with pytest.raises(ValueError, match="at least one item"):
        power.mde(0, 0.05)


def test_a_tolerance_that_no_loss_exceeds_takes_one_item() -> None:
    assert power.n_needed(1.0, 0.05) == 1
