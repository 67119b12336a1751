"""What the rule of rule.py does in the long run: how often intervals cover, how often each verdict comes out.

For answers nothing is simulated: `stats.paired_tables` weighs every pair of counts, `stats.decide_counts` says what it gets.
`python -m benchmarks.verdict_tables` prints the tables of docs/verdicts.md; with `--text` also the coverage of the bootstrap for
texts, by simulation, which takes a minute.
"""

import math
from collections.abc import Sequence
from itertools import product

import numpy as np

from quantgate import stats
from quantgate.stats import bootstrap_log_ratio

SIZES = (40, 200, 600, 1319)
DISCORDANCES = tuple(percent / 100 for percent in range(1, 11))
# (n, discordance, tolerance, suites)
DESIGNS = ((40, 0.05, 0.02, 1), (600, 0.05, 0.04, 1), (1200, 0.05, 0.02, 1), (1200, 0.05, 0.04, 3), (1319, 0.10, 0.02, 1))
DROPS_PER_TOLERANCE = (0, 0.5, 0.8, 1, 1.5, 2, 3)
FAILING_DROPS_PER_TOLERANCE = (0.8, 1, 1.5, 2, 3)
DROPS_PER_DISCORDANCE = tuple(step / 20 for step in range(21))
# Of a suite that is extended: n at first, how many times that in the end, and what it is asked.
FIRST_LOOKS, EXTENSIONS = (200, 400, 600, 1200), (2, 4)
EXTENDED = tuple(product((0.02, 0.04), (0.02, 0.05, 0.10)))  # (tolerance, discordance)


def coverage(n: int, discordance: float, drop: float) -> float:
    """How often the 95 % interval of `stats.paired_proportion_interval` contains the true drop."""
    regressed, improved, probability = stats.paired_tables(n, discordance, drop)
    return float(probability[np.abs(stats.paired_score(regressed, improved, n, drop)) <= stats.Z_INTERVAL].sum())


def decision_probabilities(
    n: int, discordance: float, drop: float, tolerance: float, suites: int = 1, *, proven: bool = False
) -> tuple[float, float, float]:
    """How often a checkpoint with that true drop gets `pass`, `fail` and `inconclusive`, one suite alone.

    With `proven` only those fail whose whole interval lies at or beyond the tolerance.
    """
    regressed, improved, probability = stats.paired_tables(n, discordance, drop)
    passes, fails = stats.decide_counts(regressed, improved, n, tolerance, suites, proven=proven)
    passed, failed = float(probability[passes].sum()), float(probability[fails].sum())
    return passed, failed, float(probability.sum()) - passed - failed


def extension_probabilities(
    n: int, total: int, discordance: float, drop: float, tolerance: float, confidences: tuple[float, float] = (stats.CONFIDENCE,) * 2
) -> tuple[float, float, float]:
    """As `decision_probabilities`, where n items that do not decide are extended to `total`, once, and all of them judged together.

    P(pass) = P(pass of n) + P(n inconclusive and pass of the total); `confidences` are those of the two looks' intervals.
    """
    (regressed, improved, first), (more, better, second) = (stats.paired_tables(size, discordance, drop) for size in (n, total - n))
    passes, fails = stats.decide_counts(regressed, improved, n, tolerance, confidence=confidences[0])
    passed, failed = float(first[passes].sum()), float(first[fails].sum())
    # The counts of both parts add up, so the probabilities convolve; by Fourier transform that is exact to 1e-15.
    shape = (len(regressed) + len(more) - 1, improved.size + better.size - 1)
    undecided = np.fft.rfft2(np.where(passes | fails, 0.0, first), shape) * np.fft.rfft2(second, shape)
    pooled = np.fft.irfft2(undecided, shape)
    regressed = regressed[0, 0] + more[0, 0] + np.arange(shape[0])[:, None]
    improved = improved[0, 0] + better[0, 0] + np.arange(shape[1])[None, :]
    passes, fails = stats.decide_counts(regressed, improved, total, tolerance, confidence=confidences[1])
    passed, failed = passed + float(pooled[passes].sum()), failed + float(pooled[fails].sum())
    return passed, failed, 1 - passed - failed


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
        heads.append(_design(n, discordance, tolerance, suites))
        chances = (decision_probabilities(n, discordance, times * tolerance, tolerance, suites) for times in DROPS_PER_TOLERANCE)
        columns.append([" / ".join(f"{100 * chance:.1f}" for chance in three) for three in chances])
    return _markdown(heads, list(zip(*columns, strict=True)))


def proven_table() -> str:
    """Per cent of `fail`, and of fails whose whole interval lies at or beyond the tolerance, by the true drop, in Markdown."""
    heads, columns = ["true drop"], [[f"{times:g} x tolerance" for times in FAILING_DROPS_PER_TOLERANCE]]
    for n, discordance, tolerance, suites in DESIGNS:
        heads.append(_design(n, discordance, tolerance, suites))
        columns.append([])
        for times in FAILING_DROPS_PER_TOLERANCE:
            failed = (
                decision_probabilities(n, discordance, times * tolerance, tolerance, suites, proven=proven)[1] for proven in (False, True)
            )
            columns[-1].append(" / ".join(f"{100 * chance:.1f}" for chance in failed))
    return _markdown(heads, list(zip(*columns, strict=True)))


def extension_table() -> str:
    """Per cent of `pass` after a loss of the tolerance, and of `fail` without loss: with one look / extended to twice / to four times n.

    In Markdown.
    """
    rows = []
    for verdict, (tolerance, discordance) in product((0, 1), EXTENDED):
        drop, what = ((tolerance, "lost the tolerance: pass"), (0.0, "lost nothing: fail"))[verdict]
        cells = [what, f"{100 * tolerance:.0f} points", f"{100 * discordance:.0f} %"]
        for n in FIRST_LOOKS:
            once = decision_probabilities(n, discordance, drop, tolerance)
            twice = (extension_probabilities(n, times * n, discordance, drop, tolerance) for times in EXTENSIONS)
            cells.append(" / ".join(f"{100 * chances[verdict]:.1f}" for chances in (once, *twice)))
        rows.append(cells)
    return _markdown(["", "tolerance", "discordance", *(f"n = {n} first" for n in FIRST_LOOKS)], rows)


def text_table(samples: int = 1000, replicates: int = 999) -> str:
    """Per cent of intervals of a text's loss that cover it, end below it and start above it, in Markdown; simulated."""
    rows = []
    for kind, heavy_sigma in (("alike, skewness 0", None), ("one in ten loses more, 1.5", 0.5), ("one in ten loses far more, 10.6", 1.0)):
        for documents in (40, 200):
            chances = text_coverage(documents, heavy_sigma, samples, replicates)
            rows.append([kind, f"{documents}", *(f"{100 * chance:.1f}" for chance in chances)])
    return _markdown(["documents are", "documents", "covers", "ends below", "starts above"], rows)


def _design(n: int, discordance: float, tolerance: float, suites: int) -> str:
    return f"n = {n}, d = {100 * discordance:.0f} %, {100 * tolerance:.0f} points" + (f", {suites} suites" if suites > 1 else "")


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * (width - 1) + ":" for width in widths], *rows]
    return "\n".join("| " + " | ".join(map(str.rjust, cells, widths)) + " |" for cells in lines) + "\n"
