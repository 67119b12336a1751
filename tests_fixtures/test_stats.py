"""The mathematics against values worked by hand, published, or computed by scipy in another way."""

import functools
import math
from itertools import pairwise

import numpy as np
import pytest

from fixtures import stats
from fixtures.bootstrap import bootstrap_log_ratio

tango_itself = functools.partial(stats.paired_proportion_interval, correction=0.0)


def test_mcnemar_without_discordance_is_one() -> None:
    assert stats.mcnemar_p(0, 0) == 1.0


def test_mcnemar_counts_the_tosses_of_a_coin() -> None:
    # 3 regressed, 1 improved: P(X >= 3 of 4) = (4 + 1) / 16.
    assert stats.mcnemar_p(3, 1) == pytest.approx(5 / 16, rel=1e-12)
    assert stats.mcnemar_p(0, 7) == 1.0
    assert stats.mcnemar_p(10, 0) == pytest.approx(1 / 1024, rel=1e-12)


@pytest.mark.parametrize(("regressed", "improved"), [(38, 22), (6, 16), (25, 28), (400, 300), (1, 0)])
def test_mcnemar_agrees_with_the_exact_binomial_test(regressed: int, improved: int) -> None:
    from scipy import stats as scipy_stats

    expected = scipy_stats.binomtest(regressed, regressed + improved, 0.5, alternative="greater").pvalue
    assert stats.mcnemar_p(regressed, improved) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_refuses_negative_counts() -> None:
    with pytest.raises(ValueError, match="counts start at 0"):
        stats.mcnemar_p(-1, 2)


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
    assert stats.paired_proportion_interval(1, 7, 21, correction=1.0) == pytest.approx((-0.5613, 0.0307), abs=5e-5)
    assert tango_itself(1, 7, 21) == pytest.approx((-0.5172, -0.0260), abs=5e-5)


@pytest.mark.parametrize(("regressed", "improved", "n"), [(0, 0, 1), (1, 0, 1), (3, 3, 6), (19, 1, 20), (38, 22, 1200)])
def test_the_correction_widens_by_no_more_than_itself(regressed: int, improved: int, n: int) -> None:
    (low, high), (inner_low, inner_high) = stats.paired_proportion_interval(regressed, improved, n), tango_itself(regressed, improved, n)
    assert -1 <= low <= inner_low <= inner_high <= high <= 1
    # A quarter of an item, and what the variance grows by on the way: less than as much again.
    assert high - inner_high <= 2 * 0.25 / n
    assert inner_low - low <= 2 * 0.25 / n


@pytest.mark.parametrize(("regressed", "improved", "n"), [(38, 18, 1200), (6, 16, 161), (0, 1, 44), (5, 0, 20)])
def test_tango_limits_solve_the_score_equation_with_a_likelihood_maximized_by_search(regressed: int, improved: int, n: int) -> None:
    from scipy import optimize as scipy_optimize

    for limit, correction in zip(stats.paired_proportion_interval(regressed, improved, n), (0.25, -0.25), strict=True):

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
    assert stats.paired_proportion_interval(0, 0, n) == pytest.approx((-limit, limit), rel=1e-5)


@pytest.mark.parametrize("n", [1, 20, 500])
def test_tango_stops_at_the_edge_when_every_item_regressed(n: int) -> None:
    # q = (1 - d)/2, so T^2 = n*(1 - d)/(1 + d) = z^2 gives d = (n - z^2)/(n + z^2).
    assert stats.paired_proportion_interval(n, 0, n)[1] == 1.0
    low, high = tango_itself(n, 0, n)
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
    assert tango_itself(regressed, improved, n) == pytest.approx((0.01 - half, 0.01 + half), abs=1e-5)


@pytest.mark.parametrize(("regressed", "improved", "n"), [(0, 0, 0), (-1, 0, 5), (3, 3, 5)])
def test_tango_refuses_impossible_counts(regressed: int, improved: int, n: int) -> None:
    with pytest.raises(ValueError, match="need 0 <= regressed"):
        stats.paired_proportion_interval(regressed, improved, n)


