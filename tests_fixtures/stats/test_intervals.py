"""Intervals against values worked by hand, published, or computed by scipy in another way."""

import functools
import math

import numpy as np
import pytest

from quantgate.stats import intervals

tango_itself = functools.partial(intervals.paired_proportion_interval, correction=0.0)


def test_tango_agrees_with_the_published_example() -> None:
    # Complete response before and after consolidation (Cavo et al. 2012), (59, 6; 16, 80), in Fagerland, Lydersen and
    # Laake, Statistical Analysis of Contingency Tables (2017), chapter 8; R's contingencytables prints -0.1240 to -0.0054.
    assert tango_itself(6, 16, 161) == pytest.approx((-0.1240, -0.0054), abs=5e-5)


def test_tango_agrees_with_another_tool_at_another_confidence() -> None:
    # R, PropCIs::scoreci.mp(25, 28, 618, 0.90), which counts the other way round: -0.0148 to 0.0247.
    assert tango_itself(28, 25, 618, confidence=0.90) == pytest.approx((-0.0148, 0.0247), abs=5e-5)


def test_a_whole_item_of_correction_agrees_with_the_published_example() -> None:
    # Airway reactivity in children (Bentur et al. 2009), (1, 1; 7, 12): R's ratesci prints -0.5613 to 0.0307 for its whole
    # correction, cc = 0.5, and -0.5172 to -0.0260 for none.
    assert intervals.paired_proportion_interval(1, 7, 21, correction=1.0) == pytest.approx((-0.5613, 0.0307), abs=5e-5)
    assert tango_itself(1, 7, 21) == pytest.approx((-0.5172, -0.0260), abs=5e-5)


@pytest.mark.parametrize(("regressed", "improved", "n"), [(0, 0, 1), (1, 0, 1), (3, 3, 6), (19, 1, 20), (38, 22, 1200)])
def test_the_correction_widens_by_no_more_than_itself(regressed: int, improved: int, n: int) -> None:
    (low, high), (inner_low, inner_high) = (
        intervals.paired_proportion_interval(regressed, improved, n),
        tango_itself(regressed, improved, n),
    )
    assert -1 <= low <= inner_low <= inner_high <= high <= 1
    # A quarter of an item, and what the variance grows by on the way: less than as much again.
    assert high - inner_high <= 2 * 0.25 / n
    assert inner_low - low <= 2 * 0.25 / n


@pytest.mark.parametrize(("regressed", "improved", "n"), [(38, 18, 1200), (6, 16, 161), (0, 1, 44), (5, 0, 20)])
def test_tango_limits_solve_the_score_equation_with_a_likelihood_maximized_by_search(regressed: int, improved: int, n: int) -> None:
    from scipy import optimize as scipy_optimize

    for limit, correction in zip(intervals.paired_proportion_interval(regressed, improved, n), (0.25, -0.25), strict=True):

        def against(q: float, d: float = limit) -> float:
            """Minus the log-likelihood of the counts, with shares q + d regressed, q improved and the rest unchanged."""
            shares = ((regressed, q + d), (improved, q), (n - regressed - improved, 1 - 2 * q - d))
            return -sum(count * math.log(max(share, 1e-300)) for count, share in shares if count)

        found = scipy_optimize.minimize_scalar(
            against, bounds=(max(0.0, -limit), (1 - limit) / 2), method="bounded", options={"xatol": 1e-10}
        )
        score = (regressed - improved - n * limit - correction) / math.sqrt(n * (2 * found.x + limit * (1 - limit)))
        assert abs(score) == pytest.approx(1.959964, abs=1e-3)


