"""What `stats.clustered_proportion_interval` does in the long run, counted over every possible outcome; nothing is simulated.

The model: with probability `whole` a cluster's items are one (right or wrong together, and they flip together), else independent; each
item regresses with (d + drop)/2 and improves with (d - drop)/2, d the discordance, at least the drop. So what flips as a whole was
right, or wrong, as a whole. The correlation of the answers is taken as the share of clusters that came out whole: what the estimate
scatters around. Unless the model is `hidden`: then clusters flip together though no answer told so before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple, Protocol

import numpy as np

from quantgate import stats
from quantgate.judgement.long_run import _markdown, coverage, decision_probabilities

TOLERANCES = (0.02, 0.04, 0.08)
DISCORDANCES = (0.01, 0.02, 0.05, 0.10, 0.20)
UNHARMED = (0.01, 0.03, 0.05)
# Outcomes rarer than this are left out, one kind at a time: 0.0001 at most of a whole, which then neither covers, passes nor fails.
_RARE = 1e-7


class Design(NamedTuple):
    """Clusters of one size, or with `large` one cluster of that size beside them."""

    clusters: int
    size: int
    large: int = 0

    def __str__(self) -> str:
        alike = f"{self.clusters} x {self.size}" if self.size > 1 else f"{self.clusters} alone"
        return f"1 x {self.large} + {alike}" if self.large else alike

    @property
    def sizes(self) -> list[int]:
        return [self.size] * self.clusters + [self.large] * (self.large > 0)


class Model(NamedTuple):
    """How a design's items depend on each other."""

    whole: float
    hidden: bool = False

    def __str__(self) -> str:
        named = {0.0: "independent", 1.0: "whole clusters"}.get(self.whole, f"{100 * self.whole:.0f} % whole")
        return named + (", hidden" if self.hidden else "")


DESIGNS = (Design(50, 20), Design(30, 40), Design(15, 20), Design(80, 2), Design(400, 1, 140), Design(250, 1, 1000), Design(250, 1))
MODELS = (Model(0.0), Model(0.1), Model(0.3), Model(0.6), Model(1.0), Model(1.0, hidden=True))


class Chances(NamedTuple):
    """How often the interval covers the true drop, and for each tolerance how often the verdict is `pass` and `fail`."""

    covered: float
    passed: list[float]
    failed: list[float]


class _Outcomes(Protocol):
    """Some of the outcomes: arrays of counts, and how likely all of them are."""

    @property
    def regressed(self) -> np.ndarray: ...

    @property
    def improved(self) -> np.ndarray: ...

    @property
    def probability(self) -> float: ...

    def below(self, limits: np.ndarray) -> float:
        """How likely are those of them with a design effect below these limits, one for each."""


def chances(design: Design, model: Model, discordance: float, drop: float, tolerances: tuple[float, ...] = TOLERANCES) -> Chances:
    """Of a checkpoint with that true drop, one suite alone; all of them shares. Where every item stands alone, as long_run.py has it."""
    if not (0 <= model.whole <= 1 and 0 <= discordance <= 1 and -1 < drop < 1):
        raise ValueError(f"{model.whole} whole, discordance = {discordance}, drop = {drop}: need shares, and a drop below 1 either way")
    if max(design.sizes) == 1:
        verdicts = [decision_probabilities(design.clusters, discordance, drop, one) for one in tolerances]
        return Chances(coverage(design.clusters, discordance, drop), [one[0] for one in verdicts], [one[1] for one in verdicts])
    discordance = max(discordance, abs(drop))
    shares = ((discordance + drop) / 2, (discordance - drop) / 2)
    n, (total, missed), passed, failed = sum(design.sizes), (0.0, 0.0), [0.0] * len(tolerances), [0.0] * len(tolerances)
    for some in _one_large(design, model, *shares) if design.large else _alike(design, model, *shares):
        total += some.probability
        missed += some.below(_limits(design, some, drop)[0])
        without, above = _limits(design, some, 0.0)
        for place, tolerance in enumerate(tolerances):
            limits, distance = _limits(design, some, tolerance)
            passed[place] += some.below(np.where(distance < 0, limits, 0.0))
            # Rounding must not keep a drop of exactly the tolerance from failing.
            failed[place] += some.below(np.where((above > 0) & (above >= n * tolerance - 1e-9), without, 0.0))
    return Chances(total - missed, passed, failed)


