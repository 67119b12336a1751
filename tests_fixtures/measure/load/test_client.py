"""Requests against a stub that knows what it did: what is sent, what is counted, what each failure is called."""

import asyncio
import base64
import gc
import itertools
import time
from statistics import median
from typing import Any

import pytest

from quantgate.errors import MeasurementError
from quantgate.measure.load.client import Client, Job, LagProbe, Report, run_job
from quantgate.measure.load.crew import Crew, merged, split
from quantgate.measure.load.outcome import Answered, Failed, FailedRequestsError, raise_on_failures
from quantgate.measure.load.plan import Load, job
from quantgate.measure.load.prompts import Prompts
from quantgate.measure.load.target import parse_target
from quantgate.server import Secret
from tests_fixtures.doubles.processes import lives
from tests_fixtures.doubles.stub_server import Behaviour, Stub, stub

KEY = Secret("sk-very-secret")
TIMES = "\N{MULTIPLICATION SIGN}"


def made(running: Stub, load: Load, number: int = 0) -> Job:
    return job(load, parse_target(running.url, "stub", KEY), Prompts(load.seed), number)


def asked(running: Stub, load: Load, **behaviour: Any) -> Report:
    running.behave(Behaviour(**behaviour))
    return asyncio.run(run_job(made(running, load)))


def answers(report: Report) -> list[Answered]:
    raise_on_failures(report.outcomes)
    return [one for one in report.outcomes if isinstance(one, Answered)]


SMALL = Load(concurrency=4, requests=12, max_tokens=16, prompt_tokens=5)


def test_every_request_is_asked_once_with_all_that_fixes_its_length(running: Stub) -> None:
    got = answers(asked(running, SMALL))
    bodies = [one.body for one in running.truth()]
    assert len(got) == len(bodies) == 12
    assert {(one.prompt_tokens, one.completion_tokens, len(one.arrived_ns)) for one in got} == {(8, 16, 16)}
    assert len({body["messages"][0]["content"].split()[0] for body in bodies}) == 12
    for body in bodies:
        sent = {key: value for key, value in body.items() if key != "messages"}
        assert sent == {
            "model": "stub",
            "max_tokens": 16,
            "temperature": 0,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "repetition_penalty": 1.0,
        }


@pytest.mark.parametrize("behaviour", [{"crumbs": 7}, {"keep_alive": False}, {"textless_every": 3}, {"empty_before_end": True}])
def test_whatever_way_the_stream_is_written_the_counts_are_the_same(running: Stub, behaviour: dict[str, Any]) -> None:
    got = answers(asked(running, SMALL, **behaviour))
    assert [(one.completion_tokens, len(one.arrived_ns)) for one in got] == [(16, 16)] * 12


def test_tokens_are_counted_by_usage_where_a_chunk_carries_several(running: Stub) -> None:
    got = answers(asked(running, SMALL, tokens_a_chunk=4))
    assert [(one.completion_tokens, len(one.arrived_ns)) for one in got] == [(16, 4)] * 12


def test_an_answer_that_is_not_streamed_arrives_once(running: Stub) -> None:
    got = answers(asked(running, Load(4, 12, 16, 5, stream=False)))
    assert [one.arrived_ns == [one.ended_ns] for one in got] == [True] * 12
    assert {one.completion_tokens for one in got} == {16}
    assert {body.body["stream"] for body in running.truth()} == {False}


