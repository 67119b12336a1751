"""Is the device fit to measure speed on: what NVML's words mean, and what they do to a verdict."""

import math

import msgspec
import pytest

from quantgate.devices import choice, health
from quantgate.errors import MeasurementError
from quantgate.judgement import Others, judge_decode_tps, judge_speedup
from quantgate.judgement.speed import slower
from quantgate.records import DeviceHealth, Limit, Throughput
from tests_fixtures.doubles.examples import speed

WELL = DeviceHealth(copy_gb_s=4300.0, matmul_tflops=700.0)
STEADY = [100.0, 101.0, 99.0, 100.0, 100.5, 99.5]


def with_health(rounds: list[float], health: DeviceHealth | None) -> Throughput:
    return msgspec.structs.replace(speed(rounds), health=health)


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (health.Reading(), []),
        (health.Reading(reasons=0x01 | 0x02 | 0x04, busy_percent=3), []),  # idle, clocks set by the user, power cap
        (health.Reading(reasons=0x40), ["the device is slowed down (hardware thermal slowdown)"]),
        (
            health.Reading(reasons=0x08 | 0x80),
            ["the device is slowed down (hardware slowdown)", "the device is slowed down (hardware power brake)"],
        ),
        (health.Reading(busy_percent=37), ["the device was 37 % busy before the load began: somebody else is on it"]),
    ],
)
def test_what_nvml_says_of_a_device_in_words(reading: health.Reading, said: list[str]) -> None:
    assert health.troubles(reading) == said


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (WELL, None),
        (None, None),
        (msgspec.structs.replace(WELL, copy_gb_s=0.86 * 4300), None),
        (
            msgspec.structs.replace(WELL, copy_gb_s=3000.0),
            "the device itself gives 3000 GB/s in a copy, and gave 4300 when its baseline was approved",
        ),
        (
            msgspec.structs.replace(WELL, matmul_tflops=500.0),
            "the device itself gives 500 TFLOP/s in a matrix product, and gave 700 when its baseline was approved",
        ),
    ],
)
def test_a_device_that_is_slower_than_when_its_baseline_was_approved_is_named(now: DeviceHealth | None, said: str | None) -> None:
    assert slower(now, WELL) == said


def test_a_sick_device_neither_passes_nor_fails() -> None:
    sick = msgspec.structs.replace(WELL, trouble="the device is slowed down (hardware thermal slowdown)")
    for rounds in (STEADY, [one / 2 for one in STEADY]):
        got = judge_decode_tps(with_health(rounds, sick), with_health(STEADY, WELL), decode_tps_ratio=0.95, others=Others(1))
        assert got.verdict == "inconclusive"
        assert got.reason == f"{sick.trouble}; measure again on a device that is well and free"
        assert got.drop is not None


def test_half_the_speed_on_a_device_that_copies_at_half_the_speed_is_inconclusive_and_on_a_sound_one_a_fail() -> None:
    halved, half_a_device = [one / 2 for one in STEADY], msgspec.structs.replace(WELL, copy_gb_s=2150.0)
    before = with_health(STEADY, WELL)
    judged = {
        name: judge_decode_tps(with_health(halved, health), before, decode_tps_ratio=0.95, others=Others(1)).verdict
        for name, health in (("slow device", half_a_device), ("sound device", WELL))
    }
    assert judged == {"slow device": "inconclusive", "sound device": "fail"}


def test_a_speed_up_measured_beside_somebody_else_is_inconclusive() -> None:
    shared = msgspec.structs.replace(WELL, trouble="the device was 37 % busy before the load began: somebody else is on it")
    one = msgspec.structs.replace(speed(STEADY, [math.log(0.9)] * 6), health=shared)
    got = judge_speedup(one, speedup_over_bf16=0.4, others=Others(1))
    assert (got.verdict, got.against) == ("inconclusive", "same run")


def test_the_cpu_copies_and_multiplies() -> None:
    found = health.look_at_health(choice.select("cpu")[0], "0.32.0")
    assert found.copy_gb_s > 0
    assert found.matmul_tflops > 0
    assert found.trouble is None


def test_a_device_that_cannot_copy_voids_the_measurement_in_one_sentence() -> None:
    with pytest.raises(MeasurementError, match=r"^a copy and a matrix product on CPU .* failed, so no speed is measured there: \S.*$"):
        health.look_at_health(choice.select("cpu")[0], "0.32.0", {"PYTHONSAFEPATH": "1", "PYTHONHOME": "/nowhere"})


def reached(measured: Throughput, percent: float) -> Throughput:
    """The same at so much of what memory allows."""
    return msgspec.structs.replace(measured, limit=Limit(weights_gib=1.0, kv_gib=0.0, decode_tps=1e6, percent=percent))


@pytest.mark.parametrize(("percent", "verdict"), [(0.07, "inconclusive"), (9.9, "inconclusive"), (10.0, "fail"), (84.0, "fail")])
def test_a_speed_that_the_host_set_when_it_was_approved_fails_no_checkpoint(percent: float, verdict: str) -> None:
    halved = with_health([one / 2 for one in STEADY], WELL)
    got = judge_decode_tps(halved, reached(with_health(STEADY, WELL), percent), decode_tps_ratio=0.95, others=Others(1))
    assert got.verdict == verdict
    said = f"its approved speed is {percent:.2g} % of what the device's memory allows: the host sets it"
    assert got.reason.startswith(said) == (verdict == "inconclusive")


@pytest.mark.parametrize(("share", "percent"), [(0.05, 4.2), (0.8, 9.0), (0.93, 10.5)])
def test_a_checkpoint_that_collapses_is_no_host_s_doing(share: float, percent: float) -> None:
    # Approved at 84 % of the limit and now a twentieth of that; or at 11.3 % and now a fifth slower: what is measured is below 10 %.
    slowed = reached(with_health([share * one for one in STEADY], WELL), percent)
    got = judge_decode_tps(slowed, reached(with_health(STEADY, WELL), percent / share), decode_tps_ratio=0.95, others=Others(1))
    assert got.verdict == "fail"


@pytest.mark.parametrize(
    ("share", "percent", "verdict"),
    [(0.25, 5.0, "inconclusive"), (0.25, 40.0, "fail"), (0.25, None, "fail"), (0.1, 5.0, "fail")],
    ids=["a host's speed", "a device's", "unknown", "collapsed"],
)
def test_a_speed_up_is_excused_by_bf16_s_own_share_alone(share: float, percent: float | None, verdict: str) -> None:
    bound = None if percent is None else Limit(weights_gib=1.0, kv_gib=0.0, decode_tps=1e6, percent=percent)
    slow = reached(speed(STEADY, [math.log(share) + 0.01 * (-1) ** place for place in range(6)]), 0.5)
    got = judge_speedup(msgspec.structs.replace(slow, health=WELL, bf16_limit=bound), speedup_over_bf16=0.4, others=Others(1))
    assert got.verdict == verdict
    assert ("BF16's speed is 5 % of what" in got.reason) == (verdict == "inconclusive")


def test_a_speed_that_the_host_sets_may_pass() -> None:
    same = reached(with_health(STEADY, WELL), 0.07)
    assert judge_decode_tps(same, same, decode_tps_ratio=0.95, others=Others(1)).verdict == "pass"