@pytest.mark.parametrize("n", [1, 20, 245, 100_000])
def test_tango_keeps_its_width_without_discordance(n: int) -> None:
    # T^2 = n*d/(1 - d) = z^2 gives d = z^2/(n + z^2).
    limit = 1.959964**2 / (n + 1.959964**2)
    assert tango_itself(0, 0, n) == pytest.approx((-limit, limit), rel=1e-5)
    # With the correction (n*d - 1/4)^2 = z^2*n*d*(1 - d), a quadratic equation.
    a, b = n**2 + 1.959964**2 * n, (0.5 + 1.959964**2) * n
    limit = (b + math.sqrt(b**2 - a / 4)) / (2 * a)
    assert intervals.paired_proportion_interval(0, 0, n) == pytest.approx((-limit, limit), rel=1e-5)


@pytest.mark.parametrize("n", [1, 20, 500])
def test_tango_stops_at_the_edge_when_every_item_regressed(n: int) -> None:
    # q = (1 - d)/2, so T^2 = n*(1 - d)/(1 + d) = z^2 gives d = (n - z^2)/(n + z^2).
    assert intervals.paired_proportion_interval(n, 0, n)[1] == 1.0
    low, high = tango_itself(n, 0, n)
    assert high == 1.0
    assert low == pytest.approx((n - 1.959964**2) / (n + 1.959964**2), abs=1e-6)


@pytest.mark.parametrize(("regressed", "improved", "n"), [(38, 22, 1200), (0, 1, 44), (7, 1, 21), (20, 0, 20), (3, 3, 6)])
def test_tango_mirrors_when_the_checkpoints_change_places(regressed: int, improved: int, n: int) -> None:
    low, high = intervals.paired_proportion_interval(regressed, improved, n)
    assert intervals.paired_proportion_interval(improved, regressed, n) == (-high, -low)
    assert -1 <= low <= (regressed - improved) / n <= high <= 1


def test_tango_approaches_wald_with_many_items() -> None:
    regressed, improved, n = 3000, 2000, 100_000
    half = 1.959964 * math.sqrt(regressed + improved - (regressed - improved) ** 2 / n) / n
    assert tango_itself(regressed, improved, n) == pytest.approx((0.01 - half, 0.01 + half), abs=1e-5)


@pytest.mark.parametrize(("regressed", "improved", "n"), [(0, 0, 0), (-1, 0, 5), (3, 3, 5)])
def test_tango_refuses_impossible_counts(regressed: int, improved: int, n: int) -> None:
    with pytest.raises(ValueError, match="need 0 <= regressed"):
        intervals.paired_proportion_interval(regressed, improved, n)