def test_a_picture_comes_before_the_prompt_and_no_two_are_the_same(running: Stub) -> None:
    answers(asked(running, Load(2, 4, 4, 5, image=(32, 16))))
    contents = [one.body["messages"][0]["content"] for one in running.truth()]
    pictures = set()
    for picture, text in contents:
        assert picture["type"] == "image_url"
        scheme, _, data = picture["image_url"]["url"].partition(",")
        assert scheme == "data:image/png;base64"
        assert base64.b64decode(data, validate=True).startswith(b"\x89PNG")
        assert (text["type"], len(text["text"].split())) == ("text", 5)
        pictures.add(data)
    assert len(pictures) == 4


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "status": ({"fail_every": 6}, f'2 of 12 requests failed: 2{TIMES} HTTP 500 {{"error":{{"message":"the engine is dead"}}}}'),
    "long body": ({"fail_every": 6, "body_of_500": "x" * 999}, f"2 of 12 requests failed: 2{TIMES} HTTP 500 {'x' * 200}"),
    "half closed": ({"half_close_every": 12}, f"1 of 12 requests failed: 1{TIMES} stream ended after 7 of 16 chunks"),
    "reset": ({"reset_every": 6, "step_ms": 1}, f"2 of 12 requests failed: 2{TIMES} connection reset after 7 of 16 chunks"),
    "stall": ({"stall_every": 12}, f"1 of 12 requests failed: 1{TIMES} silent for 0.4 s after 7 of 16 chunks"),
    "short": ({"short_every": 12}, f"1 of 12 requests failed: 1{TIMES} 7 of 16 tokens came (is ignore_eos obeyed?)"),
    "usage": ({"wrong_usage_every": 12}, f"1 of 12 requests failed: 1{TIMES} 15 of 16 tokens came (is ignore_eos obeyed?)"),
    "no usage": ({"usage": False}, f"{TIMES} answer without usage, so that nobody knows its tokens; nothing worked any more, so "),
    "no end": ({"done": False}, f"{TIMES} stream ended after 16 of 16 chunks; nothing worked any more, so "),
    "error event": (
        {"error_event_every": 12},
        f'1 of 12 requests failed: 1{TIMES} error in the stream after 7 chunks: {{"error":{{"message":"EngineCore died","code":500}}}}',
    ),
    "two kinds": (
        {"fail_every": 4, "half_close_every": 9},
        f'4 of 12 requests failed: 3{TIMES} HTTP 500 {{"error":{{"message":"the engine is dead"}}}}, '
        f"1{TIMES} stream ended after 7 of 16 chunks",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_kind_of_failure_is_counted_and_said(running: Stub, fault: str) -> None:
    behaviour, said = FAULTS[fault]
    load = Load(4, 12, 16, 5, silence_seconds=0.4 if fault == "stall" else 60)
    report = asked(running, load, **behaviour)
    with pytest.raises(FailedRequestsError) as error:
        raise_on_failures(report.outcomes)
    assert said in str(error.value)
    assert str(error.value).startswith(said.partition(" requests")[0]) or fault in {"no usage", "no end"}
    assert len(report.outcomes) == 12  # the rest of the round went on, or is counted as not sent


def test_chunks_that_outnumber_the_usage_are_a_failure(running: Stub) -> None:
    report = asked(running, Load(1, 1, 16, 5), chunks_too_many=2)
    assert report.outcomes == [Failed("wrong usage", "18 chunks with text, and usage counts 16 tokens")]


def test_when_nothing_works_the_rest_is_not_even_sent() -> None:
    with stub() as gone:
        load = made(gone, Load(4, 64, 16, 5))
    report = asyncio.run(run_job(load))
    with pytest.raises(
        FailedRequestsError, match=r"^\d of 64 requests failed: \d. connection refused; nothing worked any more, so \d\d were"
    ):
        raise_on_failures(report.outcomes)
    assert len(report.outcomes) == 64


def test_a_key_that_the_server_repeats_is_not_shown(running: Stub) -> None:
    report = asked(running, SMALL, api_key="another")
    assert {one.what for one in report.outcomes if isinstance(one, Failed)} == {'HTTP 401 {"error": "no such key: Bearer ***"}'}
    assert KEY not in repr(made(running, SMALL))
    assert answers(asked(running, SMALL, api_key=str(KEY)))


def test_a_wall_clock_that_jumps_changes_nothing(running: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    jumps = itertools.cycle([0.0, 1e9, -1e9])
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + next(jumps))
    monkeypatch.setattr(time, "time_ns", lambda: int(1e9 * next(jumps)))
    got = answers(asked(running, SMALL, step_ms=1))
    for one in got:
        times = [one.asked_ns, *one.arrived_ns, one.ended_ns]
        assert times == sorted(times)
        assert one.ended_ns - one.asked_ns < 60e9


def test_first_tokens_and_gaps_are_those_that_the_server_really_made(running: Stub) -> None:
    got = answers(asked(running, Load(1, 8, 20, 5), step_ms=10, ttft_ms=50))  # one at a time, so that both sides have the same order
    pairs = list(zip(got, running.truth(), strict=True))
    # The same clock on both sides: a chunk is read after it was sent, and soon.
    late = [read - sent for one, true in pairs for read, sent in zip(one.arrived_ns, true.sent_ns, strict=True)]
    gaps = [after - before for _, true in pairs for before, after in itertools.pairwise(true.sent_ns)]
    assert min(late) > 0
    assert median(late) < 0.2 * median(gaps)
    first = [one.arrived_ns[0] - one.asked_ns for one, _ in pairs]
    true_first = [true.sent_ns[0] - true.received_ns for _, true in pairs]
    assert 1 < median(first) / median(true_first) < 1.2


def test_closed_loop_keeps_as_many_in_flight_as_there_are_connections(running: Stub) -> None:
    got = answers(asked(running, Load(3, 12, 8, 5), step_ms=2))
    edges = sorted([(one.asked_ns, 1) for one in got] + [(one.ended_ns, -1) for one in got])
    assert max(itertools.accumulate(change for _, change in edges)) == 3
    assert {one.connection for one in got} == {0, 1, 2}


def test_open_loop_asks_when_due_and_counts_the_wait_for_a_turn(running: Stub) -> None:
    load = Load(2, 12, 10, 5, request_rate=400)  # due within some 30 ms, and two at once take 100 ms
    report = asked(running, load, step_ms=10)
    got, due_ns = answers(report), made(running, load).due_ns
    assert due_ns is not None
    waited = [one for one in got if one.waited]
    assert len(waited) > 4
    assert {one.asked_ns - report.started_ns for one in waited} <= set(due_ns)
    # Of six turns of 100 ms the last waits for five; which of them that is, a busy machine decides.
    assert max(one.arrived_ns[0] - one.asked_ns for one in waited) > 2 * 90e6  # a client that hides the wait would say 10 ms


def test_open_loop_with_connections_to_spare_waits_for_nobody(running: Stub) -> None:
    got = answers(asked(running, Load(12, 12, 4, 5, request_rate=400), step_ms=5))
    assert not any(one.waited for one in got)


def test_several_processes_give_the_same_counts_as_one(running: Stub) -> None:
    load = Load(5, 21, 16, 5)
    with Crew(2) as crew:
        for number in range(2):
            running.behave(Behaviour(step_ms=1))
            reports = crew.run(made(running, load, number))
            got = answers(merged(reports))
            assert len(reports) == 2
            assert [(one.completion_tokens, one.prompt_tokens, len(one.arrived_ns)) for one in got] == [(16, 8, 16)] * 21
            assert {one.connection for one in got} == set(range(5))
            assert len({one.body["messages"][0]["content"] for one in running.truth()}) == 21
            assert all(report.cpu_seconds > 0 and report.lags_ns for report in reports)
        pids = [worker.pid for worker in crew._workers]
    assert not any(lives(pid) for pid in pids)


def test_a_worker_that_dies_ends_the_round_and_leaves_nobody_behind(running: Stub) -> None:
    crew = Crew(2)
    workers = list(crew._workers)
    workers[1].kill()
    workers[1].wait()
    with pytest.raises(MeasurementError, match=rf"client process {workers[1].pid} ended with code -9 in the middle of a round"):
        crew.run(made(running, SMALL))
    assert [worker.poll() for worker in workers] == [-9, -9]


def test_a_load_is_split_without_losing_a_request_or_a_connection(running: Stub) -> None:
    whole = made(running, Load(5, 21, 16, 5, request_rate=9))
    parts = split(whole, 3)
    assert [part.concurrency for part in parts] == [2, 2, 1]
    assert [part.first_connection for part in parts] == [0, 2, 4]
    assert sorted(body for part in parts for body in part.bodies) == sorted(whole.bodies)
    due = {body: at for part in parts for body, at in zip(part.bodies, part.due_ns or [], strict=True)}
    assert due == dict(zip(whole.bodies, whole.due_ns or [], strict=True))
    assert len(split(whole, 9)) == 5  # a client without a connection has nothing to do


def test_no_garbage_is_collected_during_a_round(running: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    running.behave(Behaviour())
    seen = []
    closed = Client._closed

    async def noting(self: Client) -> None:
        seen.append(gc.isenabled())
        await closed(self)

    monkeypatch.setattr(Client, "_closed", noting)
    asyncio.run(run_job(made(running, SMALL)))
    assert seen == [False]
    assert gc.isenabled()


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