def test_newcombe_agrees_with_the_published_examples() -> None:
    # Newcombe 1998, Statistics in Medicine 17:873, table II, method 10.
    assert stats.unpaired_proportion_interval(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert stats.unpaired_proportion_interval(9, 10, 3, 10) == pytest.approx((0.1705, 0.8090), abs=5e-5)
    assert stats.unpaired_proportion_interval(6, 7, 2, 7) == pytest.approx((0.0582, 0.8062), abs=5e-5)
    assert stats.unpaired_proportion_interval(5, 56, 0, 29) == pytest.approx((-0.0381, 0.1926), abs=5e-5)
    assert stats.unpaired_proportion_interval(0, 10, 0, 20) == pytest.approx((-0.1611, 0.2775), abs=5e-5)
    assert stats.unpaired_proportion_interval(10, 10, 0, 20) == pytest.approx((0.6791, 1.0), abs=5e-5)


def test_newcombe_mirrors_when_the_checkpoints_change_places() -> None:
    low, high = stats.unpaired_proportion_interval(56, 70, 48, 80)
    assert stats.unpaired_proportion_interval(48, 80, 56, 70) == pytest.approx((-high, -low), abs=1e-15)


def test_newcombe_refuses_impossible_counts() -> None:
    for counts in ((3, 2, 0, 1), (0, 0, 0, 1), (1, 2, -1, 2)):
        with pytest.raises(ValueError, match="need 0 <= right <= n"):
            stats.unpaired_proportion_interval(*counts)


def test_fisher_draws_from_an_urn() -> None:
    # 3 of 4 against 1 of 4: (C(4,0)*C(4,4) + C(4,1)*C(4,3))/C(8,4) = (1 + 16)/70.
    assert stats.fisher_p(3, 4, 1, 4) == pytest.approx(17 / 70, rel=1e-12)
    assert stats.fisher_p(0, 5, 0, 5) == 1.0
    assert stats.fisher_p(5, 5, 0, 5) == pytest.approx(1 / 252, rel=1e-12)


@pytest.mark.parametrize("counts", [(35, 40, 34, 40), (48, 80, 56, 70), (910, 1000, 870, 1000)])
def test_fisher_agrees_with_scipy(counts: tuple[int, int, int, int]) -> None:
    from scipy import stats as scipy_stats

    right_base, n_base, right_cand, n_cand = counts
    table = [[right_base, n_base - right_base], [right_cand, n_cand - right_cand]]
    assert stats.fisher_p(*counts) == pytest.approx(scipy_stats.fisher_exact(table, alternative="greater").pvalue, rel=1e-9)


def test_fisher_refuses_impossible_counts() -> None:
    with pytest.raises(ValueError, match="need 0 <= right <= n"):
        stats.fisher_p(3, 2, 0, 1)


def test_mid_p_counts_half_of_what_was_seen() -> None:
    # 3 regressed, 1 improved: 1/16 + (4/16)/2; 10 and 0: (1/1024)/2.
    assert stats.mcnemar_mid_p(3, 1) == pytest.approx(3 / 16, rel=1e-12)
    assert stats.mcnemar_mid_p(10, 0) == pytest.approx(1 / 2048, rel=1e-12)


def test_mid_p_agrees_with_the_published_example() -> None:
    # Fagerland, Lydersen and Laake 2013, airway reactivity, 7 against 1: exact 0.0703, mid-p 0.0391, both two-sided.
    assert 2 * stats.mcnemar_p(7, 1) == pytest.approx(0.0703, abs=5e-5)
    assert 2 * stats.mcnemar_mid_p(7, 1) == pytest.approx(0.0391, abs=5e-5)


def test_mid_p_without_discordance_speaks_for_neither() -> None:
    assert stats.mcnemar_mid_p(0, 0) == 0.5
    for regressed, improved in ((0, 4), (7, 1), (22, 38), (5, 5)):
        both = stats.mcnemar_mid_p(regressed, improved) + stats.mcnemar_mid_p(improved, regressed)
        assert both == pytest.approx(1.0, rel=1e-12)


def test_holm_multiplies_the_smallest_most() -> None:
    # Sorted 0.005*4, 0.01*3, 0.03*2, 0.04*1 = 0.02, 0.03, 0.06, 0.04; the last may not fall below the one before it.
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02], rel=1e-12)


def test_holm_stops_at_one_and_leaves_a_single_p_alone() -> None:
    assert stats.holm([0.6, 0.5, 1.0]) == [1.0, 1.0, 1.0]
    assert stats.holm([0.0249]) == [0.0249]
    assert stats.holm([]) == []


def test_holm_gives_equal_p_equal_rank() -> None:
    assert stats.holm([0.01, 0.01, 0.01]) == pytest.approx([0.03, 0.03, 0.03], rel=1e-12)


@pytest.mark.parametrize("p", [math.nan, -0.1, 1.1])
def test_holm_refuses_what_is_no_probability(p: float) -> None:
    with pytest.raises(ValueError, match="lies between 0 and 1"):
        stats.holm([0.5, p])


def _documents(n: int, loss: float = 0.03, seed: int = 3) -> tuple[list[float], list[float], list[int]]:
    generator = np.random.default_rng(seed)
    tokens = generator.integers(50, 500, n)
    baseline = 2.0 * tokens + generator.normal(0, 20, n)
    candidate = baseline + loss * tokens + generator.normal(0, 1, n) * 0.2 * np.sqrt(tokens)
    return baseline.tolist(), candidate.tolist(), tokens.tolist()


