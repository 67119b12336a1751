"""While a measurement runs: its own result or error comes out, and a server that dies or hangs ends it."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from quantgate.errors import MeasurementError, ServerError
from quantgate.registry import Checkpoint, Serve
from quantgate.server import liveness as watching
from quantgate.server.endpoint import Endpoint
from quantgate.server.liveness import watched
from tests_fixtures.doubles import little_vllm
from tests_fixtures.doubles.little_vllm import LittleVllm

HANG_SECONDS = 0.3
PATIENCE_SECONDS = 20.0
Got = TypeVar("Got")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "HEALTH_SECONDS", 0.02)


@pytest.fixture
def little() -> Iterator[LittleVllm]:
    with little_vllm.running() as little:
        yield little


def serving(little: LittleVllm, hang_seconds: float = HANG_SECONDS) -> Endpoint:
    serve = Serve(hang_seconds=hang_seconds)
    return Endpoint(
        little.url, Checkpoint(name="nvfp4", precision="nvfp4", path="/models/x", family="small", serve=serve), Path("/models/x")
    )


def run_on(server: Endpoint, work: Callable[[], Coroutine[Any, Any, Got]]) -> Got:
    """Watched, and with a deadline: what hangs must not hang the test."""

    async def main() -> Got:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await watched(server, work())

    return asyncio.run(main())


def run(little: LittleVllm, work: Callable[[], Coroutine[Any, Any, Got]], hang_seconds: float = HANG_SECONDS) -> Got:
    return run_on(serving(little, hang_seconds), work)


async def endless() -> None:
    await asyncio.Event().wait()


def test_what_the_work_returns_comes_out(little: LittleVllm) -> None:
    async def work() -> str:
        return "measured"

    assert run(little, work) == "measured"


def test_what_the_work_raises_comes_out_as_it_is(little: LittleVllm) -> None:
    error = MeasurementError("NaN in item 3")

    async def work() -> None:
        await asyncio.sleep(0)
        raise error

    with pytest.raises(MeasurementError) as raised:
        run(little, work)
    assert raised.value is error


def test_a_dead_engine_ends_the_work(little: LittleVllm) -> None:
    little.health = 503
    with pytest.raises(ServerError, match=rf"^small/nvfp4 at {little.url} died \(its engine is dead\); its log is where it runs$"):
        run(little, endless, hang_seconds=3600)


def test_a_server_below_a_path_is_watched_there() -> None:
    with little_vllm.running("/team/a") as little:

        async def work() -> None:
            while not {"/health", "/metrics"} <= little.seen.keys():
                await asyncio.sleep(0.01)
            little.health = 503
            await endless()

        with pytest.raises(ServerError, match="its engine is dead"):
            run(little, work)


def test_a_server_that_has_died_meanwhile_ends_the_work(little: LittleVllm, monkeypatch: pytest.MonkeyPatch) -> None:
    error = ServerError("exit 1")

    def raise_if_dead(_: Endpoint) -> None:
        raise error

    monkeypatch.setattr(Endpoint, "raise_if_dead", raise_if_dead)
    with pytest.raises(ServerError) as raised:
        run(little, endless, hang_seconds=3600)
    assert raised.value is error


def test_a_server_that_gives_no_token_is_hung(little: LittleVllm) -> None:
    server = serving(little)
    little.hangs = True
    with pytest.raises(ServerError, match=rf"^small/nvfp4 at {little.url} hangs: no token for \d+ s; its log is where it runs$"):
        run_on(server, endless)


def test_a_server_that_answers_nothing_any_more_is_hung(little: LittleVllm) -> None:
    server = serving(little)
    little.answers = {"/health": (0, ""), "/metrics": (0, ""), "/v1/completions": (0, "")}
    with pytest.raises(ServerError, match="hangs: no token for"):
        run_on(server, endless)


@pytest.mark.parametrize("answers", [{}, {"/v1/completions": (400, "{}")}], ids=["with a token", "with a refusal"])
def test_while_the_client_pauses_a_request_of_our_own_shows_that_the_server_lives(
    answers: dict[str, tuple[int, str]], little: LittleVllm
) -> None:
    server = serving(little)
    little.answers = answers

    async def work() -> str:
        asked = little.seen["/v1/completions"]
        while little.seen["/v1/completions"] < asked + 3:  # one at every half of the time that a hang takes
            await asyncio.sleep(0.01)
        return "measured"

    assert run_on(server, work) == "measured"


def test_a_server_that_makes_tokens_is_not_disturbed(little: LittleVllm) -> None:
    server = serving(little, hang_seconds=1.0)
    little.moves = little.hangs = True

    async def work() -> str:
        while little.seen.get("/metrics", 0) < 12:  # eight looks fit into the time that a hang takes
            await asyncio.sleep(0.01)
        return "measured"

    assert run_on(server, work) == "measured"
    assert little.seen["/v1/completions"] == 1  # when it was attached


def test_cancelling_cancels_the_work_and_leaves_no_task_behind(little: LittleVllm) -> None:
    ended = []

    async def work() -> None:
        try:
            await endless()
        finally:
            ended.append("work")

    async def main() -> None:
        task = asyncio.ensure_future(watched(server, work()))
        while little.seen.get("/health", 0) < 2:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == ["work"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    server = serving(little)
    asyncio.run(main())


def test_a_death_cancels_the_work_and_leaves_no_task_behind(little: LittleVllm) -> None:
    ended = []
    little.health = 503

    async def work() -> None:
        try:
            await endless()
        finally:
            ended.append("work")

    async def main() -> None:
        with pytest.raises(ServerError):
            await watched(server, work())
        assert ended == ["work"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    server = serving(little)
    asyncio.run(main())
