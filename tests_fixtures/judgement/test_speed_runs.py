"""Speed since its approval: one run against another, and what runs differ by; the time to the first token."""

import math

import msgspec
import pytest

from quantgate.judgement import sentence
from quantgate.judgement.rule import decide
from quantgate.judgement.speed import between_runs, judge_decode_tps, weigh_ttft
from quantgate.records import Approval, Throughput, Verdict
from tests_fixtures.doubles.examples import SPREAD, speed

STEADY = [842.0, 842.5, 841.5, 842.2, 841.8]
THREE_HOSTS = [842.0, 822.0, 821.0]


def approved(figures: list[float], vllm: str = "vllm 1") -> list[Approval]:
    """A history of runs that decoded so fast."""
    return [
        Approval(when=f"2026-01-0{day}", by="Ada", figure=figure, vllm=vllm, device_name="CPU", checkpoint_fingerprint="c")
        for day, figure in enumerate(figures, 1)
    ]


def test_another_host_of_the_same_kind_is_no_loss() -> None:
    """Rounds of one run differ by 0.1 %, and the second host gives 2.4 % less: its interval has to reach to no loss at all."""
    got = judge_decode_tps(speed([tps * 822 / 842 for tps in STEADY]), speed(STEADY), decode_tps_ratio=0.95)
    assert got.interval is not None
    # +- 1.96 * sqrt(2) * 1.5 %, and hardly more.
    assert got.interval == pytest.approx((0.02404 - 0.0416, 0.02404 + 0.0416), abs=2e-4)
    assert got.verdict == "inconclusive"


@pytest.mark.parametrize(("tps", "outcome"), [(842.0, "pass"), (758.0, "fail"), (42.0, "fail")])
def test_a_loss_beyond_what_runs_differ_by_fails(tps: float, outcome: str) -> None:
    assert judge_decode_tps(speed([tps / 842 * one for one in STEADY]), speed(STEADY), decode_tps_ratio=0.95).verdict == outcome


def test_what_runs_differ_by_is_pooled_with_what_was_taken_before() -> None:
    assert between_runs(THREE_HOSTS[:2], 0.015) == (0.015, math.inf, "runs taken to differ by 1.5 %")
    spread, freedom, said = between_runs(THREE_HOSTS, 0.015)
    # ln: 6.73578, 6.71174, 6.71052, standard deviation 0.01425; (4*0.015^2 + 2*0.01425^2) / 6.
    assert spread == pytest.approx(math.sqrt((4 * 0.015**2 + 2 * 0.01425**2) / 6), rel=1e-3)
    assert (freedom, said) == (6, "runs differ by 1.5 %, by 3 approved ones")


def test_the_history_of_the_same_engine_counts_and_no_other() -> None:
    known = msgspec.structs.replace(speed(STEADY), history=approved([820.0, 860.0, 842.0]))
    other = msgspec.structs.replace(speed(STEADY), history=[*approved([820.0, 860.0], "vllm 0"), *approved([842.0])])
    assert "by 3 approved ones" in judge_decode_tps(speed(STEADY), known, decode_tps_ratio=0.95).reason
    assert "taken to differ by 1.5 %" in judge_decode_tps(speed(STEADY), other, decode_tps_ratio=0.95).reason


def test_faster_by_more_than_the_tolerance_asks_for_an_approval() -> None:
    got = judge_decode_tps(speed([1.2 * tps for tps in STEADY]), speed(STEADY), decode_tps_ratio=0.95)
    assert got.verdict == "pass"
    assert got.reason.endswith("; faster by more than the tolerance: approve it, or later losses hide behind the old speed")


def with_ttft(ttft_ms: float, decode_tps: float) -> Throughput:
    """Five rounds of this speed, whose first tokens came after so long, give or take a hundredth."""
    one = speed([decode_tps] * 5)
    rounds = [
        msgspec.structs.replace(each, ttft_ms=msgspec.structs.replace(SPREAD, mean=ttft_ms * (1 + 0.005 * (place - 2))))
        for place, each in enumerate(one.rounds)
    ]
    return msgspec.structs.replace(one, rounds=rounds)


def judged_ttft(now_ms: float) -> Verdict:
    evidence = weigh_ttft(with_ttft(now_ms, 1100.0), with_ttft(50.0, 1000.0), ttft_ratio=1.25)
    assert evidence is not None
    return decide(evidence)


@pytest.mark.parametrize(("now_ms", "outcome"), [(100.0, "fail"), (50.0, "pass"), (40.0, "pass"), (60.0, "inconclusive")])
def test_a_first_token_that_comes_later_fails_though_decoding_is_faster(now_ms: float, outcome: str) -> None:
    got = judged_ttft(now_ms)
    assert (got.verdict, got.aspect) == (outcome, "ttft")
    assert got.drop == pytest.approx(math.log(now_ms / 50), abs=1e-6)


def test_the_line_names_the_first_token() -> None:
    said = "TTFT 2.00x of its baseline [1.74, 2.30], at most 1.25x wanted, n = 5 rounds"
    assert sentence(judged_ttft(100.0)).startswith(f"fail: reference/nvfp4 decode-16x64 TTFT since its approval: {said}")


def test_rounds_that_have_no_first_token_are_told() -> None:
    evidence = weigh_ttft(speed(STEADY), with_ttft(50.0, 1000.0), ttft_ratio=1.25)
    assert evidence is not None
    assert decide(evidence).reason.startswith("no round has its TTFT")
