"""While a measurement runs: a server that dies or hangs ends it within seconds, with the reason, instead of its last timeout."""

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from quantgate.server.serving import Serving, progress_of

if TYPE_CHECKING:
    import aiohttp

HEALTH_SECONDS = 1.0
PROGRESS_SECONDS = 10.0
ANSWER_SECONDS = 5.0

Got = TypeVar("Got")


async def watched(server: Serving, work: Coroutine[Any, Any, Got]) -> Got:
    """What `work` returns or raises; ServerError as soon as the server that it asks dies or hangs."""
    working, watching = asyncio.ensure_future(work), asyncio.ensure_future(_watch(server))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done() and (error := watching.exception()) is not None:
            raise error
        return await working
    finally:
        for one in (working, watching):
            one.cancel()
        # Requests answer their cancellation in their own ways; what counts has been said above.
        await asyncio.gather(working, watching, return_exceptions=True)


async def _watch(server: Serving) -> None:
    """Raises ServerError in the end; returns never."""
    import aiohttp

    moved_at = time.monotonic()
    progress: float | None = None
    limit_seconds = server.checkpoint.serve.hang_seconds
    looked_at = 0.0
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    async with aiohttp.ClientSession(headers=server.headers, timeout=timeout) as session:
        while True:
            await asyncio.sleep(HEALTH_SECONDS)
            server.raise_if_dead()
            status = 0
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"{server.base_url}/health") as answer:
                    status = answer.status
            if status == 503:
                raise server.died("died (its engine is dead)")
            now = time.monotonic()
            if now - looked_at >= min(PROGRESS_SECONDS, limit_seconds / 8):
                looked_at = now
                if (made := await _progress(session, server)) != progress:
                    progress, moved_at = made, now
            # The engine's gauges stand still when it does: only a request of our own can tell a hang from a pause of the client.
            if now - moved_at > limit_seconds / 2:
                if not await _gives_a_token(session, server, limit_seconds / 2):
                    raise server.died(f"hangs: no token for {time.monotonic() - moved_at:.0f} s")
                moved_at = time.monotonic()


async def _progress(session: "aiohttp.ClientSession", server: Serving) -> float | None:
    """What only grows while tokens are made; None where the server does not say, as one that hangs itself."""
    import aiohttp

    try:
        async with session.get(f"{server.base_url}/metrics") as answer:
            return progress_of(await answer.text())
    except (aiohttp.ClientError, TimeoutError):
        return None


async def _gives_a_token(session: "aiohttp.ClientSession", server: Serving, seconds: float) -> bool:
    """Whether a request for one token is answered in this time, with whatever: an engine that refuses it does not hang."""
    import aiohttp

    body = {"model": server.model, "prompt": "one", "max_tokens": 1, "temperature": 0}
    try:
        async with session.post(f"{server.base_url}/v1/completions", json=body, timeout=aiohttp.ClientTimeout(total=seconds)) as answer:
            await answer.read()
    except (aiohttp.ClientError, TimeoutError):
        return False
    return True