def _limits(design: Design, some: _Outcomes, drop: float) -> tuple[np.ndarray, np.ndarray]:
    """The design effects E below which `drop` lies outside of the interval, and how many items beyond it lies what was seen.

    With counts divided by E, |T(drop)| > t reads |distance| - E/4 > t*sqrt(V*E), V Tango's variance: quadratic in sqrt(E).
    """
    n, regressed, improved = sum(design.sizes), some.regressed, some.improved
    linear = (2 * n - regressed + improved) * drop - regressed - improved
    root = np.sqrt(np.maximum(0.0, linear**2 + 8 * n * improved * drop * (1 - drop)))
    variance = np.maximum(0.0, n * ((root - linear) / (2 * n) + drop * (1 - drop)))
    distance = regressed - improved - n * drop
    spread = _quantile(design) * np.sqrt(variance)
    root = (np.sqrt(spread**2 + 4 * stats.CONTINUITY_ITEMS * np.abs(distance)) - spread) / (2 * stats.CONTINUITY_ITEMS)
    return root**2, distance


def _quantile(design: Design) -> float:
    from scipy import special

    return float(special.stdtrit(stats.effective_clusters(design.sizes) - 1, (1 + stats.CONFIDENCE) / 2))


def _alike(design: Design, model: Model, regress: float, improve: float) -> "Iterator[_Outcomes]":
    """Clusters of one size. Outcomes differ by `fell` and `rose` (those that flipped as a whole), k (others with a flip) and the clusters
    drawn whole; and, within those k, by regressed, improved and h = (sum of D^2 - discordant)/2, D a cluster's regressed minus improved.
    """
    groups, still = design.clusters, (1 - regress - improve) ** design.size
    flipped = _Flipped(design, regress, improve)
    whole = np.arange(groups + 1)
    pairs = [(fell, rose) for fell, rose in product(range(groups + 1), repeat=2) if fell + rose <= groups]
    pairs = [pair for pair in pairs if _trinomial(*pair, groups, model.whole * regress, model.whole * improve) > _RARE]
    for k in range(groups + 1):
        if _trinomial(k, 0, groups, (1 - model.whole) * (1 - still), 0.0) < _RARE:
            continue
        cumulative = np.cumsum(flipped.table(k), axis=2)
        b, c = np.nonzero(cumulative[:, :, -1] > _RARE / 1000)
        cumulative = cumulative[b, c]
        drawn = _trinomial(whole, 0, groups, model.whole, 0.0) * _trinomial(k, 0, groups - whole, 1 - still, 0.0)
        for fell, rose in pairs:
            weights = drawn * _trinomial(fell, rose, whole, regress, improve)
            likely = weights > _RARE / 10
            if likely.any():
                answers = 1 + (0.0 if model.hidden else whole[likely] / groups) * (design.size - 1) * np.ones(likely.sum())
                # The sum of D^2 is 2*h + discordant; each cluster that flipped as a whole adds the square of its size.
                squares = b + c + design.size**2 * (fell + rose)
                counts = (b + design.size * fell, c + design.size * rose)
                lowest = flipped.lowest if k else 0
                yield _Alike(design, *counts, k + fell + rose, squares, cumulative, lowest, answers, weights[likely])


@dataclass(frozen=True)
class _Alike:
    """`k` clusters flipped, `squares` is the sum of D^2 where h = 0, `cumulative` over h from `lowest`. `weights` say how likely is each of
    `answers`, the design effects that the correlation of the answers implies.
    """

    design: Design
    regressed: np.ndarray
    improved: np.ndarray
    k: int
    squares: np.ndarray
    cumulative: np.ndarray
    lowest: int
    answers: np.ndarray
    weights: np.ndarray

    @property
    def probability(self) -> float:
        return float(self.weights.sum() * self.cumulative[:, -1].sum())

    def below(self, limits: np.ndarray) -> float:
        at = np.nonzero(limits > 1)[0]  # no design effect is smaller
        limits, answers, prior = limits[at], self.answers[:, None], stats.PRIOR_CLUSTERS
        n, lost = self.design.clusters * self.design.size, (self.regressed - self.improved)[at]
        independent = (self.regressed + self.improved)[at] - lost**2 / n
        # `stats.design_effect` is the larger of two, both of which grow with the flips': so far that may go with both below the limit.
        most = np.minimum(limits, ((self.k + prior) * limits - prior * answers) / max(self.k, 1))
        steps = np.ceil((most * independent + lost**2 / self.design.clusters - self.squares[at]) / 2 - 1e-9).astype(int) - 1 - self.lowest
        steps = np.where(most > 1, np.clip(steps, -1, self.cumulative.shape[1] - 1), -1)
        within = self.cumulative[at, np.maximum(steps, 0)] * (steps >= 0)
        within = np.where(independent > 1e-9 * n, within, self.cumulative[at, -1] * (answers < limits))
        return float(self.weights @ within.sum(axis=1))


