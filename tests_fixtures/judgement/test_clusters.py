"""Answers that depend on each other: a verdict on as many as they count for."""

import random

import msgspec
import pytest

from quantgate.judgement import sentence
from quantgate.judgement.answers import judge_answers
from quantgate.records import Answers, Verdict
from tests_fixtures.doubles.examples import MIXED, answers
from tests_fixtures.doubles.pairs import pair_of_answers


def held(one: Answers, sizes: list[int]) -> Answers:
    """The answers in clusters of these sizes, in their order; what is left stands alone."""
    names: list[str | None] = [f"talk {place}" for place, size in enumerate(sizes) for _ in range(size)]
    names += [None] * (len(one.items) - len(names))
    return msgspec.structs.replace(one, items=[msgspec.structs.replace(i, cluster=name) for i, name in zip(one.items, names, strict=True)])


def judged(pair: tuple[Answers, Answers], sizes: list[int], points: float = 4.0) -> Verdict:
    now, base = pair
    return judge_answers(held(now, sizes), held(base, sizes), accuracy_points=points)


def flipped(n: int, share: float, seed: int = 1) -> tuple[Answers, Answers]:
    """Answers of which so many, anywhere, go from right to wrong, and as many the other way."""
    places = random.Random(seed).sample(range(n), round(n * share))
    before, now = list(("++++-" * n)[:n]), list(("++++-" * n)[:n])
    for number, place in enumerate(places):
        before[place], now[place] = ("+", "-") if number % 2 else ("-", "+")
    return answers("".join(now), "nvfp4"), answers("".join(before))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.02])
def test_fifty_clusters_of_twenty_pass_where_nothing_is_lost(share: float) -> None:
    got = judged(flipped(1000, share), [20] * 50)
    assert got.verdict == "pass"
    assert (got.n, got.clusters) == (1000, 50)
    assert ", n = 1000 in 50 clusters (" in sentence(got)


def test_a_label_on_one_item_changes_nothing() -> None:
    """5 worse and 1 better of 250 are 1.6 points [-0.4, 4.1]: undecided at 4 points, and so they stay."""
    pair = pair_of_answers(5, 1, 250)
    plain, labelled = judged(pair, []), judged(pair, [1])
    assert plain.verdict == labelled.verdict == "inconclusive"
    assert plain.interval == labelled.interval
    assert judged(pair, [2]).verdict == "inconclusive"


def test_copies_of_one_item_count_once() -> None:
    """Twenty copies of each of 50 items, one of which falls: 1 of 50, not 20 of 1,000."""
    before = "".join(letter * 20 for letter in ("++++-" * 10))
    now = "-" * 20 + before[20:]
    got = judged((answers(now, "nvfp4"), answers(before)), [20] * 50)
    alone = judge_answers(answers("-" + "+++-" + "++++-" * 9, "nvfp4"), answers("++++-" * 10), accuracy_points=4.0)
    assert got.drop == alone.drop == pytest.approx(2.0)
    assert got.verdict == "inconclusive"
    assert got.interval is not None
    assert alone.interval is not None
    # Student's quantile for 49 degrees of freedom, 2.01 for 1.96, is what remains.
    assert got.interval == pytest.approx(alone.interval, abs=0.6)


def test_one_cluster_that_holds_nearly_all_never_passes_and_fails_by_signs_alone() -> None:
    sizes, n = [1000], 1250
    same = judged(flipped(n, 0.0), sizes)
    assert same.verdict == "inconclusive"
    assert same.reason.startswith("1250 items in 251 clusters count as 1.6 clusters of one size, and below 15 no loss can be ruled out")
    # The one cluster lost everything, and none of the 250 others did anything: one heads is no proof.
    before = "+" * 1000 + MIXED[:100] + MIXED[:150]
    fallen = (answers("-" * 1000 + before[1000:], "nvfp4"), answers(before))
    assert judged(fallen, sizes).verdict == "inconclusive"
    # With the others it fell: 121 tails in a row.
    assert judged((answers("-" * n, "nvfp4"), answers(before)), sizes).verdict == "fail"


def test_ten_conversations_that_all_fall_fail_and_five_do_not() -> None:
    for count, outcome in ((10, "fail"), (5, "inconclusive")):
        before, now = "+++-" * count, "+---" * count
        assert judged((answers(now, "nvfp4"), answers(before)), [4] * count).verdict == outcome


def test_interval_and_p_tell_the_same() -> None:
    generator = random.Random(3)
    for _ in range(60):
        sizes = [generator.choice((1, 3, 10)) for _ in range(60)]
        n = sum(sizes)
        before = "".join(generator.choice("+++-") * size for size in sizes)
        now = "".join(generator.choice("+-") if generator.random() < 0.1 else letter for letter in before)
        got = judged((answers(now, "nvfp4"), answers(before)), sizes)
        assert got.interval is not None
        assert got.p_value_alone is not None
        assert (got.interval[0] > 0) == (got.p_value_alone < 0.025), (n, got)
