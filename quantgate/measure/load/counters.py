"""The server's own count of tokens, to check ours against: vLLM's counters on /metrics (Prometheus text, version 0.0.4)."""

import re
import time
from typing import NamedTuple

import httpx

from quantgate.errors import MeasurementError
from quantgate.measure.load.target import Target
from quantgate.records import CounterCheck

GENERATED, PROMPTED = "vllm:generation_tokens_total", "vllm:prompt_tokens_total"
TOLERANCE = 0.01
PATIENCE_SECONDS, POLL_SECONDS = 2.0, 0.05
"""A server counts a step after it has sent it: what does not agree yet is asked for again, for so long."""
REQUEST_SECONDS = 10.0


class Counters(NamedTuple):
    generation_tokens: float
    prompt_tokens: float


def parse(text: str) -> Counters | None:
    """Both counters, each summed over its labels; None where one is missing."""
    sums = []
    for name in (GENERATED, PROMPTED):
        found = re.findall(rf"^{name}(?:\{{.*\}})?[ \t]+(\S+)", text, re.MULTILINE)
        if not found:
            return None
        sums.append(sum(map(float, found)))
    return Counters(*sums)


def read(target: Target) -> Counters | None:
    """What the server counts now, or None where it has no such counters."""
    # Where there is no TLS there is nothing to verify, and no need to load every certificate for it.
    headers = {"Authorization": f"Bearer {target.api_key}"} if target.api_key else {}
    try:
        with httpx.Client(trust_env=False, timeout=REQUEST_SECONDS, verify=target.place.tls) as client:
            answer = client.get(f"{target.root}/metrics", headers=headers)
    except httpx.HTTPError:
        return None
    return parse(answer.text) if answer.status_code == httpx.codes.OK else None


def check(target: Target, before: Counters | None, generation_tokens: int, prompt_tokens: int) -> CounterCheck | None:
    """The server's count since `before` beside ours, or None where it has none.

    Raises MeasurementError where they are more than TOLERANCE apart: an answer's usage is wrong, or somebody else uses the server.
    """
    if before is None:
        return None
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        if (now := read(target)) is None:
            raise MeasurementError(f"{target.root}/metrics was there before the load and is not any more: is the server still alive?")
        found = CounterCheck(
            generation_tokens=generation_tokens,
            server_generation_tokens=round(now.generation_tokens - before.generation_tokens),
            prompt_tokens=prompt_tokens,
            server_prompt_tokens=round(now.prompt_tokens - before.prompt_tokens),
        )
        if (why := disagreement(found)) is None:
            return found
        if time.monotonic() > deadline:
            raise MeasurementError(why)
        time.sleep(POLL_SECONDS)


def disagreement(found: CounterCheck) -> str | None:
    """The first count that differs by more than TOLERANCE, as a sentence, or None."""
    pairs = {
        "output": (found.generation_tokens, found.server_generation_tokens),
        "prompt": (found.prompt_tokens, found.server_prompt_tokens),
    }
    for name, (ours, theirs) in pairs.items():
        if abs(theirs - ours) > TOLERANCE * max(ours, 1):
            return (
                f"the answers' usage adds up to {ours} {name} tokens and the server's own counter to {theirs}, more than "
                f"{TOLERANCE:.0%} apart: does somebody else use this server?"
            )
    return None
