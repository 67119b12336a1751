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
        passes, fails = stats.decide_counts(np.array([regressed]), np.array([improved]), n, points / 100, suites)
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


@pytest.mark.parametrize(
    ("times", "failed", "proven"), [(0.8, 0.318, 0.007), (1, 0.495, 0.024), (1.5, 0.874, 0.206), (2, 0.990, 0.641), (3, 1.0, 0.998)]
)
def test_a_fail_proven_beyond_the_tolerance_takes_a_larger_loss(times: float, failed: float, proven: float) -> None:
    plain, beyond = (long_run.decision_probabilities(1319, 0.10, times * 0.02, 0.02, proven=asked) for asked in (False, True))
    assert (plain[1], beyond[1]) == pytest.approx((failed, proven), abs=0.0005)
    assert beyond[0] == plain[0]


def test_an_extended_suite_is_weighed_as_every_pair_of_looks_would_be() -> None:
    n, total, discordance, drop, tolerance = 20, 45, 0.6, 0.3, 0.4
    (first, (passes, fails)), (second, _) = ((_outcomes(size, discordance, drop), _decided(size, tolerance)) for size in (n, total - n))
    later = _decided(total, tolerance)
    found = np.array([first[passes].sum(), first[fails].sum()])
    for b, c in np.argwhere((first > 0) & ~passes & ~fails):
        found += [first[b, c] * second[at[b : b + total - n + 1, c : c + total - n + 1]].sum() for at in later]
    got = long_run.extension_probabilities(n, total, discordance, drop, tolerance)
    assert got[:2] == pytest.approx(found, abs=1e-10)
    once = long_run.decision_probabilities(n, discordance, drop, tolerance)
    assert all(two > one + 0.01 for two, one in zip(got[:2], once[:2], strict=True))


def test_an_extension_lets_more_losses_pass_and_never_more_than_two_looks_may() -> None:
    def worst(first: float, second: float) -> float:
        designs = product(long_run.EXTENDED, long_run.FIRST_LOOKS, long_run.EXTENSIONS)
        return max(
            long_run.extension_probabilities(n, times * n, discordance, tolerance, tolerance, (first, second))[0]
            for (tolerance, discordance), n, times in designs
        )

    assert worst(0.95, 0.95) == pytest.approx(0.0417, abs=0.0001)
    # The remedies keep to 2.5 %: both looks at 97 %, or a second one so strict that it decides little.
    assert worst(0.97, 0.97) == pytest.approx(0.0249, abs=0.0001)
    assert worst(0.95, 0.995) == pytest.approx(0.0246, abs=0.0001)


@pytest.mark.parametrize(
    ("n", "total", "confidences", "lost", "unharmed"),
    [
        (1200, 2400, (0.95, 0.95), 0.0387, 0.877),
        (1200, 2400, (0.97, 0.97), 0.0236, 0.828),
        (1200, 2400, (0.95, 0.995), 0.0239, 0.706),
        (1200, 2400, (0.9948, 0.952), 0.0230, 0.860),  # O'Brien and Fleming's
    ],
)
def test_what_an_extension_costs_and_buys(n: int, total: int, confidences: tuple[float, float], lost: float, unharmed: float) -> None:
    # 2,400 at once: 2.4 % and 86.5 %.
    passed = [long_run.extension_probabilities(n, total, 0.10, drop, 0.02, confidences)[0] for drop in (0.02, 0.0)]
    assert passed == pytest.approx([lost, unharmed], abs=0.001)
    once = [long_run.decision_probabilities(total, 0.10, drop, 0.02)[0] for drop in (0.02, 0.0)]
    assert once == pytest.approx([0.0238, 0.865], abs=0.001)


def test_the_table_of_extensions_has_these_numbers() -> None:
    lines = long_run.extension_table().splitlines()
    assert len(lines) == 2 + 2 * len(long_run.EXTENDED)
    assert [cell.strip() for cell in lines[4].split("|")[1:-1]] == [
        *("lost the tolerance: pass", "2 points", "10 %"),
        *("1.9 / 3.4 / 3.8", "2.1 / 3.7 / 4.1", "2.3 / 3.8 / 4.2", "2.3 / 3.9 / 4.1"),
    ]
    assert [cell.strip() for cell in lines[10].split("|")[1:5]] == ["lost nothing: fail", "2 points", "10 %", "1.5 / 2.7 / 3.1"]


def test_the_simulated_intervals_of_texts_cover_near_to_their_name() -> None:
    covered, below, above = long_run.text_coverage(12, None, samples=200, replicates=199)
    assert covered + below + above == pytest.approx(1.0, abs=1e-12)
    assert covered == pytest.approx(0.95, abs=0.05)
    assert long_run.text_coverage(12, 1.0, samples=40, replicates=199) == long_run.text_coverage(12, 1.0, samples=40, replicates=199)


def _outcomes(n: int, discordance: float, drop: float) -> np.ndarray:
    """The probability of each (regressed, improved), whatever its size."""
    from scipy import stats as scipy_stats

    worse, better = (discordance + drop) / 2, (discordance - drop) / 2
    chances = np.zeros((n + 1, n + 1))
    for b in range(n + 1):
        for c in range(n + 1 - b):
            chances[b, c] = scipy_stats.multinomial.pmf((b, c, n - b - c), n, (worse, better, 1 - discordance))
    return chances


def _decided(n: int, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    counts = np.arange(n + 1)
    return stats.decide_counts(counts[:, None], counts[None, :], n, tolerance)


def test_the_documentation_shows_the_tables_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    documentation = DOCUMENTATION.read_text(encoding="utf-8")
    verdict_tables.main([])
    for table in capsys.readouterr().out.split("\n\n"):
        assert table.strip() in documentation, "docs/verdicts.md is stale: put in what `python -m benchmarks.verdict_tables` prints"
