"""Every outcome of pairs of answers: its probability, its score, and what it gets."""

from itertools import product

import numpy as np
import pytest

from quantgate import stats
from quantgate.stats import enumeration


def test_a_table_has_the_probability_of_its_multinomial() -> None:
    # n = 2, 0.3 regress and 0.2 improve: 2*0.3*0.2, 0.3^2 and 0.5^2.
    _, _, probability = stats.paired_tables(2, discordance=0.5, drop=0.1)
    assert (probability[1, 1], probability[2, 0], probability[0, 0]) == pytest.approx((0.12, 0.09, 0.25), rel=1e-12)


@pytest.mark.parametrize(
    ("n", "discordance", "drop"), [(1, 0.5, 0.0), (40, 0.01, 0.01), (1319, 0.10, -0.02), (1319, 0.02, 0.12), (50, 0.0, 0.0)]
)
def test_next_to_nothing_is_left_out(n: int, discordance: float, drop: float) -> None:
    regressed, improved, probability = stats.paired_tables(n, discordance, drop)
    assert probability.sum() == pytest.approx(1.0, abs=1e-10)
    assert (probability * (regressed - improved)).sum() / n == pytest.approx(drop, abs=1e-10)
    assert (probability * (regressed + improved)).sum() / n == pytest.approx(max(discordance, abs(drop)), abs=1e-10)


def test_the_score_agrees_with_the_interval() -> None:
    drops = (-0.6, -0.31, -0.05, 0.0, 0.013, 0.04, 0.22, 0.51, 0.93)
    for n in (1, 2, 7, 20):
        for regressed, improved in ((b, c) for b in range(n + 1) for c in range(n + 1 - b)):
            low, high = stats.paired_proportion_interval(regressed, improved, n)
            for drop in drops:
                score = stats.paired_score(np.array([regressed]), np.array([improved]), n, drop)[0]
                assert (abs(score) <= stats.Z_INTERVAL) == (low <= drop <= high), (regressed, improved, n, drop)
                assert (score < -stats.Z_INTERVAL) == (high < drop), (regressed, improved, n, drop)


@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_a_fail_is_proven_where_the_whole_interval_reaches_the_tolerance(confidence: float) -> None:
    n, tolerance, seen = 60, 0.1, set()
    for regressed, improved in ((b, c) for b in range(n + 1) for c in range(0, n + 1 - b, 3)):
        low, high = stats.paired_proportion_interval(regressed, improved, n, confidence)
        counts = np.array([regressed]), np.array([improved]), n, tolerance
        passes, fails = stats.decide_counts(*counts, confidence=confidence)
        _, proven = stats.decide_counts(*counts, proven=True, confidence=confidence)
        assert passes == (high < tolerance)
        assert proven == (fails and low >= tolerance)
        seen.add((bool(passes), bool(fails), bool(proven)))
    assert seen == {(True, False, False), (False, False, False), (False, True, False), (False, True, True)}


@pytest.mark.parametrize("tolerance", [0.01, 0.02, 0.04, 0.3])
def test_the_chance_of_a_pass_is_the_sum_over_the_table(tolerance: float) -> None:
    for n, discordance in product((1, 2, 50, 213, 981), (0.0, 0.002, 0.05, 0.4, 1.0)):
        regressed, improved, probability = stats.paired_tables(n, discordance, 0.0)
        passes, _ = stats.decide_counts(regressed, improved, n, tolerance)
        chance = enumeration.pass_chances([n], discordance, tolerance)
        assert chance == pytest.approx([probability[passes].sum()], abs=1e-11), (n, discordance)


def test_several_n_at_once_are_each_as_if_alone() -> None:
    sizes = (40, 300, 310, 2000)
    alone = [enumeration.pass_chances([n], 0.05, 0.04)[0] for n in sizes]
    assert enumeration.pass_chances(sizes, 0.05, 0.04) == pytest.approx(alone, abs=1e-11)


@pytest.mark.parametrize("shares", [(0, 0.05, 0.0), (10, 1.5, 0.0), (10, 0.05, 1.0), (10, 0.05, float("nan"))])
def test_impossible_shares_are_refused(shares: tuple[int, float, float]) -> None:
    with pytest.raises(ValueError, match="need n >= 1"):
        stats.paired_tables(*shares)


@pytest.mark.parametrize(("tolerance", "suites"), [(0.0, 1), (1.0, 1), (0.04, 0)])
def test_an_impossible_rule_is_refused(tolerance: float, suites: int) -> None:
    with pytest.raises(ValueError, match="at least one suite"):
        stats.decide_counts(np.array([1]), np.array([1]), 40, tolerance, suites)
