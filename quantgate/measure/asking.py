"""What the kinds of measurement share: a client, many requests at once, provenance."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from quantgate import fingerprint, interrupts
from quantgate.checkpoint import declared_numerics
from quantgate.errors import MeasurementError
from quantgate.measure.numerics import numerics_of
from quantgate.records import Provenance, Started
from quantgate.registry import made_by
from quantgate.server import Serving, watched

if TYPE_CHECKING:
    import httpx
    from openai import AsyncOpenAI

CONCURRENCY = 32
REQUEST_SECONDS = 300.0
NO_KEY = "none"  # openai refuses an empty key; this one is taken off every request

Asked = TypeVar("Asked")
Got = TypeVar("Got")


def ask_all(server: Serving, items: Sequence[Asked], ask: "Callable[[AsyncOpenAI, Asked], Awaitable[Got]]") -> list[Got]:
    """Ask for every item, CONCURRENCY at once; answers in the order of the items.

    The first failure ends it all with MeasurementError: a measurement with a hole in it is none. Nothing is retried,
    because a server of ours on loopback that fails once is a finding.
    """
    return interrupts.run(watched(server, _ask_all(server, items, ask)))


class Named(Protocol):
    """What has an id."""

    @property
    def id(self) -> str: ...


Chosen = TypeVar("Chosen", bound=Named)


def chosen(items: Sequence[Chosen], wanted: int, seed: str) -> list[Chosen]:
    """`wanted` of the items at random (all, where there are no more), in their order; the same ids whatever that order is."""
    ids = sorted(item.id for item in items)
    kept = set(random.Random(seed).sample(ids, min(wanted, len(ids))))
    return [item for item in items if item.id in kept]


async def _without_key(request: "httpx.Request") -> None:
    request.headers.pop("Authorization", None)


async def _ask_all(server: Serving, items: Sequence[Asked], ask: "Callable[[AsyncOpenAI, Asked], Awaitable[Got]]") -> list[Got]:
    from openai import APIError, AsyncOpenAI, DefaultAsyncHttpxClient

    hooks = {} if server.api_key else {"request": [_without_key]}
    transport = DefaultAsyncHttpxClient(trust_env=False, timeout=REQUEST_SECONDS, event_hooks=hooks)
    key = server.api_key or NO_KEY
    async with AsyncOpenAI(base_url=f"{server.base_url}/v1", api_key=key, max_retries=0, http_client=transport) as client:
        return await in_turns(server, items, partial(ask, client), APIError)


async def in_turns(server: Serving, items: Sequence[Asked], ask: Callable[[Asked], Awaitable[Got]], failure: type[Exception]) -> list[Got]:
    """`ask` every item, CONCURRENCY at once, answers in the order of the items; `failure` is what it raises for a failed request.

    Fails as `ask_all` says; ServerError where the server is what failed.
    """
    turns = asyncio.Semaphore(CONCURRENCY)

    async def in_turn(item: Asked) -> Got:
        async with turns:
            return await ask(item)

    coroutines: list[Coroutine[Any, Any, Got]] = [in_turn(item) for item in items]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
    except* failure as failures:
        server.confirm_alive()
        raise MeasurementError(f"{server.model}: a request failed, so nothing was measured: {failures.exceptions[0]}") from failures
    except* ValueError as failures:  # json's, of a body that is none
        raise MeasurementError(f"{server.model}: an answer is no JSON, so nothing was measured: {failures.exceptions[0]}") from failures
    except* MeasurementError as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


def provenance(server: Serving, suite: str, sampling: dict[str, Any], started: Started, seed: int = 0) -> Provenance:
    """`suite` is the suite's fingerprint; the tokenizer's and the template's are those of the checkpoint that was served."""
    first, weights = server.slot.devices[0], fingerprint.of_checkpoint(server.folder)
    return Provenance(
        **server.versions(),
        driver=first.driver,
        device_name=first.name,
        device_class=server.slot.device_class,
        mig_profile=first.mig_profile,
        gpu_uuid=[device.uuid for device in server.slot.devices if device.uuid],
        tensor_parallel=server.checkpoint.serve.tensor_parallel,
        kernels=server.kernels(),
        checkpoint_fingerprint=weights,
        suite_fingerprint=suite,
        tokenizer_fingerprint=fingerprint.of_tokenizer(server.folder),
        chat_template_fingerprint=fingerprint.of_chat_template(server.folder),
        sampling=sampling,
        seed=seed,
        started=started.at,
        seconds=round(started.seconds(), 3),
        made_by=made_by(server.folder, weights),
        numerics=numerics_of(declared_numerics(server.folder), server.chosen(), server.checkpoint.serve.env),
    )
