"""Losses by group: a suite's whole can stand still while one of its groups falls, and nobody uses a model on average."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from quantgate import stats
from quantgate.judgement.paired import loss_of
from quantgate.judgement.rule import ALPHA, Bearing, Bears, FailWhen
from quantgate.records import Answer, Answers, GroupLoss
from quantgate.stats import Estimate

TOLERANCES = 3.0
"""What one group may lose, in tolerances of the whole, where models.toml states no `group_points`."""
NAMED = 3


class Groups(NamedTuple):
    """`proven`: a note on proven losses that are not too large; `worst`: where to look first, where nothing is proven."""

    losses: list[GroupLoss]
    bearings: list[Bearing]
    proven: str | None
    worst: str | None


def weigh_groups(
    measured: Answers, before: Mapping[str, float], accuracy_points: float, group_points: float | None, fail_when: FailWhen
) -> Groups:
    """Each group's drop with its one-sided p, Holm-adjusted over the groups; nothing where there is one group only."""
    groups = _by_group(measured)
    found = {name: loss_of(items, before).estimate for name, items in groups.items()} if len(groups) > 1 else {}
    shares = {name: sum(before[item.id] for item in items) / len(items) for name, items in groups.items()}
    return _weighed(groups, shares, found, accuracy_points, group_points, fail_when)


def weigh_unpaired_groups(
    measured: Answers, baseline: Answers, accuracy_points: float, group_points: float | None, fail_when: FailWhen
) -> Groups:
    """As `weigh_groups`, of the groups that both sides have: Newcombe's interval, Fisher's exact p; of right or wrong answers."""
    groups, others = _by_group(measured), _by_group(baseline)
    shared = {name: items for name, items in groups.items() if name in others}
    found, shares = {}, {}
    for name, items in shared.items() if len(shared) > 1 else ():
        right, now = (round(sum(item.worth for item in one)) for one in (others[name], items))
        counts = (right, len(others[name]), now, len(items))
        low, high = stats.unpaired_proportion_interval(*counts)
        shares[name] = right / len(others[name])
        drop = 100 * (shares[name] - now / len(items))
        found[name] = Estimate(drop, (100 * low, 100 * high), stats.fisher_p(*counts), len(items))
    return _weighed(shared, shares, found, accuracy_points, group_points, fail_when)


def _by_group(measured: Answers) -> dict[str, list[Answer]]:
    groups: dict[str, list[Answer]] = defaultdict(list)
    for item in measured.items:
        groups[item.group].append(item)
    return groups


def _weighed(
    groups: Mapping[str, Sequence[Answer]],
    shares: Mapping[str, float],
    found: Mapping[str, Estimate],
    accuracy_points: float,
    group_points: float | None,
    fail_when: FailWhen,
) -> Groups:
    """`shares`: of what was right before, by group; `found`: its drop, in points."""
    if not found:
        return Groups([], [], None, None)
    adjusted = dict(zip(found, stats.holm([one.p_value for one in found.values()]), strict=True))
    losses = [
        GroupLoss(
            name=name,
            n=len(groups[name]),
            before=100 * shares[name],
            now=100 * sum(item.worth for item in groups[name]) / len(groups[name]),
            p_value=p,
        )
        for name, p in adjusted.items()
    ]
    limit = limit_of(accuracy_points, group_points)
    proven = sorted((one for one in losses if one.drop > 0 and one.p_value <= ALPHA), key=lambda one: -one.drop)
    # Points have rounding: 80 - 74 of per cents is not below 6.
    fails = [one for one in proven if round(one.drop if fail_when == "likely" else found[one.name].interval[0], 9) >= limit]
    mild = [one for one in proven if one not in fails]
    bearings = [Bearing(Bears.FAILS, f"lost in group {_in_words(one)}, where a group may lose {limit:g} points") for one in fails[:NAMED]]
    named = ", ".join(map(_in_words, mild[:NAMED])) + (f" and in {len(mild) - NAMED} more" if len(mild) > NAMED else "")
    worst = max(losses, key=lambda one: one.drop)
    first = f"most in {worst.name}: {worst.before:.1f} to {worst.now:.1f} %" if worst.drop > 0 and not proven else None
    return Groups(losses, bearings, f"a proven loss in {named}" if mild else None, first)


def limit_of(accuracy_points: float, group_points: float | None) -> float:
    """What a group may lose, in points."""
    return min(100.0, TOLERANCES * accuracy_points) if group_points is None else group_points


def _in_words(one: GroupLoss) -> str:
    return f"{one.name or 'without a name'}: {one.before:.1f} to {one.now:.1f} % (n = {one.n}, p = {one.p_value:.2g})"
