"""The loss of accuracy, paired by item; where items do not pair, of accuracies alone.

A suite that cannot discriminate must say so. Where BF16 itself gets none of it right nothing passes; where it gets all of it right, a
checkpoint may lose what the suite stands for without a trace in it, which decides only where the answers do not.
"""

import math
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from quantgate import stats
from quantgate.judgement import admissible, endings
from quantgate.judgement.rule import ALONE, Others, between, decide, error
from quantgate.judgement.wellformed import share, void
from quantgate.judgement.wording import ANSWERS_UNIT, noise_in_words, other_class
from quantgate.records import Answer, Answers, Discordant, Noise, Verdict
from quantgate.registry import REFERENCE_PRECISION
from quantgate.stats import Estimate

DISCORDANCE = 0.05
"""Share of items that change between BF16 and a quantized checkpoint, where none was measured."""
FLOOR, CEILING = 0.02, 0.98
"""BF16's share of right answers beyond which a suite is blind."""


def judge_answers(
    measured: Answers,
    baseline: Answers,
    *,
    accuracy_points: float,
    others: Others = ALONE,
    discordance: float = DISCORDANCE,
) -> Verdict:
    """The loss of accuracy in percentage points, paired by item.

    Right or wrong: Tango's interval, McNemar's exact p. Scores, or items in clusters: the mean difference with a
    cluster-robust standard error. `mde` and `n_needed` take the discordance seen here, or `discordance` where none
    was seen or the checkpoint is BF16 itself. Raises ConfigurationError for a tolerance <= 0.
    """
    tolerance = between("accuracy_points", accuracy_points, 0, math.inf)
    obstacle = admissible.between_answers(measured, baseline)
    if obstacle is not None:
        return error(measured, ANSWERS_UNIT, obstacle, tolerance)
    before = {item.id: item for item in baseline.items}
    noise = noise_of(baseline)
    notes = [
        other_class(measured, baseline),
        noise_in_words(noise, baseline.checkpoint),
        change_of_format(measured, baseline),
        endings.more_never_came(measured, baseline),
        endings.unknown(measured, baseline),
    ]
    if any(item.worth not in (0, 1) or item.cluster is not None for item in (*measured.items, *baseline.items)):
        judged = decide(measured, ANSWERS_UNIT, tolerance, _graded(measured, before), others=others, notes=notes)
    else:
        regressed = sum(item.worth < before[item.id].worth for item in measured.items)
        improved = sum(item.worth > before[item.id].worth for item in measured.items)
        judged = _judge_counts(measured, regressed, improved, tolerance, others, discordance, notes)
    judged = msgspec.structs.replace(judged, noise=noise)
    if judged.verdict != "pass" and (worst := _worst_group(measured, before)) is not None:
        judged = msgspec.structs.replace(judged, reason=f"{judged.reason}; {worst}")
    if judged.verdict != "pass" and (cut := endings.of_regressed(measured, baseline)) is not None:
        judged = msgspec.structs.replace(judged, reason=f"{judged.reason}; {cut}")
    if judged.verdict == "fail":
        return judged
    if (obstacle := void(measured)) is not None:
        return error(measured, ANSWERS_UNIT, obstacle, tolerance)
    blind = nothing_to_lose(baseline)
    if blind is None and (ceiling := hardly_to_be_seen(baseline)) is not None:
        if judged.verdict == "pass":
            return msgspec.structs.replace(judged, reason=f"{judged.reason}; {ceiling}")
        blind = f"the suite cannot discriminate: {ceiling}; ask something harder"
    if blind is not None:
        return msgspec.structs.replace(judged, verdict="inconclusive", reason=blind, n_needed=None)
    return judged


def _graded(measured: Answers, before: dict[str, Answer]) -> Estimate:
    """The mean difference of scores with a cluster-robust standard error, in points.

    A few scores that moved alike, or not at all, show hardly a spread and prove little: the interval is never narrower
    than that of as many right-or-wrong answers without a change, and p never below 2^-G, a sign test's least of G
    clusters (an item without a cluster is one of its own).
    """
    clusters = [item.cluster or item.id for item in measured.items]
    found = stats.clustered_interval([100 * (before[item.id].worth - item.worth) for item in measured.items], clusters)
    least = 100 * stats.paired_proportion_interval(0, 0, len(set(clusters)))[1]
    low, high = found.interval
    return Estimate(
        found.value, (min(low, found.value - least), max(high, found.value + least)), max(found.p_value, 0.5 ** len(set(clusters))), found.n
    )


