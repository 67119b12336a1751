"""BF16's speed where two servers do not fit on the device at once: measured first, once, in this run."""

import math
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fixtures import before, speed_verdict
from fixtures.devices import Slot, cpu
from fixtures.errors import ServerError
from fixtures.judging import Case
from fixtures.nvml import Device
from fixtures.records import Throughput, write_record
from fixtures.registry import Checkpoint, Family, Registry, Serve, Tolerance
from fixtures.state import State, fit_together, speed_reference
from fixtures.suites import LoadSuite, decode_16x64
from tests_fixtures.examples import speed, with_provenance

H200 = Slot(devices=[Device(name="NVIDIA H200", uuid="GPU-a1", memory_gib=140.0)])
LATER = "2999-01-01T00:00:00+00:00"
OWN = [120.0, 121.0, 119.0]
BF16 = [100.0, 101.0, 99.0]


def checkpoint(name: str, share: float = 0.9) -> Checkpoint:
    return Checkpoint(name=name, precision=name, path="/nowhere", family="reference", serve=Serve(gpu_memory_utilization=share))


class Servers:
    """What was booted and stopped, in turn."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def get(self, one: Checkpoint) -> str:
        self.done.append(f"boot {one}")
        return str(one)

    def close(self, keys: list[str]) -> None:
        self.done += [f"stop {key}" for key in keys]


@pytest.fixture
def state(tmp_path: Path) -> State:
    family = Family(name="reference", checkpoint=[checkpoint("bf16"), checkpoint("nvfp4")], suites=["decode-16x64"])
    servers: Any = Servers()
    return State(Registry(family=[family]), [family], H200, [H200], tmp_path, {"decode-16x64": decode_16x64(None)}, servers)


@pytest.fixture
def asked(state: State) -> Case:
    tolerance = Tolerance(speedup_over_bf16={"NVIDIA H200": 1.1})
    return Case(state.families[0], state.families[0].checkpoint[1], "decode-16x64", tolerance, Tolerance())


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Servers that were measured."""
    asked: list[str] = []

    def measure(server: str, bf16: None, suite: LoadSuite, benchmark: Any) -> Throughput:
        assert (bf16, suite.name) == (None, "decode-16x64")
        ran: list[int] = []
        benchmark.pedantic(lambda: ran.append(1), setup=lambda: None, rounds=3, iterations=1)
        asked.append(f"{server} {len(ran)} rounds")
        return msgspec.structs.replace(with_provenance(speed(BF16), started=LATER), checkpoint="bf16", precision="bf16")

    monkeypatch.setattr(before, "measure_throughput", measure)
    return asked


@pytest.mark.parametrize(("one", "other", "fit"), [(0.9, 0.9, False), (0.6, 0.35, True), (0.6, 0.38, False)])
def test_two_servers_fit_on_a_gpu_by_what_each_takes_of_its_memory(one: float, other: float, fit: bool) -> None:
    assert fit_together(checkpoint("nvfp4", one), checkpoint("bf16", other), H200) is fit


def test_two_servers_always_fit_on_a_cpu() -> None:
    assert fit_together(checkpoint("nvfp4"), checkpoint("bf16"), Slot(devices=[cpu()]))


def test_bf16_is_measured_once_and_its_server_stopped_before_the_checkpoint_s_boots(asked: Case, state: State, measured: list[str]) -> None:
    servers: Any = state.pool
    before.expect(asked, state)
    assert before.of_this_run(asked, state) is None
    before.measure(asked, state)
    before.measure(asked, state)
    assert measured == ["reference/bf16 3 rounds"]
    assert servers.done == ["boot reference/bf16", "stop reference/bf16"]
    found = before.of_this_run(asked, state)
    assert found is not None
    assert [one.decode_tps for one in found.rounds] == BF16


def test_what_bf16_s_own_test_has_measured_in_this_run_is_taken(asked: Case, state: State, measured: list[str]) -> None:
    mine = msgspec.structs.replace(with_provenance(speed(BF16), started=LATER), checkpoint="bf16", precision="bf16")
    write_record(state.records, mine)
    before.expect(asked, state)
    before.measure(asked, state)
    assert measured == []
    assert before.of_this_run(asked, state) == mine


