"""Many requests, some at once: each item is asked until it has come, is kept as it comes, and what does not come is counted and named."""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from quantgate.errors import MeasurementError
from quantgate.measure.journal import Journal
from quantgate.measure.progress import LOOK_SECONDS, Progress
from quantgate.server import Serving

CONCURRENCY = 32
REQUEST_SECONDS = 300.0
WAITS_SECONDS = (1.0, 4.0)
"""Before a request that failed is sent again, and again; then the item has failed. A server that was busy or behind a proxy has had the
time to recover, and one that is dead is found out meanwhile (`server/liveness.py`)."""
MOST_FAILED = 0.005
"""The share of a suite's items that may fail; one more, and nothing was measured."""
NAMED = 3
SHOWN_CHARACTERS = 200

Got = TypeVar("Got")


class FailedRequestError(Exception):
    """One request failed, in words; `passing`: it may succeed if it is sent again (a timeout, a lost connection, 408, 429, 5xx)."""

    def __init__(self, said: str, *, passing: bool = False) -> None:
        super().__init__(" ".join(said.split())[:SHOWN_CHARACTERS])
        self.passing = passing


def is_passing(status: int) -> bool:
    """Of an HTTP status: whether the same request may succeed a little later."""
    return status in (408, 429) or status >= 500


class Named(Protocol):
    """What has an id."""

    @property
    def id(self) -> str: ...


Asked = TypeVar("Asked", bound=Named)


class Came(NamedTuple, Generic[Got]):
    """`got` in the order of the items, by id; `failed`: id → why it is not there."""

    got: dict[str, Got]
    failed: dict[str, str]


class _TooManyFailed(Exception):  # noqa: N818 (it ends the round)
    """No more can be measured."""


class _Enough(Exception):  # noqa: N818 (it ends the round)
    """No more need be measured."""


class _Prefix(Generic[Got]):
    """The items from the first up to the first that has not come; whether that is `enough`, whenever it has grown."""

    def __init__(self, items: Sequence[Named], enough: Callable[[Sequence[Got]], bool] | None) -> None:
        self._items, self._enough = items, enough
        self._place = 0
        self._got: list[Got] = []
        self.has_ended = False

    def is_enough(self, got: dict[str, Got]) -> bool:
        if self._enough is None or self.has_ended:
            return self.has_ended
        before = self._place
        while self._place < len(self._items) and (name := self._items[self._place].id) in got:
            self._got.append(got[name])
            self._place += 1
        self.has_ended = before < self._place < len(self._items) and self._enough(self._got)
        return self.has_ended

    @property
    def items(self) -> Sequence[Named]:
        """What it has ended with, or all of them."""
        return self._items[: self._place] if self.has_ended else self._items


async def in_turns(
    server: Serving,
    items: Sequence[Asked],
    ask: Callable[[Asked], Awaitable[Got]],
    journal: Journal[Got],
    round_name: str = "first",
    *,
    most_failed: float = MOST_FAILED,
    tokens_of: Callable[[Got], int] = lambda _: 0,
    enough: Callable[[Sequence[Got]], bool] | None = None,
) -> Came[Got]:
    """`ask` every item that the journal does not have, CONCURRENCY at once.

    `enough` is asked whenever there is more of the unbroken row from the first item on: when it says so, requests under way are given
    up, and that row alone is returned.

    A request that fails and may pass is sent again after WAITS_SECONDS. Raises MeasurementError, naming some, where more than
    `most_failed` of the items failed for good, or as `ask` raises it; ServerError where the server is what failed.
    """
    got = journal.known(round_name)
    missing = [item for item in items if item.id not in got]
    allowed = math.floor(most_failed * len(items))
    failed: dict[str, str] = {}
    again: dict[str, str] = {}
    turns = asyncio.Semaphore(CONCURRENCY)
    row: _Prefix[Got] = _Prefix(items, enough)
    whose = journal.name if round_name == "first" else f"{journal.name} {round_name}"
    progress = Progress(whose, journal.say, len(items), len(items) - len(missing))

    async def in_turn(item: Asked) -> None:
        async with turns:
            try:
                came = await _persistently(ask, item, again)
            except FailedRequestError as failure:
                if len(failed) <= allowed:  # one more than may is enough to be named; others that were under way follow it
                    failed[item.id] = _without_key(server, str(failure))
                if len(failed) > allowed:
                    raise _TooManyFailed from failure
            else:
                got[item.id] = came
                journal.add(round_name, item.id, came)
                progress.came(tokens_of(came))
        if row.is_enough(got):
            raise _Enough

    with _looking(progress):
        try:
            if row.is_enough(got):  # by what was kept
                missing = []
            async with asyncio.TaskGroup() as group:
                for item in missing:
                    group.create_task(in_turn(item))
        except* (_TooManyFailed, MeasurementError, _Enough) as ends:  # of several at once one is said
            if found := next((end for end in ends.exceptions if isinstance(end, MeasurementError)), None):
                raise found from None
            if any(isinstance(end, _TooManyFailed) for end in ends.exceptions):
                server.confirm_alive()
                raise MeasurementError(_too_many(server.model, failed, len(items), most_failed)) from ends
    if again:
        journal.tell("warning", f"{journal.name}: {len(again)} requests were sent again ({_without_key(server, _named(again))})")
    return Came({item.id: got[item.id] for item in row.items if item.id in got}, {} if row.has_ended else failed)


async def _persistently(ask: Callable[[Asked], Awaitable[Got]], item: Asked, again: dict[str, str]) -> Got:
    """What `ask` returns or raises in the end; `again` has the items that had to be asked more than once, and why."""
    from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_chain, wait_fixed

    def note(state: RetryCallState) -> None:
        again[item.id] = str(state.outcome.exception()) if state.outcome else ""

    retrying = AsyncRetrying(
        stop=stop_after_attempt(1 + len(WAITS_SECONDS)),
        wait=wait_chain(*map(wait_fixed, WAITS_SECONDS)),
        retry=retry_if_exception(lambda error: isinstance(error, FailedRequestError) and error.passing),
        before_sleep=note,
        reraise=True,
    )
    return await retrying(ask, item)


@contextlib.contextmanager
def _looking(progress: Progress) -> Iterator[None]:
    async def look() -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            progress.look()

    looking = asyncio.ensure_future(look())
    try:
        yield
    finally:
        looking.cancel()
        progress.end()


def _too_many(model: str, failed: dict[str, str], asked: int, most_failed: float) -> str:
    limit = f", and {most_failed:.1%} may" if most_failed else ""
    return f"{model}: {len(failed)} of {asked:,} requests failed{limit}, so nothing was measured: {_named(failed)}"


def _named(why: dict[str, str]) -> str:
    told = [f"{name}: {said}" for name, said in list(why.items())[:NAMED]]
    return "; ".join(told) + (f"; and {len(why) - NAMED} more" if len(why) > NAMED else "")


def _without_key(server: Serving, said: str) -> str:
    """Some repeat the key that they refuse."""
    return said.replace(server.api_key, "***") if server.api_key else said
