"""The loss of perplexity, paired by document, and how far the distributions moved beside it."""

import math
from collections import defaultdict
from typing import NamedTuple

from quantgate import stats
from quantgate.judgement import admissible, sides
from quantgate.judgement.rule import ALONE, Bearing, Bears, Evidence, FailWhen, Others, between, decide
from quantgate.judgement.wording import TEXT_UNIT, noise_in_words
from quantgate.records import Divergence, DocumentLoss, Noise, TextLoss, Verdict
from quantgate.stats import bootstrap_log_ratio, divergence

ENOUGH_EFFECTIVE = 4.0
"""Effective documents, (sum of tokens)^2 / sum of tokens^2, below which nothing is decided."""
CLIENT_SHARE_LIMIT = 0.8
"""Of one core: a client above it, and not the server, decided how long it took."""
FEW = 4
NAMED = 5
"""Documents at most that are named as those which carry most of a loss; they are at most a tenth of all, or one of
a few."""


def judge_text(
    measured: TextLoss, baseline: TextLoss, *, perplexity_ratio: float, kl_nats: float | None = None, others: Others = ALONE
) -> Verdict:
    """The verdict on `weigh_text`."""
    return decide(weigh_text(measured, baseline, perplexity_ratio=perplexity_ratio, kl_nats=kl_nats), others)


def weigh_text(
    measured: TextLoss,
    baseline: TextLoss,
    *,
    perplexity_ratio: float,
    kl_nats: float | None = None,
    both_ways: bool = False,
    fail_when: FailWhen = "likely",
) -> Evidence:
    """The loss of perplexity against ln(perplexity_ratio), paired by document; the divergence beside it.

    Documents of one cluster (an article, a conversation) are drawn together. With `kl_nats` the divergence is a gate as well: its mean
    by position must lie below that. Raises ConfigurationError for a ratio <= 1, or a `kl_nats` <= 0.
    """
    tolerance = math.log(between("perplexity_ratio", perplexity_ratio, 1, math.inf))
    obstacle = admissible.between_texts(measured, baseline)
    apart = divergence(baseline.topk, measured.topk) if obstacle is None else None
    if obstacle is None and kl_nats is not None and apart is None:
        obstacle = "kl_nats is set, and the two sides do not hold the likeliest tokens of the same documents: measure both again"
    if obstacle is not None:
        return Evidence(measured=measured, unit=TEXT_UNIT, tolerance=tolerance, obstacle=obstacle)
    units = _units(measured, baseline)
    found = bootstrap_log_ratio([unit[0] for unit in units.values()], [unit[1] for unit in units.values()], [u[2] for u in units.values()])
    n = len(measured.documents)
    noise = noise_of(baseline)
    lost = {name: now - before for name, (before, now, _) in units.items()}
    carried = carriers(lost, "document" if len(units) == n else "cluster") if found.value > 0 else Carriers(0, None)
    moved = _apart(apart, kl_nats, tolerance)
    near = apart is not None and kl_nats is not None and not moved
    return Evidence(
        measured=measured,
        unit=TEXT_UNIT,
        tolerance=tolerance,
        estimate=stats.Estimate(found.value, found.interval, found.p_value, n, found.p_better),
        power=_power(tolerance, found.interval, n, by_one=carried.few == 1),
        bearings=[*_too_few([unit[2] for unit in units.values()], n), *moved],
        notes=[
            *sides.notes(measured, baseline),
            noise_in_words(noise, baseline.checkpoint),
            carried.said,
            None if both_ways else _gain(found, tolerance),
            _kl_in_words(apart, kl_nats) if near else None,
            _client_in_words(measured),
        ],
        both_ways=both_ways,
        fail_when=fail_when,
        clusters=None if len(units) == n else len(units),
        noise=noise,
        divergence=apart,
    )


def _gain(found: stats.Estimate, tolerance: float) -> str | None:
    """A note where a checkpoint beats its reference by more than the tolerance, which quantization does not do."""
    if found.value > -tolerance or found.interval[1] >= 0:
        return None
    return "better by more than the tolerance, which quantization does not do: look at the baseline"


def _client_in_words(measured: TextLoss) -> str | None:
    """A note where the client was the slower side; the loss is the same at any speed."""
    if measured.client_cpu_share is None or measured.client_cpu_share <= CLIENT_SHARE_LIMIT:
        return None
    used = f"the client used {measured.client_cpu_share:.0%} of a core while it asked"
    return f"{used}: the figures hold, and the server could have gone faster"


