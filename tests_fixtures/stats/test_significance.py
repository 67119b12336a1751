"""Tests of significance against values worked by hand, published, or computed by scipy in another way."""

import math

import pytest

from quantgate.stats import significance


def test_mcnemar_without_discordance_is_one() -> None:
    assert significance.mcnemar_p(0, 0) == 1.0


def test_mcnemar_counts_the_tosses_of_a_coin() -> None:
    # 3 regressed, 1 improved: P(X >= 3 of 4) = (4 + 1) / 16.
    assert significance.mcnemar_p(3, 1) == pytest.approx(5 / 16, rel=1e-12)
    assert significance.mcnemar_p(0, 7) == 1.0
    assert significance.mcnemar_p(10, 0) == pytest.approx(1 / 1024, rel=1e-12)


@pytest.mark.parametrize(("regressed", "improved"), [(38, 22), (6, 16), (25, 28), (400, 300), (1, 0)])
def test_mcnemar_agrees_with_the_exact_binomial_test(regressed: int, improved: int) -> None:
    from scipy import stats as scipy_stats

    expected = scipy_stats.binomtest(regressed, regressed + improved, 0.5, alternative="greater").pvalue
    assert significance.mcnemar_p(regressed, improved) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_refuses_negative_counts() -> None:
    with pytest.raises(ValueError, match="counts start at 0"):
        significance.mcnemar_p(-1, 2)


def test_fisher_draws_from_an_urn() -> None:
    # 3 of 4 against 1 of 4: (C(4,0)*C(4,4) + C(4,1)*C(4,3))/C(8,4) = (1 + 16)/70.
    assert significance.fisher_p(3, 4, 1, 4) == pytest.approx(17 / 70, rel=1e-12)
    assert significance.fisher_p(0, 5, 0, 5) == 1.0
    assert significance.fisher_p(5, 5, 0, 5) == pytest.approx(1 / 252, rel=1e-12)


@pytest.mark.parametrize("counts", [(35, 40, 34, 40), (48, 80, 56, 70), (910, 1000, 870, 1000)])
def test_fisher_agrees_with_scipy(counts: tuple[int, int, int, int]) -> None:
    from scipy import stats as scipy_stats

    right_base, n_base, right_cand, n_cand = counts
    table = [[right_base, n_base - right_base], [right_cand, n_cand - right_cand]]
    assert significance.fisher_p(*counts) == pytest.approx(scipy_stats.fisher_exact(table, alternative="greater").pvalue, rel=1e-9)


def test_fisher_refuses_impossible_counts() -> None:
    with pytest.raises(ValueError, match="need 0 <= right <= n"):
        significance.fisher_p(3, 2, 0, 1)


def test_mid_p_counts_half_of_what_was_seen() -> None:
    # 3 regressed, 1 improved: 1/16 + (4/16)/2; 10 and 0: (1/1024)/2.
    assert significance.mcnemar_mid_p(3, 1) == pytest.approx(3 / 16, rel=1e-12)
    assert significance.mcnemar_mid_p(10, 0) == pytest.approx(1 / 2048, rel=1e-12)


def test_mid_p_agrees_with_the_published_example() -> None:
    # Fagerland, Lydersen and Laake 2013, airway reactivity, 7 against 1: exact 0.0703, mid-p 0.0391, both two-sided.
    assert 2 * significance.mcnemar_p(7, 1) == pytest.approx(0.0703, abs=5e-5)
    assert 2 * significance.mcnemar_mid_p(7, 1) == pytest.approx(0.0391, abs=5e-5)


def test_mid_p_without_discordance_speaks_for_neither() -> None:
    assert significance.mcnemar_mid_p(0, 0) == 0.5
    for regressed, improved in ((0, 4), (7, 1), (22, 38), (5, 5)):
        both = significance.mcnemar_mid_p(regressed, improved) + significance.mcnemar_mid_p(improved, regressed)
        assert both == pytest.approx(1.0, rel=1e-12)


def test_holm_multiplies_the_smallest_most() -> None:
    # Sorted 0.005*4, 0.01*3, 0.03*2, 0.04*1 = 0.02, 0.03, 0.06, 0.04; the last may not fall below the one before it.
    assert significance.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02], rel=1e-12)


def test_holm_stops_at_one_and_leaves_a_single_p_alone() -> None:
    assert significance.holm([0.6, 0.5, 1.0]) == [1.0, 1.0, 1.0]
    assert significance.holm([0.0249]) == [0.0249]
    assert significance.holm([]) == []


def test_holm_gives_equal_p_equal_rank() -> None:
    assert significance.holm([0.01, 0.01, 0.01]) == pytest.approx([0.03, 0.03, 0.03], rel=1e-12)


@pytest.mark.parametrize("p", [math.nan, -0.1, 1.1])
def test_holm_refuses_what_is_no_probability(p: float) -> None:
    with pytest.raises(ValueError, match="lies between 0 and 1"):
        significance.holm([0.5, p])
