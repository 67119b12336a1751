"""What `--stop-early` saves, and how often it says something else than the whole suite would: the table of docs/stop_early.md.

    python -m benchmarks.stop_early [--pairs 10000] [--suites 1] [--proven]

Pairs of right-or-wrong answers are drawn with a true discordance and a true loss, asked in order, and looked at as `Watch` looks, a
hundred times a suite; what does not end early gets the fixed-n verdict. The same pairs are judged whole as well, and how often that
is false is known exactly (by enumeration): with early ends it is that, and what differs on the simulated pairs. So the noise of ten
thousand pairs (0.15 points at 2.4 %) is that of the difference alone.
"""

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from quantgate import stats
from quantgate.judgement import decision_probabilities

Words = npt.NDArray[np.int64]
PASS, NEITHER, FAIL = 1, 0, -1
SIZES, TOLERANCES, DISCORDANCES = (164, 400, 1319), (0.01, 0.02, 0.05), (0.03, 0.08, 0.20)
LOSSES = (0.0, 0.5, 1.0, 2.0, 3.0)
"""In tolerances."""
ERROR, LOOKS = 0.025, 100


class Design(NamedTuple):
    """A suite of n items and what it is asked; `tolerance` is a share."""

    n: int
    tolerance: float
    suites: int = 1
    proven: bool = False


class Cell(NamedTuple):
    """One true loss. `whole`, `ended`: shares of pass, fail and neither, asked whole and with early ends; `exact`: what `whole` is
    on average; `differs`: ended early with another word than the whole has; `asked`: mean share of the items that were asked."""

    discordance: float
    loss: float
    exact: tuple[float, float, float]
    whole: tuple[float, float, float]
    ended: tuple[float, float, float]
    differs: float
    asked: float

    def false(self, shares: tuple[float, float, float]) -> float:
        """A fail without any loss, a pass of a loss as large as the tolerance; under one of half the tolerance neither is false."""
        return shares[1] if self.loss == 0 else shares[0] if self.loss >= 1 else 0.0

    @property
    def false_ended(self) -> float:
        """With early ends: the exact share of the whole suite's, and what is false beyond on the simulated pairs."""
        return max(0.0, self.false(self.exact) + self.false(self.ended) - self.false(self.whole))


