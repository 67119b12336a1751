"""What voids a measurement: a client at its limit, a count that the server does not share."""

import asyncio
import itertools
import time
from collections.abc import Iterator

import pytest

from fixtures.errors import MeasurementError
from fixtures.load import counters, session
from fixtures.load.counters import Counters, parse
from fixtures.load.lag import LagProbe
from fixtures.load.plan import Load
from fixtures.load.prompts import Prompts
from fixtures.load.saturation import raise_if_saturated
from fixtures.load.session import LoadSession
from fixtures.load.target import target
from fixtures.records import Spread
from fixtures.speed import ClientUse, CounterCheck
from tests_fixtures.stub_server import Behaviour, Stub, stub


@pytest.fixture(scope="module")
def running() -> Iterator[Stub]:
    with stub() as one:
        yield one


def client(cpu_share: float = 0.3, lag_ms_p99: float = 1.0, processes: int = 1) -> ClientUse:
    return ClientUse(processes=processes, cpu_share=cpu_share, lag_ms=Spread(mean=0.1, p50=0.1, p90=0.1, p99=lag_ms_p99))


def test_a_client_at_the_limit_of_its_core_voids_the_measurement_and_says_so() -> None:
    with pytest.raises(MeasurementError) as error:
        raise_if_saturated(client(cpu_share=0.93, processes=2), 10.0)
    assert str(error.value) == (
        "the client was the bottleneck: a process of it used 93% of a core (80% is the limit), so the measurement is void; "
        "ask with more client processes than 2"
    )


def test_a_client_that_reads_late_voids_the_measurement_and_says_so() -> None:
    with pytest.raises(MeasurementError) as error:
        raise_if_saturated(client(lag_ms_p99=12.5), 20.0)
    assert str(error.value) == (
        "the client read late: its p99 lag was 12.50 ms, and the p99 gap between chunks 20.00 ms (50% of that is the limit), "
        "so the measurement is void; give the client a core of its own"
    )
    raise_if_saturated(client(lag_ms_p99=9.9, cpu_share=0.79), 20.0)


