"""The loss of accuracy, paired by item; where items do not pair, of accuracies alone.

A suite that cannot discriminate must say so. Where BF16 itself gets none of it right nothing passes; where it gets all of it right, a
checkpoint may lose what the suite stands for without a trace in it, which decides only where the answers do not.
"""

import math

from quantgate import stats
from quantgate.judgement import admissible, early, endings, failed, means, sides
from quantgate.judgement.groups import weigh_groups, weigh_unpaired_groups
from quantgate.judgement.paired import loss_of
from quantgate.judgement.rule import ALONE, ALPHA, Bearing, Bears, Evidence, FailWhen, Others, between, decide
from quantgate.judgement.wellformed import let_pass, share, void
from quantgate.judgement.wording import ANSWERS_UNIT, noise_in_words
from quantgate.records import Answers, Noise, Verdict
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
    group_points: float | None = None,
    others: Others = ALONE,
    discordance: float = DISCORDANCE,
) -> Verdict:
    """The verdict on `weigh_answers`."""
    found = weigh_answers(measured, baseline, accuracy_points=accuracy_points, group_points=group_points, discordance=discordance)
    return decide(found, others)


def weigh_answers(
    measured: Answers,
    baseline: Answers,
    *,
    accuracy_points: float,
    group_points: float | None = None,
    both_ways: bool = False,
    fail_when: FailWhen = "likely",
    unanswered: float | None = None,
    discordance: float = DISCORDANCE,
) -> Evidence:
    """The loss of accuracy in percentage points, paired by item; of the whole, and of each group (`group_points`).

    Right or wrong: Tango's interval, McNemar's exact p. In clusters, or scores: see `paired.py`; the mean by category: `means.py`.
    `mde` and `n_needed` take the discordance seen here, or `discordance` where none was seen or the checkpoint is BF16 itself. Raises
    ConfigurationError for a tolerance <= 0.
    """
    tolerance = between("accuracy_points", accuracy_points, 0, math.inf)
    measured, baseline = failed.without_failed(measured, baseline)
    obstacle = admissible.between_answers(measured, baseline, unanswered)
    if obstacle is not None:
        return Evidence(measured=measured, unit=ANSWERS_UNIT, tolerance=tolerance, obstacle=obstacle)
    before = {item.id: item.worth for item in baseline.items}
    alike, by_question = early.asked_of(baseline, measured), loss_of(measured.items, before)
    found = means.by_category(measured.items, before, by_question) if measured.mean == "category" else by_question
    stop, stopped = early.weigh_stop(
        measured,
        baseline,
        accuracy_points=tolerance,
        group_points=group_points,
        both_ways=both_ways,
        fail_when=fail_when,
    )
    noise = noise_of(baseline)
    groups = weigh_groups(measured, before, tolerance, group_points, fail_when)
    seen = 0.0 if measured.precision == REFERENCE_PRECISION else found.discordance
    plain = found.discordant is not None and found.clusters is None and measured.mean == "question"
    two = means.two_of(measured, before, by_question.estimate)
    d = seen or discordance
    return Evidence(
        measured=measured,
        unit=ANSWERS_UNIT,
        tolerance=tolerance,
        estimate=found.estimate,
        power=(100 * stats.mde(found.estimate.n, d), stats.n_needed(tolerance / 100, d)) if plain and tolerance < 100 else None,
        bearings=[
            *groups.bearings,
            *found.bearings,
            *_void(measured, unanswered),
            *_blind(baseline, tolerance),
            *failed.may_hide(measured, baseline, found.estimate, tolerance),
            *stop,
        ],
        notes=[
            means.said(two),
            stopped,
            *sides.notes(measured, baseline),
            failed.named(measured, baseline),
            noise_in_words(noise, baseline.checkpoint),
            change_of_format(measured, alike),
            endings.more_never_came(measured, alike),
            let_pass(measured, unanswered),
            *found.notes,
            endings.unknown(measured, alike),
            groups.proven,
            None if both_ways else _gain(found.estimate, tolerance),
        ],
        blame=[groups.worst, endings.of_regressed(measured, baseline)],
        both_ways=both_ways,
        fail_when=fail_when,
        discordant=found.discordant,
        p_value_mid=stats.mcnemar_mid_p(found.discordant.regressed, found.discordant.improved) if plain and found.discordant else None,
        clusters=found.clusters,
        groups=groups.losses,
        means=two,
        noise=noise,
    )