class _Flipped:
    """The joint distribution of regressed, improved and h over k clusters with a flip: powers of one's Fourier transform."""

    def __init__(self, design: Design, regress: float, improve: float) -> None:
        from scipy import fft

        b, c = (count.ravel() for count in np.indices((design.size + 1, design.size + 1)))
        one = _trinomial(b, c, design.size, regress, improve)
        h = ((b - c) ** 2 - b - c) // 2
        above, under = (_reach(np.bincount(np.maximum(sign * h, 0), one), design.clusters) for sign in (1, -1))
        reaches = (_reach(np.bincount(b, one), design.clusters), _reach(np.bincount(c, one), design.clusters), above + under)
        self._lengths = tuple(fft.next_fast_len(reach, real=True) for reach in reaches)
        self.lowest = 1 - under
        grid = np.zeros(self._lengths)
        one[0] = 0.0  # the cluster without a flip
        np.add.at(grid, (b % self._lengths[0], c % self._lengths[1], h % self._lengths[2]), one / max(one.sum(), 1e-300))
        self._transformed = fft.rfftn(grid)

    def table(self, k: int) -> np.ndarray:
        """Probabilities; the last axis starts at `lowest`, but for k = 0, where there is nothing but 0."""
        from scipy import fft

        if k == 0:
            return np.ones((1, 1, 1))
        return np.roll(fft.irfftn(self._transformed**k, self._lengths), -self.lowest, axis=2)


def _reach(probabilities: np.ndarray, times: int) -> int:
    """How many values, from 0, the sum of so many independent counts takes; the rest has less than _RARE."""
    most = times * (len(probabilities) - 1) + 1
    summed = np.fft.irfft(np.fft.rfft(probabilities, most) ** times, most)
    return int(np.nonzero(np.cumsum(summed[::-1])[::-1] > _RARE)[0][-1]) + 1


def _one_large(design: Design, model: Model, regress: float, improve: float) -> "Iterator[_Outcomes]":
    """A large cluster, whole or not, beside items alone. As there is but one, its answers show a correlation of 1 or of 0."""
    together = (design.large * np.array([0, 1, 0]), design.large * np.array([0, 0, 1]), np.array([1 - regress - improve, regress, improve]))
    if model.whole > 0:
        yield _beside_items_alone(design, together, model.whole, 0.0 if model.hidden else 1.0, regress, improve)
    if model.whole < 1:
        counts = _counts(design.large, regress, improve)
        for start in range(0, len(counts[0]), 256):  # so that what is held at once stays below some tens of MB
            some = tuple(one[start : start + 256] for one in counts)
            yield _beside_items_alone(design, some, 1 - model.whole, 0.0, regress, improve)


def _beside_items_alone(
    design: Design, large: tuple[np.ndarray, ...], share: float, correlation: float, regress: float, improve: float
) -> "_OneLarge":
    """The large cluster's counts and their probabilities (rows) beside those of the items alone (columns), and `stats.design_effect`."""
    n, effective, prior = sum(design.sizes), stats.effective_clusters(design.sizes), stats.PRIOR_CLUSTERS
    (b_large, c_large, chance), (b_alone, c_alone, chance_alone) = (
        (one[:, None] for one in large),
        _counts(design.clusters, regress, improve),
    )
    regressed, improved = b_large + b_alone, c_large + c_alone
    mean = (regressed - improved) / n
    squares = b_alone * (1 - mean) ** 2 + c_alone * (1 + mean) ** 2 + (design.clusters - b_alone - c_alone) * mean**2
    squares = squares + (b_large - c_large - design.large * mean) ** 2
    independent = regressed + improved - n * mean**2
    some = independent > 1e-9 * n
    flips = np.maximum(1.0, squares / np.where(some, independent, 1.0))
    k = (b_alone + c_alone + (b_large + c_large > 0)) * effective / len(design.sizes)
    answers = 1 + correlation * (n / effective - 1)
    effects = np.maximum((k * flips + prior * answers) / (k + prior), 1 + (flips - 1) * design.large / n)
    return _OneLarge(regressed, improved, np.where(some, effects, answers), share * chance * chance_alone)