def _worst_group(measured: Answers, before: dict[str, Answer]) -> str | None:
    """Where to look first: the group that lost most, where there is more than one and one of them lost."""
    groups: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for item in measured.items:
        groups[item.group].append((before[item.id].worth, item.worth))
    shares = {group: [100 * sum(column) / len(pairs) for column in zip(*pairs, strict=True)] for group, pairs in groups.items()}
    name, (was, now) = max(shares.items(), key=lambda one: one[1][0] - one[1][1])
    return f"most in {name}: {was:.1f} to {now:.1f} %" if len(shares) > 1 and now < was else None


def _judge_counts(
    measured: Answers, regressed: int, improved: int, tolerance: float, others: Others, discordance: float, notes: Sequence[str | None]
) -> Verdict:
    n = len(measured.items)
    low, high = stats.paired_proportion_interval(regressed, improved, n)
    seen = 0.0 if measured.precision == REFERENCE_PRECISION else (regressed + improved) / n
    judged = decide(
        measured,
        ANSWERS_UNIT,
        tolerance,
        Estimate(100 * (regressed - improved) / n, (100 * low, 100 * high), stats.mcnemar_p(regressed, improved), n),
        others=others,
        discordant=Discordant(regressed=regressed, improved=improved),
        power=(100 * stats.mde(n, seen or discordance), stats.n_needed(tolerance / 100, seen or discordance)),
        notes=notes,
    )
    return msgspec.structs.replace(judged, p_value_mid=stats.mcnemar_mid_p(regressed, improved))


def judge_answers_unpaired(measured: Answers, baseline: Answers, *, accuracy_points: float, others: Others = ALONE) -> Verdict:
    """The loss of accuracy where the items do not pair: Newcombe's interval, Fisher's exact p; it needs far more items."""
    tolerance = between("accuracy_points", accuracy_points, 0, math.inf)
    obstacle = admissible.between_unpaired_answers(measured, baseline)
    if obstacle is not None:
        return error(measured, ANSWERS_UNIT, obstacle, tolerance)
    right = [round(sum(item.worth for item in one.items)) for one in (baseline, measured)]  # whole: all of them are 0 or 1
    counts = (right[0], len(baseline.items), right[1], len(measured.items))
    low, high = stats.unpaired_proportion_interval(*counts)
    drop = 100 * (counts[0] / counts[1] - counts[2] / counts[3])
    estimate = Estimate(drop, (100 * low, 100 * high), stats.fisher_p(*counts), counts[3])
    note = f"unpaired: {counts[3]} items against {counts[1]} others"
    return decide(measured, ANSWERS_UNIT, tolerance, estimate, others=others, notes=[note])


def nothing_to_lose(baseline: Answers) -> str | None:
    """Why no loss could show, however large: BF16 itself gets next to nothing right. None where it does not."""
    right = accuracy(baseline)
    if right > FLOOR:
        return None
    return f"the suite cannot discriminate: BF16 itself gets {right:.1%} right, so there is nothing to lose; ask something easier"


def hardly_to_be_seen(baseline: Answers) -> str | None:
    """Why a loss of ability need not show in these answers: BF16 gets next to all of them right. None where it does not."""
    right = accuracy(baseline)
    return None if right < CEILING else f"BF16 gets {right:.1%} right, so a loss of ability need not show"


def accuracy(measured: Answers) -> float:
    """The mean worth of the items, from 0 to 1."""
    return sum(item.worth for item in measured.items) / len(measured.items)


def change_of_format(measured: Answers, baseline: Answers) -> str | None:
    """A note where the strict form lost (or won) more than a point against the flexible one: a change of form, not of ability."""
    before, now = (100 * share(one.items, lambda item: item.flexible and not item.strict) for one in (baseline, measured))
    if abs(now - before) <= 1.0:
        return None
    return f"a change of format: answers right only when read flexibly went from {before:.1f} to {now:.1f} %"


def noise_of(baseline: Answers) -> Noise | None:
    """What the engine alone does: the baseline's second run against its first (A/A), or None where it has only one."""
    if not baseline.again:
        return None
    answered = {item.id: item for item in baseline.items}
    return Noise(
        n=len(baseline.again),
        flipped=sum(item.worth != answered[item.id].worth for item in baseline.again),
        changed=sum(item.answer != answered[item.id].answer for item in baseline.again),
    )
