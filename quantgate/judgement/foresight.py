"""What a suite can see, said before it is run: an underpowered suite must be read about, not found out."""

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from quantgate import stats
from quantgate.devices import Slot
from quantgate.errors import BaselineError
from quantgate.judgement.answers import DISCORDANCE
from quantgate.judgement.judge import Approved, Case
from quantgate.records import Answers, Measurement, TextLoss
from quantgate.registry import REFERENCE_PRECISION, Family, Registry
from quantgate.stats import bootstrap_log_ratio
from quantgate.suites import CodeSuite, HarnessSuite, QuestionSuite, Suite, TextSuite

REPLICATES = 400
"""Of the bootstrap: enough for the width of an interval to a few per cent."""


class Sight(NamedTuple):
    """What `n` of a suite's items (`noun`) see: a loss of about `least`, where `wanted` is tolerated; `needed` of them
    would pass an unharmed checkpoint in four of five."""

    n: int
    noun: str
    least: str
    wanted: str
    needed: int

    @property
    def is_enough(self) -> bool:
        return self.n >= self.needed

    def __str__(self) -> str:
        told = f"sees {self.least}, {self.wanted} tolerated"
        return told if self.is_enough else f"{told}: too few ({self.n}, about {self.needed:,} would do)"


def underpowered(case: Case, suite: Suite, approved: Approved, device_class: str) -> str | None:
    """A sentence for the header where an unharmed checkpoint would pass with less than 80 %, with the n it would need."""
    found = foreseen(case, suite, approved, device_class)
    if found is None or found.is_enough:
        return None
    return (
        f"underpowered: {case.checkpoint} {case.suite}: {found.n} {found.noun} would pass an unharmed checkpoint with less than 80 %: they "
        f"see a loss of about {found.least}, the tolerance is {found.wanted}; about {found.needed} would do"
    )


def foreseen(case: Case, suite: Suite, approved: Approved, device_class: str) -> Sight | None:
    """What a suite will see, by what has been measured of the checkpoint or its like; None where nobody can tell before it has run."""
    own = _load(approved, device_class, case, case.checkpoint.name)
    reference = case.family.reference()
    base = _load(approved, device_class, case, reference.name) if reference is not None else None
    points, ratio = case.tolerance.accuracy_points, case.tolerance.perplexity_ratio
    count = _items(suite)
    if count is not None and points is not None:
        n = count
        kin = [one for one in case.family.checkpoint if one.precision == case.checkpoint.precision and one.name != case.checkpoint.name]
        d = discordance_seen([own, *(_load(approved, device_class, case, one.name) for one in kin)], base)
        least, needed = 100 * stats.mde(n, d), stats.n_needed(points / 100, d)
        found, wanted, noun = f"{least:.1f} points", f"{points:.1f}", "items"
    elif isinstance(suite, TextSuite) and ratio is not None and isinstance(own, TextLoss) and isinstance(base, TextLoss):
        interval = _interval(own, base)
        if interval is None:
            return None
        tolerance, n = math.log(ratio), len(suite.documents)
        nats, needed = stats.mde_from_interval(interval), stats.n_needed_from_interval(tolerance, interval, len(own.documents))
        found, wanted, noun = f"{100 * (math.exp(nats) - 1):.1f} % of perplexity", f"{100 * (ratio - 1):.1f} %", "documents"
    else:
        return None
    return Sight(n, noun, found, wanted, needed)


def _items(suite: Suite) -> int | None:
    """Of a suite of answers; None where nobody knows before it has run."""
    if isinstance(suite, QuestionSuite | CodeSuite):
        return len(suite.questions if isinstance(suite, QuestionSuite) else suite.tasks)
    return suite.n if isinstance(suite, HarnessSuite) else None


def _load(approved: Approved, device_class: str, case: Case, checkpoint: str) -> Measurement | None:
    return approved.load(device_class, case.family.name, checkpoint, case.suite)


def discordance_seen(approved: Sequence[Measurement | None], base: Measurement | None) -> float:
    """The first discordance with BF16 that was measured of these: the checkpoint's own, else one of its family in its precision, else
    DISCORDANCE; never BF16's with itself, and nothing changed is nothing measured."""
    if not isinstance(base, Answers):
        return DISCORDANCE
    before = {item.id: item.worth for item in base.items}
    for one in approved:
        if not isinstance(one, Answers) or one.precision == REFERENCE_PRECISION:
            continue
        pairs = [(before[item.id], item.worth) for item in one.items if item.id in before]
        if changed := sum(was != now for was, now in pairs):
            return changed / len(pairs)
    return DISCORDANCE


def _interval(own: TextLoss, base: TextLoss) -> tuple[float, float] | None:
    """The interval of this checkpoint's last measured loss against BF16's, where the documents pair and show a spread."""
    before = {document.id: document.nll_sum for document in base.documents}
    if own.precision == REFERENCE_PRECISION or before.keys() != {document.id for document in own.documents}:
        return None
    columns = [(before[document.id], document.nll_sum, document.tokens) for document in own.documents]
    base_sums, sums, tokens = zip(*columns, strict=True)
    low, high = bootstrap_log_ratio(base_sums, sums, tokens, replicates=REPLICATES).interval
    return (low, high) if math.isfinite(high - low) else None


def unable_to_see(registry: Registry, families: Sequence[Family], suites: Mapping[str, Suite], approved: Approved, slot: Slot) -> list[str]:
    """What the suites of a run cannot see; a baseline that cannot be read is left to the test that needs it."""
    found = []
    for family in families:
        for checkpoint in family.checkpoint:
            tolerance, drift = registry.tolerance_of(family, checkpoint), registry.drift_of(family)
            device_class = slot.first(checkpoint.serve.tensor_parallel).device_class
            for name in family.suites:
                with contextlib.suppress(BaselineError):
                    found.append(underpowered(Case(family, checkpoint, name, tolerance, drift), suites[name], approved, device_class))
    return [line for line in found if line]