def test_bootstrap_weighs_each_token_the_same() -> None:
    # (2 + 1) / (10 + 90), although the documents by themselves lost 0.2 and 0.011 per token.
    assert bootstrap_log_ratio([20.0, 180.0], [22.0, 181.0], [10, 90]).value == pytest.approx(0.03, rel=1e-12)


def test_bootstrap_of_equal_inputs_is_nothing_at_all() -> None:
    baseline, _, tokens = _documents(8)
    assert bootstrap_log_ratio(baseline, baseline, tokens) == stats.Estimate(0.0, (0.0, 0.0), 1.0, 8)


def test_bootstrap_of_the_same_loss_in_every_token_is_a_point() -> None:
    estimate = bootstrap_log_ratio([10.0, 20.0, 40.0], [11.0, 22.0, 44.0], [5, 10, 20], replicates=999)
    assert estimate.interval == (estimate.value, estimate.value) == pytest.approx((0.2, 0.2), rel=1e-12)
    assert estimate.p_value == 1 / 1000


def test_bootstrap_agrees_with_scipy_where_documents_are_many() -> None:
    from scipy import stats as scipy_stats

    baseline, candidate, tokens = _documents(300)
    estimate = bootstrap_log_ratio(baseline, candidate, tokens)

    def ratio(difference: np.ndarray, weight: np.ndarray, axis: int = -1) -> np.ndarray:
        quotient: np.ndarray = difference.sum(axis=axis) / weight.sum(axis=axis)
        return quotient

    columns = (np.subtract(candidate, baseline), np.asarray(tokens, dtype=float))
    other = scipy_stats.bootstrap(columns, ratio, paired=True, vectorized=True, n_resamples=3000, method="BCa", batch=500, rng=1)
    width = other.confidence_interval.high - other.confidence_interval.low
    assert estimate.interval == pytest.approx((other.confidence_interval.low, other.confidence_interval.high), abs=0.06 * width)


def test_bootstrap_mirrors_when_the_checkpoints_change_places() -> None:
    baseline, candidate, tokens = _documents(20)
    forth, back = bootstrap_log_ratio(baseline, candidate, tokens), bootstrap_log_ratio(candidate, baseline, tokens)
    assert (-back.interval[1], -back.interval[0]) == pytest.approx(forth.interval, abs=1e-12)
    assert forth.p_value < 0.01
    assert back.p_value > 0.99


def test_bootstrap_is_the_same_every_time() -> None:
    assert bootstrap_log_ratio(*_documents(12)) == bootstrap_log_ratio(*_documents(12))


def test_bootstrap_p_and_interval_tell_the_same_story() -> None:
    for seed in range(30):
        estimate = bootstrap_log_ratio(*_documents(10, loss=0.008, seed=seed), replicates=1999)
        assert (estimate.interval[0] > 0) == (estimate.p_value <= 0.025), seed


@pytest.mark.parametrize("n", [1, 2, 3])
def test_bootstrap_of_very_few_documents_has_no_end(n: int) -> None:
    low, high = bootstrap_log_ratio(*_documents(n)).interval
    assert math.isinf(low) or math.isinf(high)


def test_an_engine_that_moves_one_document_of_many_leaves_an_interval() -> None:
    """Clopper and Pearson's limit for 1 of 256 is 2.157 %; times ten times 0.14 nats a 100 tokens: 0.000302 nats/token."""
    from scipy.stats import binomtest

    base = [200.0] * 256
    moved = [200.14, *base[1:]]
    got = bootstrap_log_ratio(base, moved, [100] * 256)
    limit = binomtest(1, 256).proportion_ci(0.95, method="exact").high
    assert limit == pytest.approx(0.02157, abs=5e-6)
    assert got.interval == pytest.approx((0.0014 / 256 - limit * 0.014, 0.0014 / 256 + limit * 0.014), rel=1e-9)
    assert got.p_value == 1.0


def test_one_document_of_many_that_lost_everything_leaves_an_interval_beyond_any_tolerance() -> None:
    base = [200.0] * 256
    got = bootstrap_log_ratio(base, [900.0, *base[1:]], [100] * 256)
    assert got.interval[1] > 1.0


def test_bootstrap_of_few_documents_covers_near_to_its_name() -> None:
    # 8 documents, 600 samples: the percentile interval covers 85 % here.
    covered = 0
    for seed in range(600):
        low, high = bootstrap_log_ratio(*_documents(8, seed=seed), replicates=799).interval
        covered += low <= 0.03 <= high
    assert 0.92 <= covered / 600 <= 0.98


