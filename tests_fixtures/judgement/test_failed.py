"""Items whose requests failed: left out on both sides, named, and never what a pass rests on."""

import msgspec
import pytest

from quantgate.judgement.admissible import unfit_to_approve
from quantgate.judgement.answers import judge_answers
from quantgate.judgement.length import weigh_length
from quantgate.records import Answers
from tests_fixtures.doubles.pairs import judged, pair_of_answers

WHY = "Error code: 500"


def without(measured: Answers, *names: str) -> Answers:
    """As a run leaves it in which these failed."""
    items = [item for item in measured.items if item.id not in names]
    accuracy = sum(item.worth for item in items) / len(items)
    return msgspec.structs.replace(measured, items=items, accuracy=accuracy, failed=dict.fromkeys(names, WHY))


def test_what_failed_on_one_side_is_left_out_on_both() -> None:
    measured, baseline = pair_of_answers(9, 4, 1000)
    last = measured.items[-1].id
    verdict = judged((without(measured, last), baseline))
    assert verdict.n == 999
    assert verdict.drop == pytest.approx(500 / 999)
    assert f"left out on both sides: 1 of 1,000 requests failed here ({last}: {WHY})" in verdict.reason
    turned = judged((measured, without(baseline, last)))
    assert (turned.n, turned.drop) == (verdict.n, verdict.drop)
    assert "1 of 1,000 requests failed of the baseline's" in turned.reason


def test_a_pass_that_rests_on_what_failed_is_none() -> None:
    measured, baseline = pair_of_answers(0, 0, 1000)
    names = [item.id for item in measured.items[-4:]]
    # 996 equal answers: Tango's upper end is 0.48 points with its correction; 4 lost would make it 0.88.
    assert judge_answers(without(measured, *names), baseline, accuracy_points=1.0).verdict == "pass"
    close = judge_answers(without(measured, *names), baseline, accuracy_points=0.7)
    assert close.verdict == "inconclusive"
    assert close.reason.startswith("4 requests failed, and with as many answers lost the loss could be above 0.7 points: measure again")
    assert judge_answers(measured, baseline, accuracy_points=0.7).verdict == "pass"


def test_a_loss_is_a_loss_all_the_same() -> None:
    measured, baseline = pair_of_answers(120, 4, 1000)
    assert judge_answers(without(measured, measured.items[-1].id), baseline, accuracy_points=1.0).verdict == "fail"


def test_the_length_is_compared_on_what_both_have() -> None:
    measured, baseline = pair_of_answers(0, 0, 1000)
    found = weigh_length(without(measured, measured.items[-1].id), baseline, length_ratio=1.5)
    assert found is not None
    assert found.estimate is not None
    assert found.estimate.n == 999


def test_a_record_with_items_that_failed_is_no_baseline() -> None:
    measured, _ = pair_of_answers(0, 0, 1000)
    assert unfit_to_approve(measured) is None
    failed = without(measured, measured.items[0].id)
    assert unfit_to_approve(failed) == (
        f"1 of 1,000 requests failed in it ({measured.items[0].id}: {WHY}): a baseline has every item; measure again"
    )
