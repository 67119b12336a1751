"""Families → shards: the longest first, each to where it ends soonest (Graham 1969: never above 4/3 - 1/(3N) of the best there is)."""

from collections.abc import Iterable, Sequence

from quantgate.matrix.unit import Unit


def cut(units: Iterable[Unit], count: int) -> list[list[str]]:
    """The families of each of `count` shards, in the order in which they were laid. The order of `units` does not matter; ties go by name,
    then to the first shard. A shard for which no family is left is empty."""
    seconds = family_seconds(units)
    shards: list[list[str]] = [[] for _ in range(count)]
    ends = [0.0] * count
    for name in sorted(seconds, key=lambda name: (-seconds[name], name)):
        place = min(range(count), key=lambda number: (ends[number], len(shards[number]), number))
        shards[place].append(name)
        ends[place] += seconds[name]
    return shards


def family_seconds(units: Iterable[Unit]) -> dict[str, float]:
    """What each family takes on one slot, boots and all; summed in the order of names, so that it is the same to the last digit."""
    found: dict[str, float] = {}
    for one in sorted(units, key=lambda one: (one.family, one.checkpoint)):
        found[one.family] = found.get(one.family, 0.0) + one.cost.total
    return found


def lower_bound(seconds: Iterable[float], count: int) -> float:
    """No cut of parts that take so long into `count` ends sooner: the mean of all, and for each k the k + 1 shortest of the k · count + 1
    longest, which some shard has to take (k = 0: the longest of all)."""
    longest = sorted(seconds, reverse=True)
    forced = [sum(longest[k * count - k : k * count + 1]) for k in range((len(longest) - 1) // count + 1)] if longest else []
    return max([sum(longest) / count, *forced], default=0.0)


def ends_of(shards: Sequence[Sequence[str]], seconds: dict[str, float]) -> list[float]:
    """When each shard has ended."""
    return [sum(seconds.get(name, 0.0) for name in shard) for shard in shards]
