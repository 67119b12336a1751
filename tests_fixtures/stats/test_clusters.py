"""Paired answers in clusters, against values worked by hand, by scipy, or by what they must agree with."""

import math
import random
from collections.abc import Sequence

import pytest

from quantgate.stats import clusters, intervals
from quantgate.stats.clusters import PRIOR_CLUSTERS, clustered_proportion_interval, clustered_score_interval, design_effect
from quantgate.stats.significance import mcnemar_p

Items = tuple[list[int], list[int], list[int]]
# Four clusters of two: means 1, 0, 1/2, 1 and 5/8 overall. Mean squares between 11/24 and within 1/8: rho = (1/3)/(7/12) = 4/7.
FOUR_PAIRS, OF_FOUR_PAIRS = [1, 1, 0, 0, 1, 0, 1, 1], [0, 0, 1, 1, 2, 2, 3, 3]


def copies(regressed: int, improved: int, groups: int, size: int) -> Items:
    """Clusters whose items are all alike; half of those without a change are right."""
    before = [1] * regressed + [0] * improved + [place % 2 for place in range(groups - regressed - improved)]
    after = [0] * regressed + [1] * improved + before[regressed + improved :]
    labels = [place for place in range(groups) for _ in range(size)]
    return [before[place] for place in labels], [after[place] for place in labels], labels