@dataclass(frozen=True)
class _OneLarge:
    regressed: np.ndarray
    improved: np.ndarray
    effects: np.ndarray
    probabilities: np.ndarray

    @property
    def probability(self) -> float:
        return float(self.probabilities.sum())

    def below(self, limits: np.ndarray) -> float:
        return float(self.probabilities[self.effects < limits].sum())


def _counts(n: int, regress: float, improve: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The likely pairs of counts of n independent items, and how likely each of them is."""
    regressed, improved, probability = stats.paired_tables(n, regress + improve, regress - improve)
    likely = probability > _RARE
    b, c = (np.broadcast_to(one, likely.shape)[likely] for one in (regressed, improved))
    return b, c, probability[likely]


def _trinomial(first: int | np.ndarray, second: int | np.ndarray, n: int | np.ndarray, p: float, q: float) -> np.ndarray:
    """How likely n draws give so many of the first and of the second kind."""
    from scipy import special

    rest = n - first - second
    kept = np.maximum(rest, 0)
    chance = special.gammaln(n + 1.0) - special.gammaln(first + 1.0) - special.gammaln(second + 1.0) - special.gammaln(kept + 1.0)
    chance = chance + special.xlogy(first, p) + special.xlogy(second, q) + special.xlogy(kept, max(0.0, 1 - p - q))
    likely: np.ndarray = np.where(rest >= 0, np.exp(chance), 0.0)
    return likely


def clusters_table(
    designs: Sequence[Design] = DESIGNS, models: Sequence[Model] = MODELS, discordances: Sequence[float] = DISCORDANCES
) -> str:
    """By design and model, in per cent and in Markdown: the lowest coverage; the highest chance to pass after a loss of exactly the
    tolerance, and to fail without a loss, over these discordances and TOLERANCES; and how often the unharmed pass at 4 points. All of
    it takes half an hour of one core, nearly all for models neither independent nor whole, at discordances of 10 % and more.
    """
    rows = []
    for design, model in product(designs, models):
        if max(design.sizes) == 1 and model != models[0]:
            continue  # where every item stands alone there is nothing to be whole
        found = worst(design, model, discordances)
        unharmed = (100 * chances(design, model, one, 0.0, (0.04,)).passed[0] for one in UNHARMED)
        cells = [
            f"{100 * found.covered:.1f}",
            f"{100 * found.passed[0]:.1f}",
            f"{100 * found.failed[0]:.1f}",
            *(f"{one:.0f}" for one in unharmed),
        ]
        rows.append([str(design), f"{stats.effective_clusters(design.sizes):.1f}", str(model), *cells])
    head = ["clusters", "effective", "items are", "covers, at least", "loss of the tolerance passes", "no loss fails"]
    return _markdown([*head, *(f"no loss passes, d = {100 * one:.0f} %" for one in UNHARMED)], rows)


def worst(design: Design, model: Model, discordances: Sequence[float] = DISCORDANCES) -> Chances:
    """The lowest coverage, over no drop, half and all of the discordance and drops of a tolerance; the most that pass after a loss
    of exactly the tolerance; and the most that fail without one.
    """
    covered, passed, failed = 1.0, 0.0, 0.0
    for discordance in discordances:
        for drop in sorted({0.0, discordance / 2, discordance, *TOLERANCES}):
            asked = tuple(one for one in TOLERANCES if drop in (0.0, one))
            found = chances(design, model, discordance, drop, asked)
            covered = min(covered, found.covered)
            if drop == 0.0:
                failed = max(failed, *found.failed)
            elif asked:
                passed = max(passed, *found.passed)
    return Chances(covered, [passed], [failed])
