"""The mathematics against values worked by hand, published, or computed by scipy in another way."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import optimize as scipy_optimize
from scipy import stats as scipy_stats

from fixtures import stats


def test_mcnemar_without_discordance_is_one() -> None:
    assert stats.mcnemar_p(0, 0) == 1.0


def test_mcnemar_counts_the_tosses_of_a_coin() -> None:
    # 3 regressed, 1 improved: P(X >= 3 of 4) = (4 + 1) / 16.
    assert stats.mcnemar_p(3, 1) == pytest.approx(5 / 16, rel=1e-12)
    assert stats.mcnemar_p(0, 7) == 1.0
    assert stats.mcnemar_p(10, 0) == pytest.approx(1 / 1024, rel=1e-12)


@pytest.mark.parametrize(("regressed", "improved"), [(38, 22), (6, 16), (25, 28), (400, 300), (1, 0)])
def test_mcnemar_agrees_with_the_exact_binomial_test(regressed: int, improved: int) -> None:
    expected = scipy_stats.binomtest(regressed, regressed + improved, 0.5, alternative="greater").pvalue
    assert stats.mcnemar_p(regressed, improved) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_refuses_negative_counts() -> None:
    with pytest.raises(ValueError, match="counts start at 0"):
        stats.mcnemar_p(-1, 2)


def test_tango_agrees_with_the_published_example() -> None:
    # Complete response before and after consolidation (Cavo et al. 2012), (59, 6; 16, 80), in Fagerland, Lydersen and
    # Laake, Statistical Analysis of Contingency Tables (2017), chapter 8; R's contingencytables prints -0.1240 to -0.0054.
    assert stats.paired_proportion_interval(6, 16, 161) == pytest.approx((-0.1240, -0.0054), abs=5e-5)


def test_tango_agrees_with_another_tool_at_another_confidence() -> None:
    # R, PropCIs::scoreci.mp(25, 28, 618, 0.90), which counts the other way round: -0.0148 to 0.0247.
    assert stats.paired_proportion_interval(28, 25, 618, confidence=0.90) == pytest.approx((-0.0148, 0.0247), abs=5e-5)


@pytest.mark.parametrize(("regressed", "improved", "n"), [(38, 18, 1200), (6, 16, 161), (0, 1, 44), (5, 0, 20)])
def test_tango_limits_solve_the_score_equation_with_a_likelihood_maximized_by_search(regressed: int, improved: int, n: int) -> None:
    for limit in stats.paired_proportion_interval(regressed, improved, n):

        def against(q: float, d: float = limit) -> float:
            """Minus the log-likelihood of the counts, with shares q + d regressed, q improved and the rest unchanged."""
            shares = ((regressed, q + d), (improved, q), (n - regressed - improved, 1 - 2 * q - d))
            return -sum(count * math.log(max(share, 1e-300)) for count, share in shares if count)

        found = scipy_optimize.minimize_scalar(
            against, bounds=(max(0.0, -limit), (1 - limit) / 2), method="bounded", options={"xatol": 1e-10}
        )
        score = (regressed - improved - n * limit) / math.sqrt(n * (2 * found.x + limit * (1 - limit)))
        assert abs(score) == pytest.approx(1.959964, abs=1e-3)


@pytest.mark.parametrize("n", [1, 20, 245, 100_000])
def test_tango_keeps_its_width_without_discordance(n: int) -> None:
    # T^2 = n*d/(1 - d) = z^2 gives d = z^2/(n + z^2).
    limit = 1.959964**2 / (n + 1.959964**2)
    assert stats.paired_proportion_interval(0, 0, n) == pytest.approx((-limit, limit), rel=1e-5)


@pytest.mark.parametrize("n", [1, 20, 500])
def test_tango_stops_at_the_edge_when_every_item_regressed(n: int) -> None:
    # q = (1 - d)/2, so T^2 = n*(1 - d)/(1 + d) = z^2 gives d = (n - z^2)/(n + z^2).
    low, high = stats.paired_proportion_interval(n, 0, n)
    assert high == 1.0
    assert low == pytest.approx((n - 1.959964**2) / (n + 1.959964**2), abs=1e-6)


@pytest.mark.parametrize(("regressed", "improved", "n"), [(38, 22, 1200), (0, 1, 44), (7, 1, 21), (20, 0, 20), (3, 3, 6)])
def test_tango_mirrors_when_the_checkpoints_change_places(regressed: int, improved: int, n: int) -> None:
    low, high = stats.paired_proportion_interval(regressed, improved, n)
    assert stats.paired_proportion_interval(improved, regressed, n) == (-high, -low)
    assert -1 <= low <= (regressed - improved) / n <= high <= 1


def test_tango_approaches_wald_with_many_items() -> None:
    regressed, improved, n = 3000, 2000, 100_000
    half = 1.959964 * math.sqrt(regressed + improved - (regressed - improved) ** 2 / n) / n
    assert stats.paired_proportion_interval(regressed, improved, n) == pytest.approx((0.01 - half, 0.01 + half), abs=1e-5)


@pytest.mark.parametrize(("regressed", "improved", "n"), [(0, 0, 0), (-1, 0, 5), (3, 3, 5)])
def test_tango_refuses_impossible_counts(regressed: int, improved: int, n: int) -> None:
    with pytest.raises(ValueError, match="need 0 <= regressed"):
        stats.paired_proportion_interval(regressed, improved, n)


@pytest.mark.parametrize(("p_regressed", "p_improved", "n"), [(0.05, 0.02, 245), (0.02, 0.02, 245), (0.10, 0.01, 100)])
def test_tango_covers_the_truth_as_often_as_it_says(p_regressed: float, p_improved: float, n: int) -> None:
    draws = np.random.default_rng(7).multinomial(n, [p_regressed, p_improved, 1 - p_regressed - p_improved], size=20_000)
    counts, times = np.unique(draws[:, :2], axis=0, return_counts=True)
    covered = 0
    for (regressed, improved), often in zip(counts.tolist(), times.tolist(), strict=True):
        low, high = stats.paired_proportion_interval(regressed, improved, n)
        covered += often * (low <= p_regressed - p_improved <= high)
    assert covered / 20_000 == pytest.approx(0.95, abs=0.012)


def _documents(n: int, loss: float = 0.03, seed: int = 3) -> tuple[list[float], list[float], list[int]]:
    generator = np.random.default_rng(seed)
    tokens = generator.integers(50, 500, n)
    baseline = 2.0 * tokens + generator.normal(0, 20, n)
    candidate = baseline + loss * tokens + generator.normal(0, 1, n) * 0.2 * np.sqrt(tokens)
    return baseline.tolist(), candidate.tolist(), tokens.tolist()


def test_bootstrap_weighs_each_token_the_same() -> None:
    # (2 + 1) / (10 + 90), although the documents by themselves lost 0.2 and 0.011 per token.
    assert stats.bootstrap_log_ratio([20.0, 180.0], [22.0, 181.0], [10, 90]).value == pytest.approx(0.03, rel=1e-12)


def test_bootstrap_of_equal_inputs_is_nothing_at_all() -> None:
    baseline, _, tokens = _documents(8)
    assert stats.bootstrap_log_ratio(baseline, baseline, tokens) == stats.Estimate(0.0, (0.0, 0.0), 1.0, 8)


def test_bootstrap_of_the_same_loss_in_every_token_is_a_point() -> None:
    estimate = stats.bootstrap_log_ratio([10.0, 20.0, 40.0], [11.0, 22.0, 44.0], [5, 10, 20], replicates=999)
    assert estimate.interval == (estimate.value, estimate.value) == pytest.approx((0.2, 0.2), rel=1e-12)
    assert estimate.p_value == 1 / 1000


def test_bootstrap_agrees_with_scipy_where_documents_are_many() -> None:
    baseline, candidate, tokens = _documents(300)
    estimate = stats.bootstrap_log_ratio(baseline, candidate, tokens)

    def ratio(difference: np.ndarray, weight: np.ndarray, axis: int = -1) -> np.ndarray:
        quotient: np.ndarray = difference.sum(axis=axis) / weight.sum(axis=axis)
        return quotient

    columns = (np.subtract(candidate, baseline), np.asarray(tokens, dtype=float))
    other = scipy_stats.bootstrap(columns, ratio, paired=True, vectorized=True, n_resamples=3000, method="BCa", batch=500, rng=1)
    width = other.confidence_interval.high - other.confidence_interval.low
    assert estimate.interval == pytest.approx((other.confidence_interval.low, other.confidence_interval.high), abs=0.06 * width)


def test_bootstrap_mirrors_when_the_checkpoints_change_places() -> None:
    baseline, candidate, tokens = _documents(20)
    forth, back = stats.bootstrap_log_ratio(baseline, candidate, tokens), stats.bootstrap_log_ratio(candidate, baseline, tokens)
    assert (-back.interval[1], -back.interval[0]) == pytest.approx(forth.interval, abs=1e-12)
    assert forth.p_value < 0.01
    assert back.p_value > 0.99


def test_bootstrap_is_the_same_every_time() -> None:
    assert stats.bootstrap_log_ratio(*_documents(12)) == stats.bootstrap_log_ratio(*_documents(12))


def test_bootstrap_p_and_interval_tell_the_same_story() -> None:
    for seed in range(30):
        estimate = stats.bootstrap_log_ratio(*_documents(10, loss=0.008, seed=seed), replicates=1999)
        assert (estimate.interval[0] > 0) == (estimate.p_value <= 0.025), seed


@pytest.mark.parametrize("n", [1, 2, 3])
def test_bootstrap_of_very_few_documents_has_no_end(n: int) -> None:
    low, high = stats.bootstrap_log_ratio(*_documents(n)).interval
    assert math.isinf(low) or math.isinf(high)


def test_bootstrap_of_few_documents_covers_near_to_its_name() -> None:
    # 8 documents, 600 samples: the percentile interval covers 85 % here.
    covered = 0
    for seed in range(600):
        low, high = stats.bootstrap_log_ratio(*_documents(8, seed=seed), replicates=799).interval
        covered += low <= 0.03 <= high
    assert 0.92 <= covered / 600 <= 0.98


def test_bootstrap_refuses_columns_that_do_not_match() -> None:
    with pytest.raises(ValueError, match="three columns of one length"):
        stats.bootstrap_log_ratio([1.0, 2.0], [1.0], [3, 4])
    with pytest.raises(ValueError, match="three columns of one length"):
        stats.bootstrap_log_ratio([1.0], [1.0], [0])


def test_mean_interval_is_students() -> None:
    # mean 3, s^2 = 2.5, se = sqrt(0.5), t(0.975; 4) = 2.776445 (any table).
    estimate = stats.mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.776445 * math.sqrt(0.5)
    assert estimate.interval == pytest.approx((3 - half, 3 + half), rel=1e-6)
    assert (estimate.value, estimate.n) == (3.0, 5)


def test_mean_interval_tests_against_the_null_it_is_given() -> None:
    values = [0.10, -0.02, 0.06, 0.03]
    for null in (0.0, 0.05):
        expected = scipy_stats.ttest_1samp(values, null, alternative="greater").pvalue
        assert stats.mean_interval(values, null=null).p_value == pytest.approx(expected, rel=1e-9)


def test_mean_interval_of_one_value_is_without_end() -> None:
    assert stats.mean_interval([0.3]) == stats.Estimate(0.3, (-math.inf, math.inf), 1.0, 1)


def test_mean_interval_of_equal_values_is_a_point() -> None:
    assert stats.mean_interval([0.25, 0.25]) == stats.Estimate(0.25, (0.25, 0.25), 0.0, 2)
    assert stats.mean_interval([0.0, 0.0]).p_value == 1.0


def test_a_mean_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        stats.mean_interval([])


def test_welch_agrees_with_scipy() -> None:
    baseline, candidate = [4.61, 4.58, 4.63, 4.60, 4.57], [4.52, 4.61, 4.49]
    other = scipy_stats.ttest_ind(baseline, candidate, equal_var=False, alternative="greater")
    interval = scipy_stats.ttest_ind(baseline, candidate, equal_var=False).confidence_interval(0.95)
    estimate = stats.welch_interval(baseline, candidate)
    assert estimate.interval == pytest.approx((interval.low, interval.high), rel=1e-9)
    assert estimate.p_value == pytest.approx(other.pvalue, rel=1e-9)
    assert estimate.n == 3


def test_welch_of_a_single_round_is_without_end() -> None:
    assert stats.welch_interval([4.6, 4.5], [4.4]).interval == (-math.inf, math.inf)


def test_welch_of_equal_rounds_is_a_point() -> None:
    assert stats.welch_interval([1.0, 1.0], [0.5, 0.5]) == stats.Estimate(0.5, (0.5, 0.5), 0.0, 2)


@pytest.mark.parametrize(("tolerance", "items"), [(0.02, 981), (0.04, 245)])
def test_the_items_needed_are_those_of_the_design(tolerance: float, items: int) -> None:
    assert stats.n_needed(tolerance, 0.05) == items
    assert stats.mde(items, 0.05) == pytest.approx(tolerance, rel=1e-3)


def test_the_factor_of_power_is_2_80() -> None:
    assert pytest.approx(2.80, abs=0.005) == stats.Z_POWER
    assert stats.mde(1200, 0.05) == pytest.approx(2.80 * math.sqrt(0.05 / 1200), rel=1e-3)


def test_an_unharmed_checkpoint_passes_the_mde_with_80_per_cent() -> None:
    n, discordance = 981, 0.05
    draws = np.random.default_rng(5).multinomial(n, [discordance / 2, discordance / 2, 1 - discordance], size=4000)
    passed = sum(stats.paired_proportion_interval(int(b), int(c), n)[1] < stats.mde(n, discordance) for b, c, _ in draws)
    assert passed / 4000 == pytest.approx(0.80, abs=0.03)


def test_power_from_an_interval_scales_with_the_root_of_n() -> None:
    # Half-width 0.0196 is a standard error of 0.01, so mde = 0.028; half that tolerance takes four times the rounds.
    assert stats.mde_from_interval((-0.0096, 0.0296)) == pytest.approx(0.028, rel=1e-3)
    assert stats.n_needed_from_interval(0.028016, (-0.0096, 0.0296), 10) == 10
    assert stats.n_needed_from_interval(0.014008, (-0.0096, 0.0296), 10) == 40
    assert stats.n_needed_from_interval(1.0, (0.0, 0.0), 10) == 2


def test_more_items_detect_smaller_losses() -> None:
    assert all(more < fewer for fewer, more in pairwise(stats.mde(n, 0.05) for n in (10, 100, 1000)))


def test_power_without_tolerance_or_items_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        stats.n_needed(0.0, 0.05)
    with pytest.raises(ValueError, match="above 0"):
        stats.n_needed_from_interval(math.nan, (0.0, 1.0), 5)
    with pytest.raises(ValueError, match="at least one item"):
        stats.mde(0, 0.05)