def _gain(found: Estimate, tolerance: float) -> str | None:
    """A note where a checkpoint beats its reference by more than the tolerance, which quantization does not do."""
    if found.value > -tolerance or found.p_better > ALPHA:
        return None
    return f"better by more than the tolerance (p = {found.p_better:.2g}), which quantization does not do: look at the baseline"


def _void(measured: Answers, unanswered: float | None) -> list[Bearing]:
    obstacle = void(measured, may=unanswered)
    return [] if obstacle is None else [Bearing(Bears.VOIDS, obstacle)]


def _blind(baseline: Answers, tolerance: float) -> list[Bearing]:
    """What a suite at its floor or its ceiling cannot show."""
    if (floor := nothing_to_lose(baseline, tolerance)) is not None:
        return [Bearing(Bears.FORBIDS_CLEARING, floor)]
    if (ceiling := hardly_to_be_seen(baseline)) is not None:
        return [Bearing(Bears.MAY_HIDE, f"the suite cannot discriminate: {ceiling}; ask something harder", said_as_note=ceiling)]
    return []


def judge_answers_unpaired(measured: Answers, baseline: Answers, *, accuracy_points: float, others: Others = ALONE) -> Verdict:
    """The verdict on `weigh_answers_unpaired`."""
    return decide(weigh_answers_unpaired(measured, baseline, accuracy_points=accuracy_points), others)


def weigh_answers_unpaired(
    measured: Answers,
    baseline: Answers,
    *,
    accuracy_points: float,
    group_points: float | None = None,
    both_ways: bool = False,
    fail_when: FailWhen = "likely",
    unanswered: float | None = None,
) -> Evidence:
    """The loss of accuracy where the items do not pair: Newcombe's interval, Fisher's exact p; it needs far more items."""
    tolerance = between("accuracy_points", accuracy_points, 0, math.inf)
    obstacle = admissible.between_unpaired_answers(measured, baseline, unanswered)
    if obstacle is not None:
        return Evidence(measured=measured, unit=ANSWERS_UNIT, tolerance=tolerance, obstacle=obstacle)
    right = [round(sum(item.worth for item in one.items)) for one in (baseline, measured)]  # whole: all of them are 0 or 1
    counts = (right[0], len(baseline.items), right[1], len(measured.items))
    low, high = stats.unpaired_proportion_interval(*counts)
    drop = 100 * (counts[0] / counts[1] - counts[2] / counts[3])
    p_better = stats.fisher_p(counts[2], counts[3], counts[0], counts[1])
    found = Estimate(drop, (100 * low, 100 * high), stats.fisher_p(*counts), counts[3], p_better)
    groups = weigh_unpaired_groups(measured, baseline, tolerance, group_points, fail_when)
    return Evidence(
        measured=measured,
        unit=ANSWERS_UNIT,
        tolerance=tolerance,
        estimate=found,
        bearings=[*groups.bearings, *_blind(baseline, tolerance)],
        notes=[
            *sides.notes(measured, baseline),
            f"unpaired: {counts[3]} items against {counts[1]} others",
            *admissible.unpaired_doubts(measured, baseline),
            groups.proven,
            None if both_ways else _gain(found, tolerance),
        ],
        blame=[groups.worst],
        groups=groups.losses,
        both_ways=both_ways,
        fail_when=fail_when,
    )


def nothing_to_lose(baseline: Answers, tolerance: float = 0.0) -> str | None:
    """Why no loss could show, however large: BF16 itself gets next to nothing right, or no more than the tolerance (points) would let
    go. None where it does not."""
    right = accuracy(baseline)
    if right > max(FLOOR, tolerance / 100):
        return None
    rest = "there is nothing to lose" if right <= FLOOR else f"all of it could be lost within the tolerance of {tolerance:g} points"
    return f"the suite cannot discriminate: BF16 itself gets {right:.1%} right, so {rest}; ask something easier"


def hardly_to_be_seen(baseline: Answers) -> str | None:
    """Why a loss of ability need not show in these answers: BF16 gets next to all of them right. None where it does not."""
    right = accuracy(baseline)
    return None if right < CEILING else f"BF16 gets {right:.1%} right, so a loss of ability need not show"


def blind(baseline: Answers) -> str | None:
    """Why these answers make a baseline against which a loss need not show, or None."""
    return nothing_to_lose(baseline) or hardly_to_be_seen(baseline)


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
