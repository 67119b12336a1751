"""Token ids in, logprobs of every position out: `/v1/completions` with `prompt_logprobs`, read from the bytes as they come.

An answer is a dictionary for every token of the prompt, each entry with a rank and a text that nobody asked for, a hundred bytes
and more for two numbers. Building all of it costs more than a fast engine's own work, so only the logprobs are decoded, and
the rest is skipped over; no library stands between that builds objects of its own.
"""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import msgspec

from quantgate import interrupts
from quantgate.measure.journal import Journal
from quantgate.measure.turns import REQUEST_SECONDS, FailedRequestError, in_turns, is_passing
from quantgate.server import Serving, watched

if TYPE_CHECKING:
    import ssl

    import aiohttp

HTTP_OK = 200


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One token's logprob at one position (nats)."""

    logprob: float


Positions: TypeAlias = Sequence[dict[int, Entry] | None]
"""By position of the prompt: token → entry, the prompt's own token among them, in no particular order; None at the first."""


class Choice(msgspec.Struct, frozen=True):
    prompt_logprobs: list[dict[int, Entry] | None] | None = None


class Completion(msgspec.Struct, frozen=True):
    choices: list[Choice]


class Told(msgspec.Struct, frozen=True):
    message: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """OpenAI's form, and the plain one of vLLM before 0.10."""

    error: Told = Told()
    message: str = ""


_COMPLETION, _REFUSAL = msgspec.json.Decoder(Completion), msgspec.json.Decoder(Refusal)


class Prompt(msgspec.Struct, frozen=True):
    """What is asked: the ids of a document, and how many of the likeliest tokens come back beside its own at each position."""

    id: str
    ids: list[int]
    likeliest: int


Got = TypeVar("Got")


def score_all(
    server: Serving,
    prompts: Sequence[Prompt],
    take: Callable[[Prompt, Positions | None], Got],
    journal: Journal[Got],
    round_name: str = "first",
) -> list[Got]:
    """What `take` makes of each answer, in the order of the prompts, many asked at once, without those that the journal has; `take` gets
    None where a server leaves prompt_logprobs out.

    Fails as `in_turns` has it; but no text may be missing, since one may lose any number of nats.
    """
    return interrupts.run(watched(server, _score_all(server, prompts, take, journal, round_name)))


async def _score_all(
    server: Serving,
    prompts: Sequence[Prompt],
    take: Callable[[Prompt, Positions | None], Got],
    journal: Journal[Got],
    round_name: str,
) -> list[Got]:
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=REQUEST_SECONDS, sock_read=REQUEST_SECONDS)
    connector = aiohttp.TCPConnector(ssl=_trusted(server.base_url))
    headers = {**server.headers, "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, connector=connector) as session:

        async def ask(prompt: Prompt) -> Got:
            return take(prompt, decoded(await _answer(session, server, prompt)))

        came = await in_turns(server, prompts, ask, journal, round_name, most_failed=0)
        return list(came.got.values())


def _trusted(base_url: str) -> "ssl.SSLContext | bool":
    """Whoever httpx trusts, as every other request to the server does; loading all certificates for a plain connection takes time."""
    import httpx

    return httpx.create_ssl_context(trust_env=False) if base_url.startswith("https:") else True


async def _answer(session: "aiohttp.ClientSession", server: Serving, prompt: Prompt) -> bytes:
    """The body of an answer that says 200; raises FailedRequestError."""
    import aiohttp

    body = {"model": server.model, "prompt": prompt.ids, "max_tokens": 1, "temperature": 0, "prompt_logprobs": prompt.likeliest}
    try:
        async with session.post(f"{server.base_url}/v1/completions", data=msgspec.json.encode(body)) as answer:
            status, came = answer.status, await answer.read()
    except TimeoutError:
        raise FailedRequestError("Request timed out.", passing=True) from None
    except aiohttp.ClientError as error:
        raise FailedRequestError(f"Connection error ({error or type(error).__name__}).", passing=True) from None
    if status != HTTP_OK:
        said = _message(came) or came.decode("utf-8", "replace").strip()
        raise FailedRequestError(f"Error code: {status} - {said}".removesuffix(" - "), passing=is_passing(status))
    return came


def decoded(body: bytes) -> Positions | None:
    """The prompt_logprobs of an answer; raises FailedRequestError for one that is no completion."""
    try:
        completion = _COMPLETION.decode(body)
    except msgspec.DecodeError:
        completion = _leniently(body)
    if not completion.choices:
        raise FailedRequestError(f"an answer without choices: {body.decode('utf-8', 'replace')}")
    return completion.choices[0].prompt_logprobs


def _leniently(body: bytes) -> Completion:
    """Python's parser takes NaN and Infinity, which are no JSON and which some servers send: the position is then named by whoever
    looks at the numbers."""
    try:
        return msgspec.convert(json.loads(body), Completion, str_keys=True)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise FailedRequestError(f"an answer that is no completion ({error}): {body.decode('utf-8', 'replace').strip()}") from None


def _message(body: bytes) -> str:
    try:
        refusal = _REFUSAL.decode(body)
    except msgspec.DecodeError:
        return ""
    return refusal.error.message or refusal.message
