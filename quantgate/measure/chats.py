"""Questions through chat: what is sent with one, what comes back, and all of a suite's in one or two rounds."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from quantgate.measure.asking import ask_all, chosen
from quantgate.measure.journal import Journal
from quantgate.measure.sampling import NEUTRAL
from quantgate.measure.thinking import Said
from quantgate.measure.turns import MOST_FAILED, Came, FailedRequestError, Named
from quantgate.server import Serving

if TYPE_CHECKING:
    from openai import AsyncOpenAI

SEED = 0
Sampling = dict[str, float | int | bool | str]


class Reply(NamedTuple):
    """What came back."""

    said: Said
    finish_reason: str
    completion_tokens: int


class Prompted(Named, Protocol):
    """What is asked in words, with a seed."""

    @property
    def prompt(self) -> str: ...
    @property
    def seed(self) -> int: ...


class Asked(NamedTuple):
    """One that is asked once."""

    id: str
    prompt: str
    seed: int = SEED


class AsksSo(Protocol):
    """How a suite asks."""

    @property
    def fingerprint(self) -> str: ...
    @property
    def max_tokens(self) -> int: ...
    @property
    def thinking(self) -> bool | None: ...


def ask_chats(
    server: Serving,
    suite: AsksSo,
    items: Sequence[Prompted],
    journal: Journal[Reply],
    again: int = 0,
    *,
    temperature: float = 0,
    enough: Callable[[Sequence[Reply]], bool] | None = None,
) -> tuple[Came[Reply], Came[Reply]]:
    """Ask all once, and `again` of them once more, with the seeds that they had; without what the journal has.

    For a baseline, which `again` is for, every item must come. Raises as `in_turns` does.
    """
    most_failed = 0.0 if again else MOST_FAILED

    async def ask(client: "AsyncOpenAI", item: Prompted) -> Reply:
        return await chat(client, server.model, item.prompt, suite.max_tokens, suite.thinking, temperature=temperature, seed=item.seed)

    def asked(some: Sequence[Prompted], round_name: str) -> Came[Reply]:
        return ask_all(
            server,
            some,
            ask,
            journal,
            round_name,
            max_tokens=suite.max_tokens,
            most_failed=most_failed,
            tokens_of=lambda reply: reply.completion_tokens,
            enough=enough if round_name == "first" else None,
        )

    first = asked(items, "first")
    return first, asked(chosen([item for item in items if item.id in first.got], again, suite.fingerprint), "again")


def sampling_of(max_tokens: int, thinking: bool | None, temperature: float = 0, repeats: int = 1) -> Sampling:
    """As provenance has it."""
    found: Sampling = {"temperature": temperature or 0, "max_tokens": max_tokens}
    if repeats > 1:
        found["repeats"] = repeats
    return found if thinking is None else found | {"enable_thinking": thinking}


async def chat(
    client: "AsyncOpenAI",
    model: str,
    prompt: str,
    max_tokens: int,
    thinking: bool | None,
    *,
    temperature: float = 0,
    seed: int = SEED,
) -> Reply:
    """Ask, greedily unless `temperature` says otherwise. Raises FailedRequestError where the answer holds none."""
    told = {} if thinking is None else {"chat_template_kwargs": {"enable_thinking": thinking}}
    completion = await client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": prompt}],
        temperature=temperature or 0,
        max_tokens=max_tokens,
        seed=seed,
        extra_body=NEUTRAL | told,
    )
    if not getattr(completion, "choices", None):
        raise FailedRequestError(f"the server's answer holds no choice: {completion}")
    choice = completion.choices[0]
    tokens = completion.usage.completion_tokens if completion.usage else 0
    return Reply(Said.of(choice.message, choice.finish_reason), choice.finish_reason, tokens)