def test_newcombe_agrees_with_the_published_examples() -> None:
    # Newcombe 1998, Statistics in Medicine 17:873, table II, method 10.
    assert intervals.unpaired_proportion_interval(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert intervals.unpaired_proportion_interval(9, 10, 3, 10) == pytest.approx((0.1705, 0.8090), abs=5e-5)
    assert intervals.unpaired_proportion_interval(6, 7, 2, 7) == pytest.approx((0.0582, 0.8062), abs=5e-5)
    assert intervals.unpaired_proportion_interval(5, 56, 0, 29) == pytest.approx((-0.0381, 0.1926), abs=5e-5)
    assert intervals.unpaired_proportion_interval(0, 10, 0, 20) == pytest.approx((-0.1611, 0.2775), abs=5e-5)
    assert intervals.unpaired_proportion_interval(10, 10, 0, 20) == pytest.approx((0.6791, 1.0), abs=5e-5)


def test_newcombe_mirrors_when_the_checkpoints_change_places() -> None:
    low, high = intervals.unpaired_proportion_interval(56, 70, 48, 80)
    assert intervals.unpaired_proportion_interval(48, 80, 56, 70) == pytest.approx((-high, -low), abs=1e-15)


def test_newcombe_refuses_impossible_counts() -> None:
    for counts in ((3, 2, 0, 1), (0, 0, 0, 1), (1, 2, -1, 2)):
        with pytest.raises(ValueError, match="need 0 <= right <= n"):
            intervals.unpaired_proportion_interval(*counts)


def test_mean_interval_is_students() -> None:
    # mean 3, s^2 = 2.5, se = sqrt(0.5), t(0.975; 4) = 2.776445 (any table).
    estimate = intervals.mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.776445 * math.sqrt(0.5)
    assert estimate.interval == pytest.approx((3 - half, 3 + half), rel=1e-6)
    assert (estimate.value, estimate.n) == (3.0, 5)


def test_mean_interval_tests_against_the_null_it_is_given() -> None:
    from scipy import stats as scipy_stats

    values = [0.10, -0.02, 0.06, 0.03]
    for null in (0.0, 0.05):
        expected = scipy_stats.ttest_1samp(values, null, alternative="greater").pvalue
        assert intervals.mean_interval(values, null=null).p_value == pytest.approx(expected, rel=1e-9)


def test_mean_interval_of_one_value_is_without_end() -> None:
    assert intervals.mean_interval([0.3]) == intervals.Estimate(0.3, (-math.inf, math.inf), 1.0, 1)


def test_mean_interval_of_equal_values_is_a_point() -> None:
    assert intervals.mean_interval([0.25, 0.25]) == intervals.Estimate(0.25, (0.25, 0.25), 0.0, 2)
    assert intervals.mean_interval([0.0, 0.0]).p_value == 1.0


def test_a_mean_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        intervals.mean_interval([])


def test_clusters_count_as_often_as_there_are_clusters() -> None:
    # Mean 0.5; residuals +-0.5 sum to 1, 0, -1 over the clusters: se^2 = 3/2*(1 + 0 + 1)/36 = 1/12, t(0.975; 2) = 4.302653.
    estimate = intervals.clustered_interval([1, 1, 1, 0, 0, 0], ["a", "a", "b", "b", "c", "c"])
    half = 4.302653 / math.sqrt(12)
    assert estimate.interval == pytest.approx((0.5 - half, 0.5 + half), rel=1e-6)
    assert (estimate.value, estimate.n) == (0.5, 6)
    # t = 0.5*sqrt(12) = sqrt(3), and with 2 degrees of freedom P(T > t) = 1/2 - t/(2*sqrt(2 + t^2)).
    assert estimate.p_value == pytest.approx(0.5 - math.sqrt(3) / (2 * math.sqrt(5)), rel=1e-9)


def test_clusters_of_unequal_size_agree_with_a_regression_on_a_constant() -> None:
    from scipy import stats as scipy_stats

    # The sandwich (X'X)^-1 X'uu'X (X'X)^-1 * G/(G - 1), X a column of ones, with the clusters as blocks of a matrix.
    differences = np.array([0.2, -0.1, 0.4, 0.0, 0.3, -0.5, 0.1])
    clusters = [("talk", 1), ("talk", 2), ("talk", 1), ("talk", 3), ("talk", 1), ("talk", 2), ("talk", 3)]
    same = np.array([[one == other for other in clusters] for one in clusters])
    residual = differences - differences.mean()
    standard_error = math.sqrt(3 / 2 * float(residual @ same @ residual)) / 7
    estimate = intervals.clustered_interval(differences.tolist(), clusters, null=0.05)
    assert (estimate.interval[1] - estimate.interval[0]) / 2 == pytest.approx(4.302653 * standard_error, rel=1e-6)
    assert estimate.p_value == pytest.approx(scipy_stats.t.sf((differences.mean() - 0.05) / standard_error, 2), rel=1e-9)


def test_clusters_of_one_are_students_to_the_last_bit() -> None:
    differences = [0.1, -0.25, 0.3, 0.0, 1.0, -1.0, 0.7]
    for null in (0.0, 0.02):
        assert intervals.clustered_interval(differences, list("abcdefg"), null=null) == intervals.mean_interval(differences, null=null)


def test_copies_of_an_item_add_nothing() -> None:
    once = intervals.mean_interval([0.1, -0.2, 0.4])
    copied = intervals.clustered_interval([0.1, -0.2, 0.4] * 5, [1, 2, 3] * 5)
    assert copied.interval == pytest.approx(once.interval, rel=1e-12)
    assert copied.p_value == pytest.approx(once.p_value, rel=1e-9)


def test_one_cluster_is_without_end() -> None:
    assert intervals.clustered_interval([0.5, 0.25], ["a", "a"]) == intervals.Estimate(0.375, (-math.inf, math.inf), 1.0, 2)


def test_every_difference_needs_its_cluster() -> None:
    with pytest.raises(ValueError, match="2 differences, 1 clusters"):
        intervals.clustered_interval([0.5, 0.25], ["a"])
    with pytest.raises(ValueError, match="at least one"):
        intervals.clustered_interval([], [])


def test_a_weighted_mean_weighs_by_the_counts() -> None:
    # (0.5*128 + 0.25*150 + 1.0*22)/300 = 123.5/300.
    assert intervals.weighted_mean([0.5, 0.25, 1.0], [128, 150, 22]) == pytest.approx(123.5 / 300, rel=1e-15)


@pytest.mark.parametrize(("means", "counts"), [([], []), ([1.0], [1, 2]), ([1.0, 2.0], [1, 0])])
def test_a_mean_without_its_count_is_refused(means: list[float], counts: list[int]) -> None:
    with pytest.raises(ValueError, match="each mean needs a count of at least 1"):
        intervals.weighted_mean(means, counts)


@pytest.mark.parametrize(
    ("nll_per_token", "perplexity", "relative_score"),
    [
        ((0.523002, 0.379167), 1.481134, 100.00),
        ((0.536032, 0.385449), 1.491422, 99.31),
        ((0.553353, 0.392791), 1.503834, 98.49),
        ((0.534650, 0.395124), 1.504343, 98.46),
    ],
)
def test_several_corpora_weigh_by_their_tokens(nll_per_token: tuple[float, float], perplexity: float, relative_score: float) -> None:
    # Published hand-run figures: Qwen3-14B in BF16 and three NVFP4 checkpoints on WikiText-2 (23,922 tokens) and UltraChat (228,323).
    overall = math.exp(intervals.weighted_mean(nll_per_token, (23_922, 228_323)))
    assert overall == pytest.approx(perplexity, abs=1e-6)
    assert 100 * 1.481134 / overall == pytest.approx(relative_score, abs=5e-3)


def test_a_score_over_categories_weighs_by_their_questions() -> None:
    # Published hand-run figures: LiveBench, 1,000 questions, overall means of BF16, FP8 and NVFP4 and scores relative to BF16.
    questions = {"coding": 128, "data_analysis": 150, "instruction_following": 200, "language": 140, "math": 232, "reasoning": 150}
    assert sum(questions.values()) == 1000
    assert [round(100 * mean / 0.278556, 2) for mean in (0.268326, 0.279269)] == [96.33, 100.26]
    # 1 in coding and 0 elsewhere.
    assert intervals.weighted_mean([float(name == "coding") for name in questions], list(questions.values())) == pytest.approx(
        0.128, rel=1e-15
    )


def test_welch_agrees_with_scipy() -> None:
    from scipy import stats as scipy_stats

    baseline, candidate = [4.61, 4.58, 4.63, 4.60, 4.57], [4.52, 4.61, 4.49]
    other = scipy_stats.ttest_ind(baseline, candidate, equal_var=False, alternative="greater")
    interval = scipy_stats.ttest_ind(baseline, candidate, equal_var=False).confidence_interval(0.95)
    estimate = intervals.welch_interval(baseline, candidate)
    assert estimate.interval == pytest.approx((interval.low, interval.high), rel=1e-9)
    assert estimate.p_value == pytest.approx(other.pvalue, rel=1e-9)
    assert estimate.n == 3


def test_welch_of_a_single_round_is_without_end() -> None:
    assert intervals.welch_interval([4.6, 4.5], [4.4]).interval == (-math.inf, math.inf)


def test_welch_of_equal_rounds_is_a_point() -> None:
    assert intervals.welch_interval([1.0, 1.0], [0.5, 0.5]) == intervals.Estimate(0.5, (0.5, 0.5), 0.0, 2)
