"""Since when is a figure another? Change points, which locate a drift; whether it is one, the suite's own rule says.

The place of a change is where a two-sample rank statistic (Wilcoxon's, standardized; Pettitt 1979) is largest among all splits with ten
nights or more on either side; it counts where no more than two in a thousand random orders of the same nights reach as much
(`scipy.stats.permutation_test`). Both parts are then looked at in the same way. Ranks make one night, however bad, one night.
docs/nightly.md has what apache-otava, ruptures and pyhomogeneity say of the same series (`benchmarks/drift.py`).
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

import msgspec

from quantgate.history.line import Line
from quantgate.history.series import Series

if TYPE_CHECKING:
    import numpy as np

EITHER_SIDE = 10
ALPHA, ORDERS, SEED = 0.002, 1999, 0
NEAR = 2
"""Nights: as far as a change may lie from where it is seen, in more than nine of ten."""


class Moved(msgspec.Struct, frozen=True):
    """What of the provenance was another in the night of `at` than in the one before it."""

    at: str
    what: str
    before: str
    now: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """`place`: of the first night after it, from 0; `before`, `after`: medians of the nights up to the changes next to this one;
    `p_value`: of random orders that reach as much; `moved`: within two nights of it."""

    place: int
    at: str
    run: str
    before: float
    after: float
    p_value: float
    moved: list[Moved]


def locate(values: Sequence[float]) -> list[tuple[int, float]]:
    """(Place of the first night after a change, p-value), in order; nothing of fewer than twenty nights."""
    import numpy as np
    from scipy import stats as tests

    if len(values) < 2 * EITHER_SIDE:
        return []
    ranks = tests.rankdata(values)
    gains = _gains(np.asarray(ranks))
    found = tests.permutation_test(
        (ranks,),
        lambda order, axis=-1: _gains(np.moveaxis(order, axis, -1)).max(axis=-1),
        permutation_type="pairings",
        n_resamples=ORDERS,
        alternative="greater",
        vectorized=True,
        rng=SEED,
    )
    if found.pvalue > ALPHA:
        return []
    place = EITHER_SIDE + int(gains.argmax())
    after = [(place + further, p) for further, p in locate(values[place:])]
    return [*locate(values[:place]), (place, float(found.pvalue)), *after]


def _gains(ranks: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Of each allowed split: between its parts, the sum of squares of the ranks (…, nights) -> (…, splits)."""
    import numpy as np

    nights = ranks.shape[-1]
    first = np.arange(EITHER_SIDE, nights - EITHER_SIDE + 1)
    sums = ranks.cumsum(axis=-1)
    excess = sums[..., first - 1] - sums[..., -1:] * first / nights
    gains: np.ndarray[Any, Any] = excess**2 / (first * (nights - first) / nights)
    return gains


def changes(series: Series) -> list[Change]:
    """Every change that is seen, oldest first."""
    values, found = series.values, locate(series.values)
    ends = [0, *(place for place, _ in found), len(values)]
    made = []
    for number, (place, p_value) in enumerate(found):
        first = series.nights[place]
        near = series.nights[max(0, place - NEAR - 1) : place + NEAR + 1]
        made.append(
            Change(
                place=place,
                at=first.at,
                run=first.run,
                before=median(values[ends[number] : place]),
                after=median(values[place : ends[number + 2]]),
                p_value=p_value,
                moved=[moved for before, now in pairwise(near) for moved in _moved(before, now)],
            )
        )
    return made


def _moved(before: Line, now: Line) -> list[Moved]:
    told = [_provenance(line) for line in (before, now)]
    return [Moved(now.at, what, old, told[1][what]) for what, old in told[0].items() if old != told[1][what]]


def _provenance(line: Line) -> dict[str, str]:
    versions = line.versions
    return {
        "vLLM": versions.vllm if versions else "",
        "torch": versions.torch if versions else "",
        "transformers": versions.transformers if versions else "",
        "driver": (versions.driver if versions else None) or "",
        "kernels": ", ".join(line.kernels),
        "numerics": line.numerics,
        "device": line.device,
        "host": line.host,
        "weights": line.checkpoint_fingerprint or "",
    }
