"""What verdicts on clustered answers promise, by enumeration, in a small version: docs/verdicts.md has the table of all of it."""

import math
from collections import Counter
from collections.abc import Iterator
from itertools import combinations_with_replacement, product

import pytest

from quantgate import stats
from quantgate.judgement import clusters_long_run, long_run
from quantgate.judgement.clusters_long_run import Design, Model, chances
from quantgate.stats.intervals import tango_limits

WHOLE, APART = True, False
State = tuple[bool, int, int]  # drawn whole or not, regressed, improved


def states(size: int, model: Model, regress: float, improve: float) -> dict[State, float]:
    """What may become of a cluster, and how likely."""
    still = 1 - regress - improve
    whole = {(WHOLE, 0, 0): still, (WHOLE, size, 0): regress, (WHOLE, 0, size): improve}
    apart = {
        (APART, b, c): math.comb(size, b) * math.comb(size - b, c) * regress**b * improve**c * still ** (size - b - c)
        for b, c in product(range(size + 1), repeat=2)
        if b + c <= size
    }
    shares = {WHOLE: model.whole, APART: 1 - model.whole}
    return {state: shares[state[0]] * chance for state, chance in (whole | apart).items()}


def outcomes(design: Design, model: Model, regress: float, improve: float) -> Iterator[tuple[list[State], float]]:
    """Every outcome of a small design, the large cluster last, and how likely it is."""
    alike, large = (states(size, model, regress, improve) for size in (design.size, design.large))
    for drawn in combinations_with_replacement(alike, design.clusters):
        chance = math.factorial(design.clusters) * math.prod(alike[one] for one in drawn)
        chance /= math.prod(map(math.factorial, Counter(drawn).values()))
        if not design.large:
            yield list(drawn), chance
        else:
            yield from (([*drawn, one], chance * also) for one, also in large.items())


def by_hand(design: Design, model: Model, drop: float, discordance: float, tolerance: float) -> tuple[float, float, float]:
    """Covered, passed and failed, as a sum over all outcomes of what the definitions of `stats.design_effect` and the interval give."""
    from scipy import stats as scipy_stats

    sizes, n = design.sizes, sum(design.sizes)
    effective = stats.effective_clusters(sizes)
    quantile = scipy_stats.t.ppf(0.975, effective - 1)
    covered = passed = failed = 0.0
    for drawn, chance in outcomes(design, model, (discordance + drop) / 2, (discordance - drop) / 2):
        regressed, improved = sum(b for _, b, _ in drawn), sum(c for _, _, c in drawn)
        mean, k = (regressed - improved) / n, sum(b + c > 0 for _, b, c in drawn) * effective / len(sizes)
        whole = float(drawn[-1][0]) if design.large else sum(one for one, _, _ in drawn) / len(sizes)
        effect = answers = 1 + (0.0 if model.hidden else whole) * (n / effective - 1)
        if (independent := regressed + improved - n * mean**2) > 1e-9:
            squares = ((b - c - size * mean) ** 2 for (_, b, c), size in zip(drawn, sizes, strict=True))
            flips = max(1.0, math.fsum(squares) / independent)
            company = sum(size for size in sizes if size > 1) / n
            effect = max((k * flips + 30 * answers) / (k + 30), 1 + (flips - 1) * company)
        low, high = tango_limits(regressed / effect, improved / effect, n / effect, quantile)
        covered += chance * (low <= drop <= high)
        passed += chance * (high < tolerance)
        failed += chance * (mean >= tolerance - 1e-9 and low >= 0)
    return covered, passed, failed