def test_a_client_that_shares_its_cores_with_the_server_may_read_late_but_not_be_the_bottleneck(
    running: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.behave(Behaviour(step_ms=1))
    found = [client(lag_ms_p99=1e6), client(lag_ms_p99=1e6), client(cpu_share=0.95)]
    monkeypatch.setattr(session, "use", lambda _: found.pop(0))
    load = Load(2, 4, 8, 3, clients=1)
    with (
        LoadSession(target(running.url, "stub"), load, Prompts(0), shares_cores=False) as one,
        pytest.raises(MeasurementError, match="read late"),
    ):
        one.round()
    with LoadSession(target(running.url, "stub"), load, Prompts(0), shares_cores=True) as one:
        one.round()
        with pytest.raises(MeasurementError, match="bottleneck"):
            one.round()


def test_the_probe_sees_every_wake_that_a_blocked_loop_slept_through() -> None:
    async def blocked() -> list[int]:
        probe = LagProbe(period_ns=2_000_000)
        probe.start()
        time.sleep(0.1)  # blocking the loop is the point
        await asyncio.sleep(0.01)
        probe.stop()
        return probe.lags_ns

    lags_ns = asyncio.run(blocked())
    # Due at 2, 4, …, 98 ms and served at 100 or later: 98, 96, …, and all of them are there.
    assert len(lags_ns) >= 50
    assert lags_ns[0] >= 98e6
    assert [before - after for before, after in itertools.pairwise(lags_ns[:40])] == [2_000_000] * 39


def test_the_probe_ends_with_its_round() -> None:
    async def twice() -> None:
        probe = LagProbe()
        probe.start()
        probe.stop()
        probe.stop()

    asyncio.run(twice())


def test_a_round_of_a_client_that_was_busy_itself_is_void(running: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    running.behave(Behaviour(step_ms=2))
    real = time.process_time
    # As if this process had burnt nine seconds of CPU for each one that passes.
    monkeypatch.setattr(time, "process_time", lambda: real() + 9 * time.monotonic())
    with (
        LoadSession(target(running.url, "stub"), Load(2, 4, 8, 3), Prompts(0)) as load,
        pytest.raises(MeasurementError, match="bottleneck"),
    ):
        load.round()


@pytest.mark.parametrize(("clients", "cores", "then"), [(None, 8, 3), (None, 2, 2), (None, 1, 1), (1, 8, 1)])
def test_more_clients_go_on_where_the_warm_up_shows_the_need(
    running: Stub, monkeypatch: pytest.MonkeyPatch, clients: int | None, cores: int, then: int
) -> None:
    running.behave(Behaviour(step_ms=1))
    monkeypatch.setattr(session, "usable_cores", lambda: cores)
    monkeypatch.setattr(session, "use", lambda _: client(cpu_share=0.95))
    with LoadSession(target(running.url, "stub"), Load(4, 4, 4, 3, clients=clients), Prompts(0)) as load:
        load.warm_up()
        assert load._crew.clients == then


@pytest.mark.thorough
def test_every_round_is_fresh(running: Stub) -> None:
    running.behave(Behaviour())
    with LoadSession(target(running.url, "stub"), Load(2, 3, 4, 3, image=(16, 16)), Prompts(0)) as load:
        load.warm_up()
        load.warm_up()
    contents = [one.body["messages"][0]["content"] for one in running.truth()]
    assert len({text["text"].split()[0] for _, text in contents}) == len({picture["image_url"]["url"] for picture, _ in contents}) == 6


def test_counters_are_summed_over_their_labels() -> None:
    text = (
        "# HELP vllm:generation_tokens_total Number of generation tokens.\n# TYPE vllm:generation_tokens_total counter\n"
        'vllm:generation_tokens_total{engine="0",model_name="a b}"} 1.5e+03\nvllm:generation_tokens_total{engine="1"} 500.0\n'
        "vllm:generation_tokens_created 9\nvllm:prompt_tokens_total 7\nvllm:prompt_tokens_total_x 8\n"
    )
    assert parse(text) == Counters(2000, 7)
    assert parse(text.replace("vllm:prompt_tokens_total ", "other ")) is None


def loaded(running: Stub, behaviour: Behaviour) -> CounterCheck | None:
    running.behave(behaviour)
    with LoadSession(target(running.url, "stub"), Load(2, 10, 20, 7), Prompts(0)) as load:
        load.warm_up()
        load.warm_up()
        return load.check()


def test_the_servers_count_and_ours_stand_side_by_side(running: Stub) -> None:
    assert loaded(running, Behaviour()) == CounterCheck(
        generation_tokens=400, server_generation_tokens=400, prompt_tokens=200, server_prompt_tokens=200
    )


@pytest.mark.parametrize(("factor", "theirs"), [(1.03, 412), (0.97, 388)])
def test_counts_more_than_a_percent_apart_void_the_measurement_with_both_numbers(
    running: Stub, monkeypatch: pytest.MonkeyPatch, factor: float, theirs: int
) -> None:
    monkeypatch.setattr(counters, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(MeasurementError) as error:
        loaded(running, Behaviour(metrics_factor=factor))
    assert str(error.value) == (
        f"the answers' usage adds up to 400 output tokens and the server's own counter to {theirs}, more than 1% apart: "
        "does somebody else use this server?"
    )


def test_a_count_within_a_percent_agrees(running: Stub) -> None:
    found = loaded(running, Behaviour(metrics_factor=1.005))
    assert found is not None
    assert found.server_generation_tokens == 402


def test_a_server_that_counts_a_moment_later_is_waited_for(running: Stub) -> None:
    found = loaded(running, Behaviour(metrics_late_reads=2))
    assert found is not None
    assert found.server_generation_tokens == 400


def test_a_server_without_counters_is_not_checked(running: Stub) -> None:
    assert loaded(running, Behaviour(metrics=False)) is None