def mixed(groups: int, size: int, regressed: Sequence[int] = (), improved: Sequence[int] = ()) -> Items:
    """Clusters with as many right as wrong items each, first the right ones; how many of the first clusters' items flip."""
    before, after = [], []
    for place in range(groups):
        own = [1] * (size // 2) + [0] * (size - size // 2)
        worse, better = (one[place] if place < len(one) else 0 for one in (regressed, improved))
        before += own
        after += [0] * worse + own[worse : size - better] + [1] * better
    return before, after, [place for place in range(groups) for _ in range(size)]


def drawn(seed: int) -> Items:
    """Clusters of any size and any dependence."""
    generator = random.Random(seed)
    groups, together = generator.randint(2, 40), generator.random()
    before, after, labels = [], [], []
    for place in range(groups):
        kind = (generator.random() < 0.7, generator.random() < 0.2)
        for _ in range(generator.choice((1, 1, 2, 5, 20))):
            right, flips = kind if generator.random() < together else (generator.random() < 0.7, generator.random() < 0.2)
            before.append(int(right))
            after.append(int(right != flips))
            labels.append(place)
    return before, after, labels


def scores(items: Items, seed: int) -> tuple[list[float], list[float], list[int]]:
    generator = random.Random(seed)
    before, after = ([min(1.0, max(0.0, one * 0.5 + 0.5 * generator.random())) for one in side] for side in items[:2])
    return before, after, items[2]


def test_a_large_cluster_leaves_few_effective_ones() -> None:
    assert clusters.effective_clusters([20] * 50) == 50
    assert clusters.effective_clusters([1] * 7) == 7
    # 1,250^2/(1,000^2 + 250)
    assert clusters.effective_clusters([1000] + [1] * 250) == pytest.approx(1_562_500 / 1_000_250, rel=1e-12)


@pytest.mark.parametrize("sizes", [[], [3, 0]])
def test_clusters_without_items_are_refused(sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="at least one cluster"):
        clusters.effective_clusters(sizes)


def test_without_a_flip_the_answers_correlation_makes_the_design_effect() -> None:
    assert design_effect(FOUR_PAIRS, FOUR_PAIRS, OF_FOUR_PAIRS) == pytest.approx(1 + 4 / 7, rel=1e-12)


def test_items_right_together_no_more_than_by_chance_count_in_full() -> None:
    assert design_effect(*mixed(50, 20)) == 1.0


def test_few_flips_are_blended_with_the_correlation_of_the_answers() -> None:
    # One flip: sum of squares 3/4 over 7/8 is below 1. The answers then have 1/7 after, 4/7 before.
    after = [0, *FOUR_PAIRS[1:]]
    expected = (1 + PRIOR_CLUSTERS * (1 + 4 / 7)) / (1 + PRIOR_CLUSTERS)
    assert design_effect(FOUR_PAIRS, after, OF_FOUR_PAIRS) == pytest.approx(expected, rel=1e-12)
    assert design_effect(after, FOUR_PAIRS, OF_FOUR_PAIRS) == pytest.approx(expected, rel=1e-12)


def test_many_flips_outweigh_the_correlation_of_the_answers() -> None:
    # 400 clusters of two copies each; in each of them one item flips, up and down by turns: flips 1, answers 2.
    before = [place // 2 % 2 for place in range(800)]
    after = [one if place % 2 else 1 - one for place, one in enumerate(before)]
    assert design_effect(before, after, [place // 2 for place in range(800)]) == pytest.approx((400 + 30 * 2) / 430, rel=1e-12)


def test_flips_within_one_cluster_are_no_luck() -> None:
    # Ten of 1,000 flip, all in one cluster of 50: (10 - 0.2)^2 + 49*0.2^2 over 10 - 0.1.
    assert design_effect(*mixed(50, 20, [10])) == pytest.approx((9.8**2 + 49 * 0.04) / 9.9, rel=1e-12)


def test_two_flips_of_the_one_pair_beside_items_alone_hardly_count() -> None:
    before, labels = [1, 1, *(place % 2 for place in range(248))], [0, 0, *range(1, 249)]
    effect = design_effect(before, [0, 0, *before[2:]], labels)
    # flips (2 - 4/250)^2 + 248*(2/250)^2 over 2 - 4/250; answers 252/250, as the pair is right together; k 250^2/252/249.
    flips, k = (1.984**2 + 248 * 0.008**2) / 1.984, 250**2 / 252 / 249
    assert effect == pytest.approx(max((k * flips + 30 * 1.008) / (k + 30), 1 + (flips - 1) * 2 / 250), rel=1e-12)
    assert effect < 1.05


@pytest.mark.parametrize(("before", "after"), [([1] * 6, [0] * 6), ([1] * 6, [1] * 6)])
def test_where_all_items_are_alike_clusters_count_once(before: list[int], after: list[int]) -> None:
    assert design_effect(before, after, [0, 0, 0, 1, 1, 1]) == pytest.approx(3.0, rel=1e-12)


@pytest.mark.parametrize(("regressed", "improved"), [(0, 0), (5, 2), (1, 0), (0, 3)])
def test_copies_of_an_item_add_nothing(regressed: int, improved: int) -> None:
    from scipy import stats as scipy_stats

    assert design_effect(*copies(regressed, improved, 50, 20)) == pytest.approx(20.0, rel=1e-12)
    found = clustered_proportion_interval(*copies(regressed, improved, 50, 20))
    quantile = scipy_stats.t.ppf(0.975, 49)
    assert found.interval == pytest.approx(intervals.tango_limits(regressed, improved, 50, quantile), rel=1e-9, abs=1e-12)
    assert found.value == pytest.approx((regressed - improved) / 50, abs=1e-15)
    assert found.n == 1000
    if regressed + improved:
        expected = scipy_stats.t.sf((regressed - improved - 0.25) / math.sqrt(regressed + improved), 49)
        assert found.p_value == pytest.approx(expected, rel=1e-9)
    else:
        assert (found.p_value, found.p_better) == (1.0, 1.0)


def test_no_change_at_all_passes_at_four_points_where_answers_are_uncorrelated() -> None:
    assert clustered_proportion_interval(*mixed(50, 20)).interval[1] < 0.005
    assert clustered_proportion_interval(*mixed(50, 20, [1] * 12, [1] * 10)).interval[1] < 0.02
    assert clustered_proportion_interval(*copies(0, 0, 50, 20)).interval[1] > 0.04


def test_one_broken_cluster_of_fifty_does_not_pass_at_four_points() -> None:
    assert clustered_proportion_interval(*mixed(50, 20, [10, 10])).interval[1] > 0.04


@pytest.mark.parametrize(("regressed", "improved"), [(0, 0), (7, 1), (3, 9)])
def test_items_alone_are_judged_as_without_clusters(regressed: int, improved: int) -> None:
    found = clustered_proportion_interval(*copies(regressed, improved, 60, 1))
    assert found.interval == intervals.paired_proportion_interval(regressed, improved, 60)
    assert (found.p_value, found.p_better) == (mcnemar_p(regressed, improved), mcnemar_p(improved, regressed))


@pytest.mark.parametrize("at", [0, 100])
def test_a_label_that_joins_two_of_250_items_widens_a_little(at: int) -> None:
    for regressed in range(0, 16, 3):
        for improved in range(0, 10, 3):
            before, after, labels = copies(regressed, improved, 250, 1)
            labels[at] = labels[at + 1]
            joined = clustered_proportion_interval(before, after, labels)
            low, high = intervals.paired_proportion_interval(regressed, improved, 250)
            assert joined.interval[0] <= low
            assert high <= joined.interval[1] < high + 0.002


@pytest.mark.parametrize("seed", range(300))
def test_interval_and_p_never_contradict_each_other(seed: int) -> None:
    before, after, labels = drawn(seed)
    # One pair at least, since items alone have McNemar's exact p, which is not the interval's.
    items = ([*before, 1, 0], [*after, 1, 0], [*labels, -1, -1])
    for found in (clustered_proportion_interval(*items), clustered_score_interval(*scores(items, seed))):
        low, high = found.interval
        assert (found.p_value <= 0.025) == (low >= 0)
        assert (found.p_better <= 0.025) == (high <= 0)
        assert low <= found.value <= high


@pytest.mark.parametrize("seed", range(50))
def test_checkpoints_that_change_places_mirror_the_interval(seed: int) -> None:
    before, after, labels = drawn(seed)
    for method, items in ((clustered_proportion_interval, drawn(seed)), (clustered_score_interval, scores((before, after, labels), seed))):
        there, back = method(*items), method(items[1], items[0], labels)
        assert back.interval == pytest.approx((-there.interval[1], -there.interval[0]), rel=1e-9, abs=1e-12)
        assert (back.p_value, back.p_better) == pytest.approx((there.p_better, there.p_value), rel=1e-9)


@pytest.mark.parametrize("method", [clustered_proportion_interval, clustered_score_interval])
def test_one_cluster_is_without_end(method: object) -> None:
    assert callable(method)
    assert method([1, 1], [0, 1], ["a", "a"]) == intervals.Estimate(0.5, (-math.inf, math.inf), 1.0, 2)
    assert method([1, 0], [0, 0], ["a", "a"]) == intervals.Estimate(0.5, (-math.inf, math.inf), 1.0, 2)


@pytest.mark.parametrize("method", [clustered_proportion_interval, clustered_score_interval])
def test_lists_of_unequal_length_are_refused(method: object) -> None:
    assert callable(method)
    for lists in (([1], [1, 0], ["a", "a"]), ([1, 0], [1, 0], ["a"]), ([], [], [])):
        with pytest.raises(ValueError, match="need as many of each"):
            method(*lists)


def test_scores_are_refused_where_right_or_wrong_is_counted() -> None:
    with pytest.raises(ValueError, match=r"worth = 0\.5"):
        clustered_proportion_interval([1, 0.5], [1, 1], ["a", "a"])


def test_forty_scores_a_little_lower_prove_nothing() -> None:
    # Without a spread the half-width is that of 40 right-or-wrong answers without a change, t with 39 degrees of freedom.
    found = clustered_score_interval([0.60] * 40, [0.55] * 40, list(range(40)))
    half = intervals.tango_limits(0, 0, 40, 2.022691)[1]
    assert found.interval == pytest.approx((0.05 - half, 0.05 + half), rel=1e-6)
    assert found.p_value > 0.025
    assert clustered_score_interval([0.75] * 40, [0.60] * 40, list(range(40))).p_value < 0.025


def test_unchanged_scores_pass_at_four_points_where_they_are_uncorrelated() -> None:
    before, _, labels = mixed(50, 20)
    graded = [0.25 + 0.5 * one for one in before]
    assert clustered_score_interval(graded, graded, labels).interval[1] < 0.01
    alike = [0.25 + 0.5 * (one % 2) for one in labels]
    assert clustered_score_interval(alike, alike, labels).interval[1] > 0.04


def test_scores_that_spread_have_the_cluster_robust_interval() -> None:
    before, after, labels = [0.9, 0.1, 0.8, 0.2] * 40, [0.1, 0.3, 0.2, 0.1, 0.9, 0.2, 0.4, 0.6] * 20, [place // 4 for place in range(160)]
    found = clustered_score_interval(before, after, labels)
    plain = intervals.clustered_interval([old - new for old, new in zip(before, after, strict=True)], labels)
    assert found.interval == pytest.approx(plain.interval, rel=1e-9)
    assert (found.p_value, found.p_better) == pytest.approx((plain.p_value, plain.p_better), rel=1e-9)


def test_clusters_of_unequal_size_have_fewer_degrees_of_freedom() -> None:
    from scipy import stats as scipy_stats

    generator = random.Random(5)
    labels = [0] * 30 + list(range(1, 31))
    before, after = ([generator.choice((0.0, 0.1, 0.9, 1.0)) for _ in labels] for _ in range(2))
    found = clustered_score_interval(before, after, labels)
    plain = intervals.clustered_interval([old - new for old, new in zip(before, after, strict=True)], labels)
    # 60^2/(30^2 + 30) = 3.87 effective clusters of 31.
    ratio = scipy_stats.t.ppf(0.975, 3600 / 930 - 1) / scipy_stats.t.ppf(0.975, 30)
    assert found.interval[1] - found.interval[0] == pytest.approx(ratio * (plain.interval[1] - plain.interval[0]), rel=1e-9)
