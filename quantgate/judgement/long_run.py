"""What the rule of rule.py does in the long run: how often intervals cover, how often each verdict comes out.

For answers nothing is simulated: of n items each regresses with (d + drop)/2 and improves with (d - drop)/2, d the
discordance, and every pair of counts is weighed with its trinomial probability. A drop above d needs a discordance as
large, so d is then the drop. All of them are shares. `python -m benchmarks.verdict_tables` prints the tables of docs/verdicts.md;
with `--text` also the coverage of the bootstrap for texts, by simulation, which takes a minute.
"""

import math
from collections.abc import Sequence

import numpy as np

from quantgate import stats
from quantgate.stats import bootstrap_log_ratio

SIZES = (40, 200, 600, 1319)
DISCORDANCES = tuple(percent / 100 for percent in range(1, 11))
# (n, discordance, tolerance, suites)
DESIGNS = ((40, 0.05, 0.02, 1), (600, 0.05, 0.04, 1), (1200, 0.05, 0.02, 1), (1200, 0.05, 0.04, 3), (1319, 0.10, 0.02, 1))
DROPS_PER_TOLERANCE = (0, 0.5, 0.8, 1, 1.5, 2, 3)
DROPS_PER_DISCORDANCE = tuple(step / 20 for step in range(21))
_ALPHA = (1 - stats.CONFIDENCE) / 2
# Each of the four tails that are left out has less than exp(-30) = 1e-13.
_TAIL_NATS = 30.0


