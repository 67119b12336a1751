"""Many chats at once, through openai's client; and which items are asked a second time."""

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from quantgate import interrupts
from quantgate.measure.journal import Journal
from quantgate.measure.turns import MOST_FAILED, REQUEST_SECONDS, Asked, Came, FailedRequestError, Named, in_turns, is_passing
from quantgate.server import Serving, watched

if TYPE_CHECKING:
    import httpx
    from openai import AsyncOpenAI

SECONDS_A_TOKEN = 0.5
"""The slowest that an answer may come, all of it at once, before its request is given up; whether a server hangs is found out otherwise."""
NO_KEY = "none"  # openai refuses an empty key; this one is taken off every request

Got = TypeVar("Got")


def ask_all(
    server: Serving,
    items: Sequence[Asked],
    ask: "Callable[[AsyncOpenAI, Asked], Awaitable[Got]]",
    journal: Journal[Got],
    round_name: str = "first",
    *,
    max_tokens: int = 0,
    most_failed: float = MOST_FAILED,
    tokens_of: Callable[[Got], int] = lambda _: 0,
    enough: Callable[[Sequence[Got]], bool] | None = None,
) -> Came[Got]:
    """Ask for every item that the journal lacks, in a round of its own; arguments, and how it fails, as `in_turns` has them.

    `max_tokens` that one answer may have: a request has REQUEST_SECONDS, and SECONDS_A_TOKEN for each.
    """
    seconds = REQUEST_SECONDS + SECONDS_A_TOKEN * max_tokens

    async def all_of_them() -> Came[Got]:
        from openai import APIConnectionError, APIError, APIStatusError, AsyncOpenAI, DefaultAsyncHttpxClient

        hooks = {} if server.api_key else {"request": [_without_key]}
        transport = DefaultAsyncHttpxClient(trust_env=False, timeout=seconds, event_hooks=hooks)
        key = server.api_key or NO_KEY

        async def one(item: Asked) -> Got:
            try:
                return await ask(client, item)
            except APIStatusError as error:
                raise FailedRequestError(str(error), passing=is_passing(error.status_code)) from error
            except APIError as error:
                raise FailedRequestError(str(error), passing=isinstance(error, APIConnectionError)) from error
            except ValueError as error:  # json's, of a body that is none
                raise FailedRequestError(f"an answer is no JSON: {error}") from error

        async with AsyncOpenAI(base_url=f"{server.base_url}/v1", api_key=key, max_retries=0, http_client=transport) as client:
            return await in_turns(server, items, one, journal, round_name, most_failed=most_failed, tokens_of=tokens_of, enough=enough)

    return interrupts.run(watched(server, all_of_them()))


async def _without_key(request: "httpx.Request") -> None:
    request.headers.pop("Authorization", None)


Chosen = TypeVar("Chosen", bound=Named)


def chosen(items: Sequence[Chosen], wanted: int, seed: str) -> list[Chosen]:
    """`wanted` of the items at random (all, where there are no more), in their order; the same ids whatever that order is."""
    ids = sorted(item.id for item in items)
    kept = set(random.Random(seed).sample(ids, min(wanted, len(ids))))
    return [item for item in items if item.id in kept]