def test_a_record_of_an_earlier_run_is_not(asked: Case, state: State, measured: list[str]) -> None:
    old = msgspec.structs.replace(with_provenance(speed(BF16), started="2001-01-01T00:00:00+00:00"), checkpoint="bf16", precision="bf16")
    write_record(state.records, old)
    before.expect(asked, state)
    before.measure(asked, state)
    assert measured == ["reference/bf16 3 rounds"]


@pytest.mark.parametrize("share", [0.9, 0.3])
def test_nothing_is_measured_before_where_none_is_wanted_or_both_fit(asked: Case, state: State, measured: list[str], share: float) -> None:
    beside = msgspec.structs.replace(asked.family, checkpoint=[checkpoint("bf16", 0.3), checkpoint("nvfp4", share)])
    tolerance = Tolerance() if share > 0.5 else asked.tolerance
    other = msgspec.structs.replace(asked, family=beside, checkpoint=beside.checkpoint[1], tolerance=tolerance)
    before.expect(other, state)
    before.measure(other, state)
    servers: Any = state.pool
    assert (measured, servers.done) == ([], [])


def test_bf16_of_another_number_of_devices_is_no_reference(asked: Case, state: State) -> None:
    def of(name: str, precision: str, count: int) -> Checkpoint:
        return Checkpoint(name=name, precision=precision, path="/nowhere", family="reference", serve=Serve(tensor_parallel=count))

    family = Family(name="reference", checkpoint=[of("bf16", "bf16", 1), of("nvfp4", "nvfp4", 2)], suites=["decode-16x64"])
    two = msgspec.structs.replace(H200, devices=H200.devices * 2)
    on_two = msgspec.structs.replace(state, slot=two)
    tolerance = Tolerance(speedup_over_bf16={"NVIDIA H200": 1.0, "NVIDIA H200 tp2": 1.0})
    alone = msgspec.structs.replace(asked, family=family, checkpoint=family.checkpoint[1], tolerance=tolerance)
    assert speed_reference(alone, on_two) is None
    both = msgspec.structs.replace(family, checkpoint=[*family.checkpoint, of("bf16-tp2", "bf16", 2)])
    assert str(speed_reference(msgspec.structs.replace(alone, family=both), on_two)) == "reference/bf16-tp2"


def test_a_failure_before_does_not_fail_the_test_that_comes_first(
    asked: Case, state: State, measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise ServerError("reference/bf16 did not boot: out of memory")

    monkeypatch.setattr(state.pool, "get", fails)
    before.expect(asked, state)
    before.measure(asked, state)
    assert measured == []
    assert before.of_this_run(asked, state) is None


def test_speeds_that_do_not_pair_are_judged_by_welch() -> None:
    one = msgspec.structs.replace(speed(OWN), bf16_decode_tps=BF16)
    got = speed_verdict.judge_speedup(one, speedup_over_bf16=1.1)
    assert got.verdict == "pass"
    assert got.drop == pytest.approx(sum(map(math.log, BF16)) / 3 - sum(map(math.log, OWN)) / 3)
    # Welch by hand: s^2 of ln(tps) is 1.0002e-4 and 6.945e-5, 3 each: se 0.007515, df 3.87, t 2.812.
    assert got.interval is not None
    assert got.drop is not None
    assert got.interval[1] - got.drop == pytest.approx(2.812 * 0.0075146, rel=2e-3)
    assert got.reason.endswith("; unpaired: 3 rounds after BF16's 3, as both servers do not fit on the device at once")
    assert speed_verdict.judge_speedup(one, speedup_over_bf16=1.25).verdict == "fail"


@pytest.mark.parametrize(
    ("own", "bf16", "said"), [([1.0, 0.0], BF16, "the measurement has no speed in round 2"), (OWN, [0.0], "BF16 has no speed in round 1")]
)
def test_a_round_that_stood_still_is_an_error(own: list[float], bf16: list[float], said: str) -> None:
    got = speed_verdict.judge_speedup(msgspec.structs.replace(speed(own), bf16_decode_tps=bf16), speedup_over_bf16=1.0)
    assert (got.verdict, got.reason[: len(said)]) == ("error", said)
