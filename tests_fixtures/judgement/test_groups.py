"""Losses by group: a whole that stands still while one of its groups falls."""

import msgspec
import pytest

from quantgate.judgement.answers import judge_answers
from quantgate.records import Answers, Verdict
from tests_fixtures.doubles.examples import answers

GROUPS = ("add", "sort", "count", "copy", "spell")


def of_groups(right: dict[str, int], checkpoint: str = "bf16", n: int = 100) -> Answers:
    """So many right of `n` in each group; the right ones come first."""
    one = answers("".join("+" * count + "-" * (n - count) for count in right.values()), checkpoint)
    names = [name for name in right for _ in range(n)]
    items = [msgspec.structs.replace(item, group=name) for item, name in zip(one.items, names, strict=True)]
    return msgspec.structs.replace(one, items=items)


def judged(now: dict[str, int], points: float = 2.0, group_points: float | None = None) -> Verdict:
    before = of_groups(dict.fromkeys(GROUPS, 80))
    return judge_answers(of_groups(now, "nvfp4"), before, accuracy_points=points, group_points=group_points)


ONE_FELL = {"add": 40, "sort": 90, "count": 90, "copy": 90, "spell": 90}


def test_a_group_that_falls_by_three_tolerances_fails_whatever_the_others_gain() -> None:
    # 40 of 100 fell: P = 2^-40 = 9.1e-13, times five groups 4.5e-12; the whole stands still.
    got = judged(ONE_FELL)
    assert (got.verdict, got.drop) == ("fail", 0.0)
    said = "lost in group add: 80.0 to 40.0 % (n = 100, p = 4.5e-12), where a group may lose 6 points"
    assert got.reason.startswith(said)
    assert [(one.name, one.drop) for one in got.groups][:2] == [("add", 40.0), ("sort", -10.0)]


def test_a_proven_loss_of_a_group_below_its_limit_is_named_in_a_pass() -> None:
    # 9 of 100: P = 2^-9 = 0.00195, times five 0.0098.
    got = judged({**ONE_FELL, "add": 71}, points=4.0)
    assert got.verdict == "pass"
    assert got.reason == "within tolerance; a proven loss in add: 80.0 to 71.0 % (n = 100, p = 0.0098)" + BETTER


BETTER = "; better by more than the tolerance (p = 4.6e-06), which quantization does not do: look at the baseline"


def test_holm_over_the_groups_keeps_a_chance_loss_out() -> None:
    # 7 of 100: P = 2^-7 = 0.0078, which alone would be proven, and times five is 0.039.
    assert "group" not in judged({**ONE_FELL, "add": 73}, points=4.0).reason
    assert "proven loss" not in judged({**ONE_FELL, "add": 73}, points=4.0).reason


@pytest.mark.parametrize(("limit", "outcome"), [(9.0, "fail"), (9.1, "pass"), (None, "pass")])
def test_models_toml_may_say_what_a_group_may_lose(limit: float | None, outcome: str) -> None:
    assert judged({**ONE_FELL, "add": 71}, points=4.0, group_points=limit).verdict == outcome


def test_where_no_group_is_proven_a_fail_names_the_one_that_lost_most() -> None:
    got = judged(dict(zip(GROUPS, (76, 77, 77, 77, 77), strict=True)))
    assert got.verdict == "fail"
    assert got.reason.endswith("; most in add: 80.0 to 76.0 %")


def test_one_group_is_the_whole() -> None:
    got = judge_answers(of_groups({"add": 60}, "nvfp4"), of_groups({"add": 80}), accuracy_points=25.0)
    assert (got.verdict, got.groups) == ("inconclusive", [])