class Ends:
    """After so many items with so many discordant: up to how many regressed a pass is certain, and from how many on a fail."""

    def __init__(self, design: Design) -> None:
        self.design, self._found = design, dict[tuple[int, int], tuple[int, int]]()

    def __call__(self, asked: int, discordant: int) -> tuple[int, int]:
        if (found := self._found.get((asked, discordant))) is not None:
            return found
        n, tolerance, suites, proven = self.design
        cap = -math.log(ERROR)
        near = self._found.get((asked, discordant - 1), (discordant // 4, 3 * discordant // 4))

        def passes(regressed: int) -> bool:
            return stats.log_e_that_it_passes(regressed, discordant - regressed, asked, n, tolerance, cap=cap) >= cap

        def fails(regressed: int) -> bool:
            improved = discordant - regressed
            return stats.log_e_that_it_fails(regressed, improved, asked, n, tolerance, suites, proven=proven, cap=cap) >= cap

        least = _first(lambda regressed: not passes(regressed), near[0], discordant)
        self._found[asked, discordant] = least - 1, _first(fails, near[1], discordant)
        return self._found[asked, discordant]


def _first(holds: Callable[[int], bool], near: int, most: int) -> int:
    """The smallest count from 0 to `most` of which it holds, `most` + 1 where it holds of none; from `near` on, step by step."""
    at = min(max(near, 0), most)
    if holds(at):
        while at > 0 and holds(at - 1):
            at -= 1
        return at
    while at <= most and not holds(at):
        at += 1
    return at


def cell(ends: Ends, discordance: float, loss: float, pairs: int, seed: int) -> Cell:
    """`pairs` suites with that true discordance (the loss, where that is larger) and that true loss in tolerances."""
    n, tolerance, suites, proven = ends.design
    drop = loss * tolerance
    changed = max(discordance, drop)
    chances = [(changed + drop) / 2, (changed - drop) / 2, 1 - changed]
    step = max(1, n // LOOKS)
    looks = [*range(step, n, step), n]
    draw = np.random.default_rng(seed)
    b, c = np.zeros(pairs, int), np.zeros(pairs, int)
    word, asked = np.full(pairs, NEITHER), np.full(pairs, n)
    running = np.ones(pairs, bool)
    for before, look in zip([0, *looks], looks, strict=False):
        more = draw.multinomial(look - before, chances, size=pairs)
        b, c = b + more[:, 0], c + more[:, 1]
        if look == n:
            break
        for discordant in np.unique((b + c)[running]).tolist():
            at = running & (b + c == discordant)
            most, least = ends(look, discordant)
            word[at & (b <= most)], word[at & (b >= least)] = PASS, FAIL
        over = running & (word != NEITHER)
        asked[over], running[over] = look, False
    passes, fails = stats.decide_counts(b, c, n, tolerance, suites, proven=proven)
    whole = np.where(passes, PASS, np.where(fails, FAIL, NEITHER))
    differs = float((~running & (word != whole)).mean())
    ended = np.where(running, whole, word)
    exact = decision_probabilities(n, changed, drop, tolerance, suites, proven=proven)
    return Cell(changed, loss, exact, _shares(whole), _shares(ended), differs, float(asked.mean() / n))


def _shares(words: Words) -> tuple[float, float, float]:
    passed, failed, neither = (float((words == word).mean()) for word in (PASS, FAIL, NEITHER))
    return passed, failed, neither


def row(design: Design, discordance: float, found: Sequence[Cell]) -> list[str]:
    """One design in all losses: false fails without loss, false passes of a loss of the tolerance, what differs at most, what is saved."""
    by_loss = {one.loss: one for one in found}
    false = [f"{100 * one.false(one.exact):.2f} / {100 * one.false_ended:.2f}" for one in (by_loss[0.0], by_loss[1.0])]
    saved = [f"{100 * (1 - one.asked):.0f}" for one in found]
    shown = [f"{design.n:,}", f"{100 * design.tolerance:g}", f"{100 * discordance:g}"]
    return [*shown, *false, f"{100 * max(one.differs for one in found):.2f}", *saved]


def long_rows(design: Design, found: Sequence[Cell]) -> Iterator[list[str]]:
    """A row a loss, with the shares of pass, fail and neither."""
    for one in found:
        shares = [" / ".join(f"{100 * share:.1f}" for share in three) for three in (one.whole, one.ended)]
        rates = [
            f"{100 * one.false(one.exact):.2f} / {100 * one.false_ended:.2f}",
            f"{100 * one.differs:.2f}",
            f"{100 * (1 - one.asked):.0f}",
        ]
        yield [f"{design.n:,}", f"{100 * design.tolerance:g}", f"{100 * one.discordance:g}", f"{one.loss:g}", *shares, *rates]


HEADS = (
    "n",
    "tolerance",
    "d, %",
    "false fail, no loss",
    "false pass, 1 x",
    "other than whole, at most",
    *(f"saved, {one:g} x" for one in LOSSES),
)
LONG = ("n", "tolerance", "d, %", "loss, x", "asked whole", "ended early", "false, whole / early", "other than whole", "saved")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stop_early", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=10_000, metavar="N", help="simulated suites a cell; default: 10000")
    parser.add_argument("--suites", type=int, default=1, metavar="N", help="of the checkpoint, for Holm's correction; default: 1")
    parser.add_argument("--proven", action="store_true", help='as fail_when = "proven" has it')
    parser.add_argument("--long", action="store_true", help="a row a loss, with the shares of each verdict")
    asked = parser.parse_args(arguments)
    heads = LONG if asked.long else HEADS
    print(f"| {' | '.join(heads)} |\n|{' ---: |' * len(heads)}")
    every = list[Cell]()
    for design in (Design(n, tolerance, asked.suites, asked.proven) for n in SIZES for tolerance in TOLERANCES):
        ends = Ends(design)
        for place, discordance in enumerate(DISCORDANCES):
            # Each cell has random numbers of its own, the same at each run.
            seeds = [1000 * design.n + 100 * int(100 * design.tolerance) + 10 * place + step for step in range(len(LOSSES))]
            found = [cell(ends, discordance, loss, asked.pairs, seed) for loss, seed in zip(LOSSES, seeds, strict=True)]
            every += found
            for cells in long_rows(design, found) if asked.long else [row(design, discordance, found)]:
                print(f"| {' | '.join(cells)} |", flush=True)
    worst, counted = max(one.false_ended for one in every), max(one.false(one.ended) for one in every)
    said = f"as counted, with the noise of {asked.pairs:,} pairs: {100 * counted:.2f} %"
    print(f"\nfalse with early ends, worst of {len(every)} cells: {100 * worst:.2f} %; {said}")


if __name__ == "__main__":
    main()
