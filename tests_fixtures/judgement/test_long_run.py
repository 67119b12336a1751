"""What verdicts promise, by enumeration: coverage, false fails, false passes, and the tables that the documentation shows."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from benchmarks import verdict_tables
from quantgate import stats
from quantgate.judgement import long_run
from quantgate.judgement.answers import judge_answers
from quantgate.judgement.rule import Others
from tests_fixtures.doubles.examples import answers

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "verdicts.md"
GRID = tuple(product(long_run.SIZES, long_run.DISCORDANCES))
TOLERANCES = (0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.10)


def test_a_table_has_the_probability_of_its_multinomial() -> None:
    # n = 2, 0.3 regress and 0.2 improve: 2*0.3*0.2, 0.3^2 and 0.5^2.
    _, _, probability = long_run.tables(2, discordance=0.5, drop=0.1)
    assert (probability[1, 1], probability[2, 0], probability[0, 0]) == pytest.approx((0.12, 0.09, 0.25), rel=1e-12)


@pytest.mark.parametrize(
    ("n", "discordance", "drop"), [(1, 0.5, 0.0), (40, 0.01, 0.01), (1319, 0.10, -0.02), (1319, 0.02, 0.12), (50, 0.0, 0.0)]
)
def test_next_to_nothing_is_left_out(n: int, discordance: float, drop: float) -> None:
    regressed, improved, probability = long_run.tables(n, discordance, drop)
    assert probability.sum() == pytest.approx(1.0, abs=1e-10)
    assert (probability * (regressed - improved)).sum() / n == pytest.approx(drop, abs=1e-10)
    assert (probability * (regressed + improved)).sum() / n == pytest.approx(max(discordance, abs(drop)), abs=1e-10)


def test_the_vectorized_score_agrees_with_the_interval() -> None:
    drops = (-0.6, -0.31, -0.05, 0.0, 0.013, 0.04, 0.22, 0.51, 0.93)
    for n in (1, 2, 7, 20):
        for regressed, improved in ((b, c) for b in range(n + 1) for c in range(n + 1 - b)):
            low, high = stats.paired_proportion_interval(regressed, improved, n)
            for drop in drops:
                score = long_run.score(np.array([regressed]), np.array([improved]), n, drop)[0]
                assert (abs(score) <= stats.Z_INTERVAL) == (low <= drop <= high), (regressed, improved, n, drop)
                assert (score < -stats.Z_INTERVAL) == (high < drop), (regressed, improved, n, drop)


def test_coverage_agrees_with_a_sum_over_all_intervals() -> None:
    from scipy import stats as scipy_stats

    n, discordance, drop = 18, 0.20, 0.08
    expected = 0.0
    for regressed, improved in ((b, c) for b in range(n + 1) for c in range(n + 1 - b)):
        low, high = stats.paired_proportion_interval(regressed, improved, n)
        if low <= drop <= high:
            expected += scipy_stats.multinomial.pmf((regressed, improved, n - regressed - improved), n, (0.14, 0.06, 0.80))
    assert long_run.coverage(n, discordance, drop) == pytest.approx(expected, rel=1e-10)


SMALL = [(12, points, [(b, c) for b in range(13) for c in range(0, 13 - b, 2)]) for points in (25.0, 50.0)]
LARGE = [(200, points, list(product((0, 1, 2, 6, 8, 13, 14, 15, 22), (0, 1, 3, 8)))) for points in (4.0, 6.5, 7.0)]


@pytest.mark.parametrize("suites", [1, 3])
@pytest.mark.parametrize(("n", "points", "tables"), [*SMALL, *LARGE])
def test_the_vectorized_rule_agrees_with_the_verdict(n: int, points: float, tables: list[tuple[int, int]], suites: int) -> None:
    seen = set()
    for regressed, improved in tables:
        # Of the unchanged items every second one is right, so that the suite can tell something.
        unchanged = ("+-" * n)[: n - regressed - improved]
        measured = answers("-" * regressed + "+" * improved + unchanged)
        baseline = answers("+" * regressed + "-" * improved + unchanged)
        judged = judge_answers(measured, baseline, accuracy_points=points, others=Others(suites=suites))
        if "cannot discriminate" in judged.reason:
            continue
        passes, fails = long_run.decide(np.array([regressed]), np.array([improved]), n, points / 100, suites)
        assert judged.verdict == ("pass" if passes[0] else "fail" if fails[0] else "inconclusive"), (regressed, improved)
        seen.add(judged.verdict)
    assert seen == {"pass", "fail", "inconclusive"}


def test_the_interval_covers_93_per_cent_everywhere() -> None:
    for (n, discordance), part in product(GRID, long_run.DROPS_PER_DISCORDANCE):
        assert long_run.coverage(n, discordance, part * discordance) >= 0.93, (n, discordance, part)


def test_the_interval_wastes_little_from_ten_discordant_items_on() -> None:
    for (n, discordance), part in product(GRID, long_run.DROPS_PER_DISCORDANCE):
        if n * discordance >= 10:
            assert long_run.coverage(n, discordance, part * discordance) < 0.975, (n, discordance, part)


def test_a_checkpoint_without_loss_fails_once_in_forty_at_most() -> None:
    for (n, discordance), tolerance in product(GRID, TOLERANCES):
        assert long_run.decision_probabilities(n, discordance, 0.0, tolerance)[1] <= 0.025, (n, discordance, tolerance)


def test_a_loss_of_the_size_of_the_tolerance_passes_once_in_forty_at_most() -> None:
    for (n, discordance), tolerance in product(GRID, TOLERANCES):
        assert long_run.decision_probabilities(n, discordance, tolerance, tolerance)[0] <= 0.025, (n, discordance, tolerance)


@pytest.mark.parametrize(("n", "discordance", "tolerance", "suites"), long_run.DESIGNS)
def test_more_loss_passes_less_and_fails_more(n: int, discordance: float, tolerance: float, suites: int) -> None:
    chances = [
        long_run.decision_probabilities(n, discordance, times * tolerance, tolerance, suites) for times in long_run.DROPS_PER_TOLERANCE
    ]
    passed, failed, undecided = zip(*chances, strict=True)
    assert list(passed) == sorted(passed, reverse=True)
    assert list(failed) == sorted(failed)
    assert min(undecided) >= -1e-10


@pytest.mark.parametrize(
    ("n", "discordance", "tolerance", "passed"),
    [
        (981, 0.05, 0.02, 0.765),
        (245, 0.05, 0.04, 0.696),
        (98, 0.02, 0.04, 0.264),
        (round(1.15 * 1570), 0.02, 0.01, 0.81),
        (round(1.40 * 392), 0.02, 0.02, 0.80),
        (2 * 98, 0.02, 0.04, 0.82),
        (20_000, 0.05, stats.mde(20_000, 0.05), 0.80),
    ],
)
def test_the_rule_of_thumb_for_power_is_hopeful_for_large_tolerances(n: int, discordance: float, tolerance: float, passed: float) -> None:
    # Under a drop of the tolerance more items must be discordant than there are, and the interval reckons with those.
    assert long_run.decision_probabilities(n, discordance, 0.0, tolerance)[0] == pytest.approx(passed, abs=0.005)


def test_suites_take_from_failing_only() -> None:
    alone, one_of_three = (long_run.decision_probabilities(1319, 0.10, 0.02, 0.02, suites) for suites in (1, 3))
    assert one_of_three[0] == alone[0]
    assert one_of_three[1] < alone[1]


def test_the_simulated_intervals_of_texts_cover_near_to_their_name() -> None:
    covered, below, above = long_run.text_coverage(12, None, samples=200, replicates=199)
    assert covered + below + above == pytest.approx(1.0, abs=1e-12)
    assert covered == pytest.approx(0.95, abs=0.05)
    assert long_run.text_coverage(12, 1.0, samples=40, replicates=199) == long_run.text_coverage(12, 1.0, samples=40, replicates=199)


@pytest.mark.parametrize("shares", [(0, 0.05, 0.0), (10, 1.5, 0.0), (10, 0.05, 1.0), (10, 0.05, float("nan"))])
def test_impossible_shares_are_refused(shares: tuple[int, float, float]) -> None:
    with pytest.raises(ValueError, match="need n >= 1"):
        long_run.tables(*shares)


@pytest.mark.parametrize(("tolerance", "suites"), [(0.0, 1), (1.0, 1), (0.04, 0)])
def test_an_impossible_rule_is_refused(tolerance: float, suites: int) -> None:
    with pytest.raises(ValueError, match="at least one suite"):
        long_run.decision_probabilities(40, 0.05, 0.0, tolerance, suites)


def test_the_documentation_shows_the_tables_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    documentation = DOCUMENTATION.read_text(encoding="utf-8")
    verdict_tables.main([])
    for table in capsys.readouterr().out.split("\n\n"):
        assert table.strip() in documentation, "docs/verdicts.md is stale: put in what `python -m benchmarks.verdict_tables` prints"
