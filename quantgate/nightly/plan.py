"""What fits into the time that is left, by what each suite costs and can decide (`quantgate/matrix/cost.py`), and which are dropped first.

A suite is worth what it can decide: the probability that it passes a checkpoint that has lost nothing, with the tolerance and the interval
that it had last. What decides least a second is dropped first. A suite without a history has its worth still to show, and is not dropped;
its time is an estimate.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from quantgate.matrix import Costs, SuiteCost
from quantgate.nightly.cases import Case, Phase


class Plan(NamedTuple):
    """`dropped`: in the order in which they were, least informative a second first; `seconds`: what the rest is expected to take."""

    kept: list[Case]
    dropped: list[Case]
    seconds: float


def key(case: Case) -> tuple[str, str, str]:
    return case.family, case.checkpoint, case.suite


def expected_seconds(cases: Sequence[Case], costs: Costs, slots: int) -> float:
    """Of all phases: checkpoints side by side over the slots in the accuracy phase, one after the other for speed."""
    accuracy = sorted(_by_checkpoint(cases, Phase.ACCURACY, costs).values(), reverse=True)
    loads = [0.0] * max(1, slots)
    for seconds in accuracy:  # the longest first, each to where it ends soonest
        loads[loads.index(min(loads))] += seconds
    return max(loads) + sum(_by_checkpoint(cases, Phase.THROUGHPUT, costs).values())


def _by_checkpoint(cases: Iterable[Case], phase: Phase, costs: Costs) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    boots: dict[tuple[str, str], float] = {}
    for case in cases:
        if case.phase is phase:
            cost, whose = costs.get(key(case), SuiteCost()), (case.family, case.checkpoint)
            found[whose] = found.get(whose, 0.0) + (cost.seconds or 0.0)
            boots[whose] = max(boots.get(whose, 0.0), cost.boot_seconds or 0.0)
    return {whose: seconds + boots[whose] for whose, seconds in found.items()}


def fit(cases: Sequence[Case], costs: Costs, slots: Mapping[str, int], seconds: float) -> Plan:
    """Drop suites until the rest is expected to end in time; `slots` by family, whose runs follow each other."""
    kept, dropped = list(cases), list[Case]()

    def total() -> float:
        return sum(expected_seconds([one for one in kept if one.family == name], costs, count) for name, count in slots.items())

    def informative(case: Case) -> float:
        cost = costs[key(case)]
        return cost.worth / cost.seconds if cost.seconds else math.inf

    while (expected := total()) > seconds:
        known = [case for case in kept if case.is_measured and key(case) in costs and costs[key(case)].source == "history"]
        if not known:
            break
        least = min(known, key=informative)
        kept.remove(least)
        dropped.append(least)
    return Plan(kept, dropped, expected)
