"""One question through chat, greedily: what is sent with it, and what comes back."""

from typing import TYPE_CHECKING, NamedTuple

from quantgate.errors import MeasurementError
from quantgate.measure.sampling import NEUTRAL
from quantgate.measure.thinking import Said

if TYPE_CHECKING:
    from openai import AsyncOpenAI

SEED = 0
Sampling = dict[str, float | int | bool | str]


class Reply(NamedTuple):
    """What came back."""

    said: Said
    finish_reason: str
    completion_tokens: int


def sampling_of(max_tokens: int, thinking: bool | None) -> Sampling:
    """As provenance has it."""
    found: Sampling = {"temperature": 0, "max_tokens": max_tokens}
    return found if thinking is None else found | {"enable_thinking": thinking}


async def chat(client: "AsyncOpenAI", model: str, name: str, prompt: str, max_tokens: int, thinking: bool | None) -> Reply:
    """Ask; `name` is the item's, for messages. Raises MeasurementError where the answer holds none."""
    told = {} if thinking is None else {"chat_template_kwargs": {"enable_thinking": thinking}}
    completion = await client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": prompt}],
        temperature=0,
        max_tokens=max_tokens,
        seed=SEED,
        extra_body=NEUTRAL | told,
    )
    if not getattr(completion, "choices", None):
        raise MeasurementError(f"{name}: the server's answer holds no choice: {str(completion)[:200]}")
    choice = completion.choices[0]
    return Reply(Said.of(choice.message), choice.finish_reason, completion.usage.completion_tokens if completion.usage else 0)