def tables(n: int, discordance: float, drop: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts of regressed (a column) and improved (a row), and the probability of each pair (a matrix); 1e-12 at most is left out."""
    from scipy import special

    if n < 1 or not 0 <= discordance <= 1 or not -1 < drop < 1:
        raise ValueError(f"n = {n}, discordance = {discordance}, drop = {drop}: need n >= 1, a share, a share below 1 either way")
    discordance = max(discordance, abs(drop))
    shares = ((discordance + drop) / 2, (discordance - drop) / 2)
    regressed, improved = _likely(n, shares[0])[:, None], _likely(n, shares[1])[None, :]
    unchanged = n - regressed - improved
    factorial = special.gammaln(np.arange(n + 1) + 1)
    logarithm = factorial[n] - factorial[np.maximum(unchanged, 0)] + special.xlogy(np.maximum(unchanged, 0), 1 - discordance)
    for count, share in zip((regressed, improved), shares, strict=True):
        logarithm = logarithm + (special.xlogy(count, share) - factorial[count])
    return regressed, improved, np.where(unchanged >= 0, np.exp(logarithm), 0.0)


def _likely(n: int, share: float) -> np.ndarray:
    """The counts within n*share +- t, outside of which lie 2*exp(-_TAIL_NATS) at most: t^2 = 2*_TAIL_NATS*(variance + t/3) (Bernstein)."""
    reach = _TAIL_NATS / 3 + math.sqrt(_TAIL_NATS**2 / 9 + 2 * _TAIL_NATS * n * share * (1 - share))
    return np.arange(max(0, math.floor(n * share - reach)), min(n, math.ceil(n * share + reach)) + 1)


def score(regressed: np.ndarray, improved: np.ndarray, n: int, drop: float) -> np.ndarray:
    """T(drop) of `stats.paired_proportion_interval`, signed: the drop lies in the interval iff |T| <= z, above it iff T < -z."""
    linear = (2 * n - regressed + improved) * drop - regressed - improved
    root = np.sqrt(np.maximum(0.0, linear**2 + 8 * n * improved * drop * (1 - drop)))
    variance = n * ((root - linear) / (2 * n) + drop * (1 - drop))
    distance = regressed - improved - n * drop
    beyond = np.sign(distance) * np.maximum(0.0, np.abs(distance) - stats.CONTINUITY_ITEMS)
    # Without a drop and without discordance the variance is 0, and so is the distance.
    quotient: np.ndarray = np.divide(beyond, np.sqrt(np.maximum(0.0, variance)), out=np.zeros(beyond.shape), where=variance > 0)
    return quotient


def coverage(n: int, discordance: float, drop: float) -> float:
    """How often the 95 % interval of `stats.paired_proportion_interval` contains the true drop."""
    regressed, improved, probability = tables(n, discordance, drop)
    return float(probability[np.abs(score(regressed, improved, n, drop)) <= stats.Z_INTERVAL].sum())


def decide(regressed: np.ndarray, improved: np.ndarray, n: int, tolerance: float, suites: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Which counts pass and which fail, as `verdict.judge_answers` would have it under a tolerance of 100*tolerance points."""
    from scipy import special

    if not 0 < tolerance < 1 or suites < 1:
        raise ValueError(f"tolerance = {tolerance}, suites = {suites}: need a share above 0 and below 1, and at least one suite")
    passes = score(regressed, improved, n, tolerance) < -stats.Z_INTERVAL
    # Points have few decimals, shares have rounding: 7 of 100 is not below a tolerance of 100*0.07.
    fails = ~passes & (100 * (regressed - improved) / n >= round(100 * tolerance, 9))
    at = np.nonzero(fails)
    # Where a drop is seen at least one item regressed, and P(X >= regressed) = P(X > regressed - 1).
    more, all_discordant = np.broadcast_to(regressed, fails.shape)[at], (regressed + improved)[at]
    fails[at] = suites * special.bdtrc(more - 1, all_discordant, 0.5) <= _ALPHA
    return passes, fails


def decision_probabilities(n: int, discordance: float, drop: float, tolerance: float, suites: int = 1) -> tuple[float, float, float]:
    """How often a checkpoint with that true drop gets `pass`, `fail` and `inconclusive`, one suite alone."""
    regressed, improved, probability = tables(n, discordance, drop)
    passes, fails = decide(regressed, improved, n, tolerance, suites)
    passed, failed = float(probability[passes].sum()), float(probability[fails].sum())
    return passed, failed, float(probability.sum()) - passed - failed


def text_coverage(documents: int, heavy_sigma: float | None, samples: int, replicates: int, seed: int = 0) -> tuple[float, float, float]:
    """By simulation, how often the interval of `bootstrap_log_ratio` covers, ends below, and starts above the true loss.

    Documents have 16 to 2,048 tokens, lognormal around 180 with a sigma of 0.8. They lose 0.02 nats per token with a
    standard deviation of 0.02; unless `heavy_sigma` is None, one in ten loses 0.05*exp(heavy_sigma*normal) in addition.
    """
    one_in_ten, extra = (0.0, 0.0) if heavy_sigma is None else (0.1, heavy_sigma)
    loss = 0.02 + one_in_ten * 0.05 * math.exp(extra**2 / 2)
    generator = np.random.default_rng(seed)
    below = above = 0
    for sample in range(samples):
        tokens = np.clip(np.rint(180 * np.exp(0.8 * generator.standard_normal(documents))), 16, 2048).astype(int)
        lost = 0.02 + 0.02 * generator.standard_normal(documents)
        lost += (generator.random(documents) < one_in_ten) * 0.05 * np.exp(extra * generator.standard_normal(documents))
        columns = ((2.0 * tokens).tolist(), ((2.0 + lost) * tokens).tolist(), tokens.tolist())
        low, high = bootstrap_log_ratio(*columns, replicates=replicates, seed=sample).interval
        below, above = below + (high < loss), above + (low > loss)
    return 1 - (below + above) / samples, below / samples, above / samples


def coverage_table() -> str:
    """Lowest and highest coverage over drops from 0 to the discordance, with the discordant items to expect, in Markdown."""
    rows = []
    for discordance in DISCORDANCES:
        cells = [f"{100 * discordance:.0f} %"]
        for n in SIZES:
            covered = [100 * coverage(n, discordance, part * discordance) for part in DROPS_PER_DISCORDANCE]
            cells.append(f"{min(covered):.1f} to {max(covered):.1f} ({n * discordance:.1f})")
        rows.append(cells)
    return _markdown(["discordance", *(f"n = {n}" for n in SIZES)], rows)


def decision_table() -> str:
    """Per cent of `pass` / `fail` / `inconclusive` by the true drop as a multiple of the tolerance, in Markdown."""
    heads, columns = ["true drop"], [[f"{times:g} x tolerance" for times in DROPS_PER_TOLERANCE]]
    for n, discordance, tolerance, suites in DESIGNS:
        heads.append(f"n = {n}, d = {100 * discordance:.0f} %, {100 * tolerance:.0f} points" + (f", {suites} suites" if suites > 1 else ""))
        chances = (decision_probabilities(n, discordance, times * tolerance, tolerance, suites) for times in DROPS_PER_TOLERANCE)
        columns.append([" / ".join(f"{100 * chance:.1f}" for chance in three) for three in chances])
    return _markdown(heads, list(zip(*columns, strict=True)))


def text_table(samples: int = 1000, replicates: int = 999) -> str:
    """Per cent of intervals of a text's loss that cover it, end below it and start above it, in Markdown; simulated."""
    rows = []
    for kind, heavy_sigma in (("alike, skewness 0", None), ("one in ten loses more, 1.5", 0.5), ("one in ten loses far more, 10.6", 1.0)):
        for documents in (40, 200):
            chances = text_coverage(documents, heavy_sigma, samples, replicates)
            rows.append([kind, f"{documents}", *(f"{100 * chance:.1f}" for chance in chances)])
    return _markdown(["documents are", "documents", "covers", "ends below", "starts above"], rows)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * (width - 1) + ":" for width in widths], *rows]
    return "\n".join("| " + " | ".join(map(str.rjust, cells, widths)) + " |" for cells in lines) + "\n"
