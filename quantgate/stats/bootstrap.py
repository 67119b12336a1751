"""The interval of a text's loss: a studentized bootstrap of whole documents. Pure mathematics, as `intervals.py`."""

import math
from collections.abc import Sequence

import numpy as np

from quantgate.stats.intervals import CONFIDENCE, Estimate

RESOLUTION_NATS = 1e-6
"""Losses per token nearer than this are equal: FP32 logprobs resolve no more, whatever the order they were summed in."""
ENOUGH_DOCUMENTS, FURTHEST = 20, 10.0
"""For a text of which almost nothing moved: see `_few_moved`."""


def bootstrap_log_ratio(
    baseline_nll_sums: Sequence[float],
    candidate_nll_sums: Sequence[float],
    tokens: Sequence[int],
    *,
    confidence: float = CONFIDENCE,
    replicates: int = 10_000,
    seed: int = 0,
) -> Estimate:
    """ln(PPL_candidate / PPL_baseline) = sum(candidate - baseline) / sum(tokens), by a paired bootstrap of whole documents.

    Tokens of one document depend on each other, so documents are drawn. The bootstrap is studentized (Efron and
    Tibshirani 1993, section 12.5): t* = (r* - r) / se*, with the linearized standard error of a ratio of sums,
    se^2 = n/(n - 1) * sum((diff - r*tokens)^2) / sum(tokens)^2; the interval is r - t*_hi*se to r - t*_lo*se and
    p(drop <= 0) = (k + 1) / (B + 1), k = replicates with t* >= r/se. With few documents percentile and BCa intervals
    are too narrow, which would pass checkpoints that lost too much; this one covers nearer to its name. A replicate that
    drew one document only has no spread and counts as t* = +-inf: where up to three documents differ, that leaves no
    finite interval, unless there are ENOUGH_DOCUMENTS (`_few_moved`). Equal differences per token (so equal inputs too)
    have no spread at all: the interval is the point; a loss per token that moved by less than RESOLUTION_NATS did not move.
    """
    base, candidate, weight = (np.asarray(column, dtype=np.float64) for column in (baseline_nll_sums, candidate_nll_sums, tokens))
    n = len(weight)
    if not len(base) == len(candidate) == n or n == 0 or weight.min() <= 0:
        raise ValueError(f"{len(base)}, {len(candidate)} and {n} documents: three columns of one length, each with tokens, are needed")
    difference = candidate - base
    difference[np.abs(difference) <= RESOLUTION_NATS * weight] = 0.0
    ratio = float(difference.sum() / weight.sum())
    residual = difference - ratio * weight
    standard_error = math.sqrt(n / (n - 1) * float((residual**2).sum())) / float(weight.sum()) if n > 1 else math.inf
    if not difference.any() or standard_error <= 1e-12 * abs(ratio):
        least = 1 / (replicates + 1)
        return Estimate(ratio, (ratio, ratio), 1.0 if ratio <= 0 else least, n, 1.0 if ratio >= 0 else least)
    if n == 1:
        return Estimate(ratio, (-math.inf, math.inf), 1.0, n)

    pivots = _bootstrap_pivots(residual, weight, replicates, seed)
    tail = (1 - confidence) / 2
    low, high = np.quantile(pivots, tail, method="lower"), np.quantile(pivots, 1 - tail, method="higher")
    as_far, as_near = (int((sign * pivots >= sign * ratio / standard_error).sum()) for sign in (1, -1))
    interval = (ratio - float(high) * standard_error, ratio - float(low) * standard_error)
    if not np.isfinite(interval).all() and n >= ENOUGH_DOCUMENTS:
        return Estimate(ratio, _few_moved(ratio, difference, weight, confidence), 1.0, n)
    p_value, p_better = (_tail(count, replicates, sign * ratio / standard_error, n - 1) for count, sign in ((as_far, 1), (as_near, -1)))
    return Estimate(ratio, interval, p_value, n, p_better)


def _tail(as_far: int, replicates: int, pivot: float, freedom: int) -> float:
    """(k + 1)/(B + 1); where no replicate is as far, Student's tail, or a loss of any size would be chance beside 250 other suites."""
    from scipy import special

    counted = (as_far + 1) / (replicates + 1)
    return counted if as_far else min(counted, float(special.stdtr(freedom, -pivot)))


def _few_moved(ratio: float, difference: np.ndarray, weight: np.ndarray, confidence: float) -> tuple[float, float]:
    """An interval where so few of many documents moved that a bootstrap cannot tell (an engine that repeats itself almost).

    No share above Clopper and Pearson's upper limit of the documents moves, and none by more than FURTHEST times the
    furthest that was seen, each as long as the longest: the drop lies within the product of the three. A bound by
    convention, not a coverage: what was never seen is guessed at, widely.
    """
    from scipy import special

    n, moved = len(weight), int(np.count_nonzero(difference))
    share = float(special.betaincinv(moved + 1, n - moved, 1 - (1 - confidence) / 2)) if moved < n else 1.0
    furthest = float(np.abs(difference / weight).max() * weight.max() / weight.mean())
    half = share * FURTHEST * furthest
    return ratio - half, ratio + half


def _bootstrap_pivots(residual: np.ndarray, weight: np.ndarray, replicates: int, seed: int) -> np.ndarray:
    """t* of each replicate, from the sums of five columns per document; blocks of rows keep memory near 50 MB."""
    n = len(weight)
    columns = np.column_stack([residual, weight, residual**2, residual * weight, weight**2])
    generator = np.random.default_rng(seed)
    sums = np.empty((replicates, columns.shape[1]))
    rows = max(1, 2_000_000 // n)
    for start in range(0, replicates, rows):
        size = min(rows, replicates - start)
        drawn = generator.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        sums[start : start + size] = counts.astype(np.float64) @ columns
    shift = sums[:, 0] / sums[:, 1]
    squares = sums[:, 2] - 2 * shift * sums[:, 3] + shift**2 * sums[:, 4]
    # Below rounding it is 0: the replicate drew one document n times, or documents that all lost alike.
    squares[squares <= 1e-10 * sums[:, 2]] = 0.0
    spread = np.sqrt(n / (n - 1) * squares) / sums[:, 1]
    pivots: np.ndarray = np.divide(shift, spread, out=np.copysign(np.inf, shift), where=spread > 0)
    return pivots
