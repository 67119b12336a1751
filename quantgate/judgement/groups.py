"""Losses by group: a suite's whole can stand still while one of its groups falls, and nobody uses a model on average."""

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from quantgate import stats
from quantgate.judgement.paired import loss_of
from quantgate.judgement.rule import ALPHA, Bearing, Bears
from quantgate.records import Answer, Answers, GroupLoss

TOLERANCES = 3.0
"""What one group may lose, in tolerances of the whole, where models.toml states no `group_points`."""
NAMED = 3


class Groups(NamedTuple):
    """`proven`: a note on proven losses that are not too large; `worst`: where to look first, where nothing is proven."""

    losses: list[GroupLoss]
    bearings: list[Bearing]
    proven: str | None
    worst: str | None


def weigh_groups(measured: Answers, before: Mapping[str, float], accuracy_points: float, group_points: float | None) -> Groups:
    """Each group's drop with its one-sided p, Holm-adjusted over the groups; nothing where there is one group only."""
    groups: dict[str, list[Answer]] = defaultdict(list)
    for item in measured.items:
        groups[item.group].append(item)
    if len(groups) < 2:
        return Groups([], [], None, None)
    adjusted = stats.holm([loss_of(items, before).estimate.p_value for items in groups.values()])
    losses = [
        GroupLoss(
            name=name,
            n=len(items),
            before=100 * sum(before[item.id] for item in items) / len(items),
            now=100 * sum(item.worth for item in items) / len(items),
            p_value=p,
        )
        for (name, items), p in zip(groups.items(), adjusted, strict=True)
    ]
    limit = min(100.0, TOLERANCES * accuracy_points) if group_points is None else group_points
    proven = sorted((one for one in losses if one.drop > 0 and one.p_value <= ALPHA), key=lambda one: -one.drop)
    # Points have rounding: 80 - 74 of per cents is not below 6.
    fails = [one for one in proven if round(one.drop, 9) >= limit]
    mild = [one for one in proven if one not in fails]
    bearings = [Bearing(Bears.FAILS, f"lost in group {_in_words(one)}, where a group may lose {limit:g} points") for one in fails[:NAMED]]
    named = ", ".join(map(_in_words, mild[:NAMED])) + (f" and in {len(mild) - NAMED} more" if len(mild) > NAMED else "")
    worst = max(losses, key=lambda one: one.drop)
    first = f"most in {worst.name}: {worst.before:.1f} to {worst.now:.1f} %" if worst.drop > 0 and not proven else None
    return Groups(losses, bearings, f"a proven loss in {named}" if mild else None, first)


def _in_words(one: GroupLoss) -> str:
    return f"{one.name}: {one.before:.1f} to {one.now:.1f} % (n = {one.n}, p = {one.p_value:.2g})"
