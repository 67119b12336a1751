"""Families → shards: the same on every host, whole, and never far from the best there is."""

import itertools
import random

import pytest

from quantgate.matrix import Cost, Unit, cut, ends_of, family_seconds, lower_bound


def unit(family: str, seconds: float, checkpoint: str = "bf16") -> Unit:
    cost = Cost(seconds=seconds, boot_seconds=0.0, source="estimate", weights_bytes=None)
    return Unit(
        family=family, checkpoint=checkpoint, precision="bf16", suites=("text",), devices=1, cost=cost, is_reference=checkpoint == "bf16"
    )


def drawn(seed: int, families: int) -> list[Unit]:
    draw = random.Random(seed)
    return [
        unit(f"f{number:03}", draw.choice([draw.random(), draw.expovariate(0.1), 5.0]), name)
        for number in range(families)
        for name in ("bf16", "fp8", "nvfp4")[: draw.randint(1, 3)]
    ]


def best(seconds: list[float], count: int) -> float:
    """By trying all."""
    return min(
        max(sum(one for one, where in zip(seconds, places, strict=True) if where == shard) for shard in range(count))
        for places in itertools.product(range(count), repeat=len(seconds))
    )


def test_the_longest_first_each_to_where_it_ends_soonest() -> None:
    matrix = [unit("a", 3.0), unit("b", 2.0), unit("c", 2.0), unit("d", 1.0), unit("a", 2.0, "fp8")]
    assert cut(matrix, 2) == [["a"], ["b", "c", "d"]]
    assert cut(matrix, 1) == [["a", "b", "c", "d"]]
    assert cut(matrix, 6) == [["a"], ["b"], ["c"], ["d"], [], []]
    assert cut([], 2) == [[], []]


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_the_units_does_not_matter_and_families_stay_whole(seed: int) -> None:
    matrix, draw = drawn(seed, 30), random.Random(seed)
    for count in (1, 2, 3, 7, 40):
        found = cut(matrix, count)
        draw.shuffle(matrix)
        assert cut(matrix, count) == found
        assert sorted(name for shard in found for name in shard) == sorted({one.family for one in matrix})
        assert len(found) == count


@pytest.mark.parametrize("seed", range(40))
def test_never_above_graham_s_bound_of_the_best_there_is(seed: int) -> None:
    matrix = drawn(seed, random.Random(seed).randint(1, 7))
    seconds = family_seconds(matrix)
    for count in (1, 2, 3):
        optimum = best(list(seconds.values()), count)
        ends = max(ends_of(cut(matrix, count), seconds))
        assert lower_bound(seconds.values(), count) <= optimum + 1e-9
        assert ends <= (4 / 3 - 1 / (3 * count)) * optimum + 1e-9


@pytest.mark.parametrize("seed", range(40))
def test_nor_of_what_no_cut_by_family_can_be_below(seed: int) -> None:
    matrix = drawn(seed, 200)
    seconds = family_seconds(matrix)
    for count in (2, 6, 64):
        ends = max(ends_of(cut(matrix, count), seconds))
        assert ends <= (4 / 3 - 1 / (3 * count)) * lower_bound(seconds.values(), count) + 1e-9


def test_a_lower_bound_knows_what_some_shard_has_to_take() -> None:
    assert lower_bound([5.0, 1.0], 2) == 5.0
    assert lower_bound([3.0, 3.0, 3.0], 2) == 6.0
    assert lower_bound([2.0] * 5, 2) == 6.0
    assert lower_bound([], 3) == 0.0


def test_a_sum_of_seconds_is_the_same_to_the_last_digit_in_any_order() -> None:
    parts = [unit("a", 0.1, "x"), unit("a", 0.2, "y"), unit("a", 0.3, "z")]
    assert len({family_seconds(order)["a"] for order in itertools.permutations(parts)}) == 1