@pytest.mark.parametrize("model", [Model(0.0), Model(0.4), Model(1.0), Model(0.4, hidden=True)], ids=str)
@pytest.mark.parametrize(
    ("design", "drop", "discordance", "tolerance"),
    [
        (Design(5, 2), 0.60, 0.80, 0.50),
        (Design(4, 2), 0.0, 0.10, 0.70),
        (Design(3, 3), 0.50, 0.50, 0.80),
        (Design(4, 1, 3), 0.40, 0.50, 0.75),
    ],
)
def test_chances_agree_with_a_sum_over_all_intervals(
    design: Design, drop: float, discordance: float, tolerance: float, model: Model
) -> None:
    found = chances(design, model, discordance, drop, (tolerance,))
    expected = by_hand(design, model, drop, discordance, tolerance)
    assert (found.covered, found.passed[0], found.failed[0]) == pytest.approx(expected, abs=1e-5)


def test_items_alone_have_the_chances_of_the_plain_path() -> None:
    found = chances(Design(250, 1), Model(0.0), 0.05, 0.0, (0.04,))
    passed, failed, _ = long_run.decision_probabilities(250, 0.05, 0.0, 0.04)
    assert found == (long_run.coverage(250, 0.05, 0.0), [passed], [failed])


@pytest.mark.parametrize("model", clusters_long_run.MODELS[:-1], ids=str)
@pytest.mark.parametrize("design", [Design(15, 4), Design(100, 1, 20)], ids=str)
def test_intervals_cover_and_errors_are_rare(design: Design, model: Model) -> None:
    assert stats.effective_clusters(design.sizes) >= stats.ENOUGH_CLUSTERS
    found = clusters_long_run.worst(design, model, (0.05,))
    assert found.covered >= 0.93
    assert found.passed[0] <= 0.025
    assert found.failed[0] <= 0.025


@pytest.mark.parametrize("discordance", [0.01, 0.03])
def test_an_unharmed_checkpoint_with_independent_flips_passes_at_four_points(discordance: float) -> None:
    assert chances(Design(50, 20), Model(0.0), discordance, 0.0, (0.04,)).passed[0] > 0.99


def test_fifty_copied_items_decide_as_little_as_fifty() -> None:
    assert chances(Design(50, 20), Model(1.0), 0.02, 0.0, (0.04,)).passed[0] < 0.02


def test_flips_of_whole_clusters_that_no_answer_foretold_pass_too_often() -> None:
    # 2.5 % is promised. Where nothing flips, which happens to 0.95^50 = 8 %, nothing tells that clusters would flip as a whole.
    passed = chances(Design(50, 20), Model(1.0, hidden=True), 0.05, 0.04, (0.04,)).passed[0]
    assert 0.025 < passed < 0.13


def test_one_cluster_of_most_items_decides_nothing() -> None:
    for drop in (0.0, 0.08):
        found = chances(Design(25, 1, 100), Model(0.3), 0.05, drop, (0.04, 0.08))
        assert found.covered > 0.999
        assert max(*found.passed, *found.failed) < 0.001


def test_the_table_has_a_row_for_each_design_and_model() -> None:
    table = clusters_long_run.clusters_table([Design(15, 2), Design(20, 1, 3), Design(40, 1)], [Model(0.0), Model(1.0)], (0.05,))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert [row[:3] for row in rows[2:]] == [
        ["15 x 2", "15.0", "independent"],
        ["15 x 2", "15.0", "whole clusters"],
        ["1 x 3 + 20 alone", "18.2", "independent"],
        ["1 x 3 + 20 alone", "18.2", "whole clusters"],
        ["40 alone", "40.0", "independent"],
    ]


def test_models_say_what_they_are() -> None:
    assert [str(model) for model in clusters_long_run.MODELS] == [
        "independent",
        "10 % whole",
        "30 % whole",
        "60 % whole",
        "whole clusters",
        "whole clusters, hidden",
    ]


@pytest.mark.parametrize(("whole", "discordance", "drop"), [(1.5, 0.05, 0.0), (0.5, -0.1, 0.0), (0.5, 0.05, 1.0), (math.nan, 0.05, 0.0)])
def test_impossible_shares_are_refused(whole: float, discordance: float, drop: float) -> None:
    with pytest.raises(ValueError, match="need shares"):
        chances(Design(15, 2), Model(whole), discordance, drop)
