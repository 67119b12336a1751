"""The rounds of a load: void where the client was the bottleneck, on more clients where it would be, fresh each time."""

import time

import pytest

from quantgate.errors import MeasurementError
from quantgate.measure.load import session
from quantgate.measure.load.plan import Load
from quantgate.measure.load.prompts import Prompts
from quantgate.measure.load.session import LoadSession
from quantgate.measure.load.target import parse_target
from tests_fixtures.doubles.examples import client_use
from tests_fixtures.doubles.stub_server import Behaviour, Stub


def test_a_client_that_shares_its_cores_with_the_server_may_read_late_but_not_be_the_bottleneck(
    running: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.behave(Behaviour(step_ms=1))
    found = [client_use(lag_ms_p99=1e6), client_use(lag_ms_p99=1e6), client_use(cpu_share=0.95)]
    monkeypatch.setattr(session, "use", lambda _: found.pop(0))
    load = Load(2, 4, 8, 3, clients=1)
    with (
        LoadSession(parse_target(running.url, "stub"), load, Prompts(0), shares_cores=False) as one,
        pytest.raises(MeasurementError, match="read late"),
    ):
        one.round()
    with LoadSession(parse_target(running.url, "stub"), load, Prompts(0), shares_cores=True) as one:
        one.round()
        with pytest.raises(MeasurementError, match="bottleneck"):
            one.round()


def test_a_round_of_a_client_that_was_busy_itself_is_void(running: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    running.behave(Behaviour(step_ms=2))
    real = time.process_time
    # As if this process had burnt nine seconds of CPU for each one that passes.
    monkeypatch.setattr(time, "process_time", lambda: real() + 9 * time.monotonic())
    with (
        LoadSession(parse_target(running.url, "stub"), Load(2, 4, 8, 3), Prompts(0)) as load,
        pytest.raises(MeasurementError, match="bottleneck"),
    ):
        load.round()


@pytest.mark.parametrize(("clients", "cores", "then"), [(None, 8, 3), (None, 2, 2), (None, 1, 1), (1, 8, 1)])
def test_more_clients_go_on_where_the_warm_up_shows_the_need(
    running: Stub, monkeypatch: pytest.MonkeyPatch, clients: int | None, cores: int, then: int
) -> None:
    running.behave(Behaviour(step_ms=1))
    monkeypatch.setattr(session, "usable_cores", lambda: cores)
    monkeypatch.setattr(session, "use", lambda _: client_use(cpu_share=0.95))
    with LoadSession(parse_target(running.url, "stub"), Load(4, 4, 4, 3, clients=clients), Prompts(0)) as load:
        load.warm_up()
        assert load._crew.clients == then


@pytest.mark.thorough
def test_every_round_is_fresh(running: Stub) -> None:
    running.behave(Behaviour())
    with LoadSession(parse_target(running.url, "stub"), Load(2, 3, 4, 3, image=(16, 16)), Prompts(0)) as load:
        load.warm_up()
        load.warm_up()
    contents = [one.body["messages"][0]["content"] for one in running.truth()]
    assert len({text["text"].split()[0] for _, text in contents}) == len({picture["image_url"]["url"] for picture, _ in contents}) == 6