def _units(measured: TextLoss, baseline: TextLoss) -> dict[str, tuple[float, float, int]]:
    """What is drawn as a whole: cluster (or document) → loss before and now in nats, scored tokens."""
    before = {document.id: document for document in baseline.documents}
    units: dict[str, list[DocumentLoss]] = defaultdict(list)
    for document in measured.documents:
        units[document.id if document.cluster is None else document.cluster].append(document)
    return {
        name: (sum(before[one.id].nll_sum for one in ones), sum(one.nll_sum for one in ones), sum(one.tokens for one in ones))
        for name, ones in units.items()
    }


def _too_few(tokens: list[int], documents: int) -> list[Bearing]:
    effective = _effective(tokens)
    if effective >= ENOUGH_EFFECTIVE:
        return []
    said = f"{_held(tokens, documents)} weigh as much as {effective:.1f} of one size, and below {ENOUGH_EFFECTIVE:g} nothing is decided"
    return [Bearing(Bears.DECIDES_NOTHING, f"{said}: measure more")]


def _effective(tokens: list[int]) -> float:
    """How many of one size weigh as much."""
    return sum(tokens) ** 2 / sum(count**2 for count in tokens)


def _held(tokens: list[int], documents: int) -> str:
    return f"{documents} documents" + (f" in {len(tokens)} clusters" if len(tokens) < documents else "")


def enough_to_decide(tokens: list[int], documents: int) -> str:
    """Before it is measured: whether texts of so many scored tokens by cluster can decide anything."""
    if not tokens or not any(tokens):
        return "nothing: no token is scored"
    effective = _effective(tokens)
    can = "what they show is judged by its interval" if effective >= ENOUGH_EFFECTIVE else "too few for any verdict"
    return f"{_held(tokens, documents)} weigh as much as {effective:.1f} of one size: {can}"


def _power(tolerance: float, interval: tuple[float, float], n: int, *, by_one: bool) -> tuple[float, int | None] | None:
    """(mde, n_needed); where one document carries the loss, no number of others would settle it."""
    if not all(map(math.isfinite, interval)):
        return None
    return stats.mde_from_interval(interval), None if by_one else stats.n_needed_from_interval(tolerance, interval, n)


class Carriers(NamedTuple):
    """How few carry more than half of what was lost, 0 where no few do, and the note that names them."""

    few: int
    said: str | None


def carriers(lost: dict[str, float], noun: str) -> Carriers:
    """By name, nats lost; gains are left out. Of normal differences a tenth would carry 44 % of what is lost."""
    worst = sorted((name for name in lost if lost[name] > 0), key=lambda name: -lost[name])
    whole, carried = sum(lost[name] for name in worst), 0.0
    most = min(NAMED, max(len(lost) // 10, int(len(lost) >= FEW)))
    for count, name in enumerate(worst[:most], 1):
        carried += lost[name]
        # Of so few, one more often than not carries half.
        if carried > (whole / 2 if len(lost) >= 2 * FEW else 0.9 * whole):
            share = "all" if carried >= 0.995 * whole else f"{carried / whole:.0%}"
            if count == 1:
                return Carriers(1, f"{noun} {name!r} carries {share} of the loss: read it")
            names = ", ".join(map(repr, worst[:count]))
            return Carriers(count, f"{count} of {len(lost)} {noun}s carry {share} of the loss ({names}): read them")
    return Carriers(0, None)


def _apart(apart: Divergence | None, kl_nats: float | None, tolerance: float) -> list[Bearing]:
    """The divergence's bearing: a gate where `kl_nats` is stated, else an alarm in a pass."""
    if apart is None:
        return []
    if kl_nats is None:
        moved = f"the distributions moved by {apart.kl_nats.mean:.3f} nats (KL) or more, further than the text's loss shows"
        return [Bearing(Bears.ALARMS, f"look closer: {moved}")] if apart.kl_nats.mean >= tolerance else []
    low, high = apart.kl_interval or (-math.inf, math.inf)
    if high < between("kl_nats", kl_nats, 0, math.inf):
        return []
    said = _kl_in_words(apart, kl_nats)
    if low >= kl_nats:
        return [Bearing(Bears.FAILS, said)]
    return [Bearing(Bears.FORBIDS_CLEARING, f"{said}; the perplexity alone is within tolerance", said_as_note=said)]


def _kl_in_words(apart: Divergence | None, kl_nats: float | None) -> str:
    assert apart is not None
    low, high = apart.kl_interval or (-math.inf, math.inf)
    return f"KL >= {apart.kl_nats.mean:.3f} nats [{low:.3f}, {high:.3f}], at most {kl_nats:g} wanted"


def noise_of(baseline: TextLoss) -> Noise | None:
    """What the engine alone does: the baseline's second run against its first (A/A), or None where it has only one."""
    if not baseline.again:
        return None
    first = {document.id: document for document in baseline.documents}
    moved = [abs(document.nll_sum - first[document.id].nll_sum) / document.tokens for document in baseline.again]
    return Noise(n=len(moved), max_nll_per_token=max(moved))