def test_bootstrap_refuses_columns_that_do_not_match() -> None:
    with pytest.raises(ValueError, match="three columns of one length"):
        bootstrap_log_ratio([1.0, 2.0], [1.0], [3, 4])
    with pytest.raises(ValueError, match="three columns of one length"):
        bootstrap_log_ratio([1.0], [1.0], [0])


def test_mean_interval_is_students() -> None:
    # mean 3, s^2 = 2.5, se = sqrt(0.5), t(0.975; 4) = 2.776445 (any table).
    estimate = stats.mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.776445 * math.sqrt(0.5)
    assert estimate.interval == pytest.approx((3 - half, 3 + half), rel=1e-6)
    assert (estimate.value, estimate.n) == (3.0, 5)


def test_mean_interval_tests_against_the_null_it_is_given() -> None:
    from scipy import stats as scipy_stats

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


def test_clusters_count_as_often_as_there_are_clusters() -> None:
    # Mean 0.5; residuals +-0.5 sum to 1, 0, -1 over the clusters: se^2 = 3/2*(1 + 0 + 1)/36 = 1/12, t(0.975; 2) = 4.302653.
    estimate = stats.clustered_interval([1, 1, 1, 0, 0, 0], ["a", "a", "b", "b", "c", "c"])
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
    estimate = stats.clustered_interval(differences.tolist(), clusters, null=0.05)
    assert (estimate.interval[1] - estimate.interval[0]) / 2 == pytest.approx(4.302653 * standard_error, rel=1e-6)
    assert estimate.p_value == pytest.approx(scipy_stats.t.sf((differences.mean() - 0.05) / standard_error, 2), rel=1e-9)


def test_clusters_of_one_are_students_to_the_last_bit() -> None:
    differences = [0.1, -0.25, 0.3, 0.0, 1.0, -1.0, 0.7]
    for null in (0.0, 0.02):
        assert stats.clustered_interval(differences, list("abcdefg"), null=null) == stats.mean_interval(differences, null=null)


def test_copies_of_an_item_add_nothing() -> None:
    once = stats.mean_interval([0.1, -0.2, 0.4])
    copied = stats.clustered_interval([0.1, -0.2, 0.4] * 5, [1, 2, 3] * 5)
    assert copied.interval == pytest.approx(once.interval, rel=1e-12)
    assert copied.p_value == pytest.approx(once.p_value, rel=1e-9)


def test_one_cluster_is_without_end() -> None:
    assert stats.clustered_interval([0.5, 0.25], ["a", "a"]) == stats.Estimate(0.375, (-math.inf, math.inf), 1.0, 2)


def test_every_difference_needs_its_cluster() -> None:
    with pytest.raises(ValueError, match="2 differences, 1 clusters"):
        stats.clustered_interval([0.5, 0.25], ["a"])
    with pytest.raises(ValueError, match="at least one"):
        stats.clustered_interval([], [])


def test_a_weighted_mean_weighs_by_the_counts() -> None:
    # (0.5*128 + 0.25*150 + 1.0*22)/300 = 123.5/300.
    assert stats.weighted_mean([0.5, 0.25, 1.0], [128, 150, 22]) == pytest.approx(123.5 / 300, rel=1e-15)


@pytest.mark.parametrize(("means", "counts"), [([], []), ([1.0], [1, 2]), ([1.0, 2.0], [1, 0])])
def test_a_mean_without_its_count_is_refused(means: list[float], counts: list[int]) -> None:
    with pytest.raises(ValueError, match="each mean needs a count of at least 1"):
        stats.weighted_mean(means, counts)


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
    overall = math.exp(stats.weighted_mean(nll_per_token, (23_922, 228_323)))
    assert overall == pytest.approx(perplexity, abs=1e-6)
    assert 100 * 1.481134 / overall == pytest.approx(relative_score, abs=5e-3)


def test_a_score_over_categories_weighs_by_their_questions() -> None:
    # Published hand-run figures: LiveBench, 1,000 questions, overall means of BF16, FP8 and NVFP4 and scores relative to BF16.
    questions = {"coding": 128, "data_analysis": 150, "instruction_following": 200, "language": 140, "math": 232, "reasoning": 150}
    assert sum(questions.values()) == 1000
    assert [round(100 * mean / 0.278556, 2) for mean in (0.268326, 0.279269)] == [96.33, 100.26]
    # 1 in coding and 0 elsewhere.
    assert stats.weighted_mean([float(name == "coding") for name in questions], list(questions.values())) == pytest.approx(0.128, rel=1e-15)


def test_welch_agrees_with_scipy() -> None:
    from scipy import stats as scipy_stats

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
