"""Does the checkpoint work at all? What it generates, and whether every number that it gives is one: seconds, on a ready server.

Tokens from all over the vocabulary, because a damaged row of the embedding or of the output layer is not met by ordinary words.
"""

import math
import random
from typing import Any

import msgspec

from quantgate import fingerprint
from quantgate.errors import MeasurementError
from quantgate.server import Serving

PROMPTS = ("The capital of France is", "1 2 3 4 5 6 7", "def add(a, b):", "Once upon a time")
MAX_TOKENS = 32
SPRINKLED, SPRINKLED_TOKENS = 8, 256
SEED = 0


class Generated(msgspec.Struct, frozen=True):
    """A greedy answer: its tokens, the logprob that each had, and why it ended."""

    prompt: str
    tokens: list[str]
    logprobs: list[float]
    finish_reason: str


def generate(server: Serving) -> list[Generated]:
    """Greedy answers to PROMPTS. Raises MeasurementError for an answer without a token, or with a logprob that is no number."""
    found = []
    for prompt in PROMPTS:
        choice = _ask(server, {"prompt": prompt, "max_tokens": MAX_TOKENS, "logprobs": 0})["choices"][0]
        told = choice["logprobs"] or {"tokens": [], "token_logprobs": []}
        answer = Generated(prompt, told["tokens"], told["token_logprobs"], choice["finish_reason"])
        if not answer.tokens:
            raise MeasurementError(f"{server.model} answers {prompt!r} with no token at all (finish_reason {answer.finish_reason})")
        _refuse_nonsense(server, answer.logprobs, f"token {{}} of its answer to {prompt!r}")
        found.append(answer)
    return found


def sprinkle(server: Serving) -> int:
    """Logprobs of prompts whose tokens are drawn from the whole vocabulary; how many there were.

    Raises MeasurementError where one of them is no finite number.
    """
    size = fingerprint.tokenizer(server.folder).get_vocab_size(with_added_tokens=True)
    most = server.checkpoint.serve.max_model_len or SPRINKLED_TOKENS
    draw, seen = random.Random(SEED), 0
    for number in range(SPRINKLED):
        ids = [draw.randrange(size) for _ in range(min(SPRINKLED_TOKENS, most - 1))]
        choice = _ask(server, {"prompt": ids, "max_tokens": 1, "prompt_logprobs": 0})["choices"][0]
        own = [position[str(token)]["logprob"] for token, position in zip(ids[1:], choice["prompt_logprobs"][1:], strict=True)]
        _refuse_nonsense(server, own, f"token {{}} of prompt {number + 1} of {SPRINKLED}, drawn from the whole vocabulary")
        seen += len(own)
    return seen


def _ask(server: Serving, body: dict[str, Any]) -> dict[str, Any]:
    import httpx

    try:
        with server.client() as client:
            answer = client.post("/v1/completions", json={"model": server.model, "temperature": 0, **body})
    except httpx.TransportError as error:
        server.confirm_alive()
        raise MeasurementError(f"{server.model} did not answer ({type(error).__name__})") from error
    if answer.status_code != httpx.codes.OK:
        server.confirm_alive()
        why = "its logprobs are not finite; check the checkpoint's scales for NaN and Inf"
        said = why if "not JSON compliant" in answer.text else answer.text[:300]
        raise MeasurementError(f"{server.model} answers {answer.status_code}: {said}")
    found: dict[str, Any] = answer.json()
    return found


def _refuse_nonsense(server: Serving, logprobs: list[float], where: str) -> None:
    """A logprob is a number of 0 or less (a little more, where it was rounded)."""
    for number, logprob in enumerate(logprobs, 1):
        if not math.isfinite(logprob) or logprob > 1e-3:
            raise MeasurementError(f"{server.model}: the logprob of {where.format(number)} is {logprob}")
