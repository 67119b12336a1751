"""What bears on an outcome beside the drop, in the one order in which it is weighed; both ways; and the rule that wants proof."""

import msgspec
import pytest

from quantgate.judgement.rule import ALONE, Bearing, Bears, Evidence, Others, decide
from quantgate.judgement.wording import ANSWERS_UNIT
from quantgate.records import Verdict
from quantgate.stats import Estimate
from tests_fixtures.doubles.examples import answers

PASSES = Estimate(1.0, (-1.0, 3.0), 0.2, 100, 0.8)
FAILS = Estimate(5.0, (3.0, 7.0), 0.001, 100, 0.999)
UNDECIDED = Estimate(3.0, (-1.0, 7.0), 0.1, 100, 0.9)
BETTER = Estimate(-5.0, (-7.0, -3.0), 0.999, 100, 0.001)


def weighed(found: Estimate, *bearings: Bearing, others: Others = ALONE, **more: object) -> Verdict:
    evidence = Evidence(measured=answers(), unit=ANSWERS_UNIT, tolerance=4.0, estimate=found, bearings=bearings, notes=["noted"])
    return decide(msgspec.structs.replace(evidence, **more), others)


@pytest.mark.parametrize(
    ("how", "outcomes"),
    [
        (Bears.FAILS, ("fail", "fail", "fail")),
        (Bears.VOIDS, ("error", "fail", "error")),
        (Bears.DECIDES_NOTHING, ("inconclusive", "inconclusive", "inconclusive")),
        (Bears.FORBIDS_FAILING, ("pass", "inconclusive", "inconclusive")),
        (Bears.FORBIDS_CLEARING, ("inconclusive", "fail", "inconclusive")),
        (Bears.MAY_HIDE, ("pass", "fail", "inconclusive")),
        (Bears.ALARMS, ("pass", "fail", "inconclusive")),
    ],
)
def test_each_bearing_has_its_outcome_for_a_pass_a_fail_and_neither(how: Bears, outcomes: tuple[str, str, str]) -> None:
    got = [weighed(found, Bearing(how, "so it is")).verdict for found in (PASSES, FAILS, UNDECIDED)]
    assert tuple(got) == outcomes


@pytest.mark.parametrize("estimate", [PASSES, FAILS, UNDECIDED])
@pytest.mark.parametrize("how", [how for how in Bears if how not in (Bears.MAY_HIDE, Bears.ALARMS, Bears.FORBIDS_FAILING)])
def test_what_changes_an_outcome_is_said(how: Bears, estimate: Estimate) -> None:
    plain, got = weighed(estimate), weighed(estimate, Bearing(how, "so it is"))
    assert got.verdict == plain.verdict or "so it is" in got.reason


def test_a_sick_device_outweighs_a_fail_and_a_proven_loss_outweighs_void_answers() -> None:
    sick, void = Bearing(Bears.DECIDES_NOTHING, "sick"), Bearing(Bears.VOIDS, "void")
    assert weighed(FAILS, sick).reason == "sick"
    assert weighed(FAILS, void).verdict == "fail"
    assert (weighed(PASSES, sick, void).verdict, weighed(PASSES, sick, void).reason) == ("error", "void")


def test_a_suite_that_may_hide_a_loss_is_named_briefly_in_a_pass_and_is_the_reason_where_nothing_is_decided() -> None:
    hides = Bearing(Bears.MAY_HIDE, "the suite cannot discriminate", "blind")
    assert weighed(PASSES, hides).reason == "within tolerance; noted; blind"
    assert weighed(UNDECIDED, hides).reason == "the suite cannot discriminate; noted"
    assert weighed(UNDECIDED, hides).n_needed is None


def test_what_fails_by_itself_comes_before_what_the_drop_says() -> None:
    group = Bearing(Bears.FAILS, "a group fell")
    assert weighed(PASSES, group).reason == "a group fell; noted"
    assert weighed(FAILS, group).reason == "a group fell; the drop reaches the tolerance, and chance does not explain it (p = 0.001); noted"


def test_blame_is_told_unless_it_passes() -> None:
    assert [weighed(found, blame=["look there"]).reason.endswith("look there") for found in (PASSES, FAILS, UNDECIDED)] == [
        False,
        True,
        True,
    ]


def test_better_by_more_than_the_tolerance_fails_only_where_nothing_should_have_changed() -> None:
    assert weighed(BETTER).verdict == "pass"
    assert weighed(BETTER, both_ways=True).verdict == "fail"
    assert weighed(BETTER, both_ways=True, others=Others(30)).verdict == "inconclusive"
    # Not proven, and not within the tolerance either way.
    assert weighed(Estimate(-3.0, (-7.0, 1.0), 0.9, 100, 0.1), both_ways=True).verdict == "inconclusive"


def test_where_only_proof_fails_a_loss_that_reaches_the_tolerance_does_not() -> None:
    got = weighed(FAILS, fail_when="proven")
    assert got.verdict == "inconclusive"
    assert 'not proven beyond the tolerance, as fail_when = "proven" asks' in got.reason
    beyond = Estimate(9.0, (4.5, 13.5), 0.0001, 100, 0.9999)
    assert (weighed(beyond).reason, weighed(beyond, fail_when="proven").verdict) == (
        "proven beyond the tolerance (p = 0.0001); noted",
        "fail",
    )
