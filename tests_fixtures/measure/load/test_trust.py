"""A count that the server does not share voids the measurement, and so does a client at its limit."""

import pytest

from quantgate.errors import MeasurementError
from quantgate.measure.load import trust
from quantgate.measure.load.plan import Load
from quantgate.measure.load.prompts import Prompts
from quantgate.measure.load.session import LoadSession
from quantgate.measure.load.target import parse_target
from quantgate.measure.load.trust import Counters, parse, raise_if_saturated
from quantgate.records import CounterCheck
from tests_fixtures.doubles.examples import client_use
from tests_fixtures.doubles.stub_server import Behaviour, Stub


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
    with LoadSession(parse_target(running.url, "stub"), Load(2, 10, 20, 7), Prompts(0)) as load:
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
    monkeypatch.setattr(trust, "PATIENCE_SECONDS", 0.0)
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


def test_a_client_at_the_limit_of_its_core_voids_the_measurement_and_says_so() -> None:
    with pytest.raises(MeasurementError) as error:
        raise_if_saturated(client_use(cpu_share=0.93, processes=2), 10.0)
    assert str(error.value) == (
        "the client was the bottleneck: a process of it used 93% of a core (80% is the limit), so the measurement is void; "
        "ask with more client processes than 2"
    )


def test_a_client_that_reads_late_voids_the_measurement_and_says_so() -> None:
    with pytest.raises(MeasurementError) as error:
        raise_if_saturated(client_use(lag_ms_p99=12.5), 20.0)
    assert str(error.value) == (
        "the client read late: its p99 lag was 12.50 ms, and the p99 gap between chunks 20.00 ms (50% of that is the limit), "
        "so the measurement is void; give the client a core of its own"
    )
    raise_if_saturated(client_use(lag_ms_p99=9.9, cpu_share=0.79), 20.0)
