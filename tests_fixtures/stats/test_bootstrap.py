"""The bootstrap of a ratio against values worked by hand, or computed by scipy in another way."""

import math

import numpy as np
import pytest

from quantgate.stats import intervals
from quantgate.stats.bootstrap import bootstrap_log_ratio


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
    assert bootstrap_log_ratio(baseline, baseline, tokens) == intervals.Estimate(0.0, (0.0, 0.0), 1.0, 8)


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
