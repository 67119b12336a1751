"""Speed under the rule: against BF16 in the same run, and against the approved measurement."""

import math

import msgspec
import pytest

from quantgate.errors import ConfigurationError
from quantgate.judgement.rule import Others
from quantgate.judgement.speed import judge_decode_tps, judge_speedup
from quantgate.judgement.wording import sentence
from quantgate.records import Verdict, encode
from tests_fixtures.doubles.examples import speed, speedups, with_provenance


def judged_speed(ratios: list[float], wanted: float, suites: int = 1) -> Verdict:
    return judge_speedup(speedups(ratios), speedup_over_bf16=wanted, others=Others(suites))


SLOWER, AT_ONE, FASTER = [0.80, 0.82, 0.81, 0.79, 0.83], [0.99, 1.01, 1.0, 1.02, 0.98], [1.38, 1.42, 1.40, 1.41, 1.39]


def test_slower_than_bf16_passes_where_slower_is_allowed() -> None:
    got = judged_speed(SLOWER, 0.4)
    assert (got.verdict, got.reason, got.unit, got.n) == ("pass", "a real loss, within tolerance", "ln(speed ratio)", 5)
    assert got.tolerance == pytest.approx(0.916291, abs=1e-6)
    assert got.drop == pytest.approx(-sum(map(math.log, SLOWER)) / 5, rel=1e-12)


def test_slower_than_the_allowance_fails() -> None:
    assert judged_speed(SLOWER, 0.9).verdict == "fail"


@pytest.mark.parametrize(("ratios", "outcome"), [(FASTER, "pass"), (AT_ONE, "fail"), (SLOWER, "fail"), ([1.2, 1.42], "inconclusive")])
def test_a_required_speed_up_is_a_question_of_its_own(ratios: list[float], outcome: str) -> None:
    got = judged_speed(ratios, 1.3)
    assert got.verdict == outcome
    assert got.tolerance == pytest.approx(-math.log(1.3))


def test_faster_than_bf16_and_yet_short_of_the_requirement_fails() -> None:
    # p(drop <= 0) is near 1 here; p(drop <= bound) is what shows the shortfall.
    got = judged_speed(FASTER, 2.0)
    assert got.verdict == "fail"
    assert got.drop is not None
    assert got.drop < 0
    assert got.p_value is not None
    assert got.p_value < 0.001


def test_at_least_as_fast_as_bf16_is_a_bound_of_zero() -> None:
    assert judged_speed(FASTER, 1.0).verdict == "pass"
    got = judged_speed(AT_ONE, 1.0)
    assert (got.verdict, got.tolerance) == ("inconclusive", 0.0)
    assert math.copysign(1.0, got.tolerance or 0.0) == 1.0


def test_one_round_of_speed_decides_nothing() -> None:
    assert judged_speed([0.8], 0.4).verdict == "inconclusive"


def test_equal_rounds_decide_by_their_value() -> None:
    assert judged_speed([0.5, 0.5], 0.4).verdict == "pass"
    assert judged_speed([0.5, 0.5], 0.6).verdict == "fail"
    assert judged_speed([0.5, 0.5], 0.5).verdict == "fail"


def test_suites_multiply_the_p_of_a_speed_too() -> None:
    alone = judged_speed([0.7, 0.8, 0.9, 0.75], 0.9)
    assert alone.verdict == "fail"
    assert judged_speed([0.7, 0.8, 0.9, 0.75], 0.9, suites=10).verdict == "inconclusive"


def test_a_speed_without_bf16_beside_it_is_an_error() -> None:
    got = judge_speedup(speed([100.0, 101.0]), speedup_over_bf16=0.4, others=Others(1))
    assert got.verdict == "error"
    assert "measure the BF16 checkpoint in the same run" in got.reason


def test_a_round_that_is_no_number_is_an_error_that_names_it() -> None:
    got = judge_speedup(speed([100.0, 100.0], [0.1, math.nan]), speedup_over_bf16=0.4, others=Others(1))
    assert got.reason.startswith("log_speedup_over_bf16[2] is nan")


@pytest.mark.parametrize("ratio", [0.0, -0.4, math.nan, math.inf])
def test_a_required_speed_ratio_must_be_above_zero(ratio: float) -> None:
    with pytest.raises(ConfigurationError, match="speedup_over_bf16 = "):
        judged_speed(SLOWER, ratio)


def judged_tps(now: list[float], before: list[float], ratio: float = 0.95) -> Verdict:
    return judge_decode_tps(speed(now), speed(before), decode_tps_ratio=ratio, others=Others(1))


STEADY = [1000.0, 1002.0, 998.0, 1001.0, 999.0]


@pytest.mark.parametrize(
    ("factor", "outcome"), [(1.0, "pass"), (0.995, "pass"), (0.98, "inconclusive"), (0.90, "fail"), (0.9501, "inconclusive")]
)
def test_decode_speed_is_judged_against_the_approved_one(factor: float, outcome: str) -> None:
    got = judged_tps([factor * tps for tps in STEADY], STEADY)
    assert got.verdict == outcome
    assert got.drop == pytest.approx(-math.log(factor), abs=1e-12)
    assert got.reason.endswith("; unpaired: 5 rounds against 5 of another run, runs taken to differ by 1.5 %")
    assert got.tolerance == pytest.approx(0.0512933, abs=1e-7)


def test_decode_speed_of_another_device_class_is_never_compared() -> None:
    got = judge_decode_tps(speed(STEADY), with_provenance(speed(STEADY), device_class="H200 TP1"), decode_tps_ratio=0.95, others=Others(1))
    assert got.reason.startswith("the device class changed from 'H200 TP1' to 'cpu'")


def test_decode_speed_under_another_load_is_an_error() -> None:
    other = msgspec.structs.replace(speed(STEADY), concurrency=8)
    got = judge_decode_tps(speed(STEADY), other, decode_tps_ratio=0.95, others=Others(1))
    assert got.reason.startswith("the load's concurrency changed from 8 to 16")


def test_a_round_without_speed_is_an_error_that_names_it() -> None:
    assert judged_tps([1000.0, 0.0], STEADY).reason == "the measurement has no speed in round 2: measure again"
    assert judged_tps(STEADY, []).reason == "the baseline has no speed in any round: measure again"
    assert judged_tps([1000.0, math.nan], STEADY).reason.startswith("rounds[2].decode_tps is nan in the measurement")


@pytest.mark.parametrize("ratio", [1.0, 1.1, 0.0, math.nan])
def test_a_decode_ratio_lies_between_zero_and_one(ratio: float) -> None:
    with pytest.raises(ConfigurationError, match=r"decode_tps_ratio = .* above 0 and below 1"):
        judged_tps(STEADY, STEADY, ratio)


def test_the_sentence_on_speed_shows_the_ratio() -> None:
    assert sentence(judged_speed(SLOWER, 0.4)) == (
        "pass: reference/nvfp4 decode-16x64: 0.81x of BF16 [0.79, 0.83], at least 0.40x wanted, n = 5 rounds; a real loss, within tolerance"
    )
    assert "0.90x of its baseline [0.86, 0.94], at least 0.95x wanted" in sentence(judged_tps([0.9 * tps for tps in STEADY], STEADY))


@pytest.mark.parametrize("got", [judged_speed([0.8], 0.4), judged_speed(AT_ONE, 1.0)], ids=["one round", "at one"])
def test_every_verdict_of_speed_can_be_written(got: Verdict) -> None:
    assert encode(got)
    assert sentence(got).startswith(got.verdict)
