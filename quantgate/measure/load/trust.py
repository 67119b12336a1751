"""What vouches for a load: the server's own count of tokens, and a client that was not the one measured.

The counters are vLLM's on /metrics (Prometheus text, version 0.0.4). A client at its limit takes its own delays for the server's.
"""

import re
import time
from collections.abc import Sequence
from typing import NamedTuple

from quantgate.errors import MeasurementError
from quantgate.measure.load.client import Report
from quantgate.measure.load.figures import spread
from quantgate.measure.load.target import Target
from quantgate.records import ClientUse, CounterCheck

GENERATED, PROMPTED = "vllm:generation_tokens_total", "vllm:prompt_tokens_total"
TOLERANCE = 0.01
PATIENCE_SECONDS, POLL_SECONDS = 2.0, 0.05
"""A server counts a step after it has sent it: what does not agree yet is asked for again, for so long."""
REQUEST_SECONDS = 10.0
CPU_SHARE_LIMIT = 0.8
"""Of one core, by process: from there on bytes wait for the process more often than it for them."""
LAG_SHARE_LIMIT = 0.5
"""The loop's p99 lag, as a share of the p99 gap between chunks (p99 latency, where nothing is streamed). A late reading widens
the gap before it by as much, so that above one half more of the tail is the client's than the server's."""
CROWDED_SHARE, COMFORTABLE_SHARE = 0.6, 0.4
"""Above the one, a warm-up shows the need for more processes; the other is what each of them should be at then."""


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
    import httpx

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


def use(reports: Sequence[Report]) -> ClientUse:
    """Over one or several rounds of the same number of processes, each report one process's."""
    lag_ms = spread([lag / 1e6 for report in reports for lag in report.lags_ns] or [0.0])
    assert lag_ms is not None
    return ClientUse(processes=1, cpu_share=max(report.cpu_share for report in reports), lag_ms=lag_ms)


def saturated(client: ClientUse, tail_ms: float | None) -> str | None:
    """Why what this client measured is not the server's, or None. `tail_ms`: the p99 gap between chunks,
    or None where lateness is to be recorded only."""
    if client.cpu_share > CPU_SHARE_LIMIT:
        return (
            f"the client was the bottleneck: a process of it used {client.cpu_share:.0%} of a core ({CPU_SHARE_LIMIT:.0%} is the limit), "
            f"so the measurement is void; ask with more client processes than {client.processes}"
        )
    if tail_ms is not None and client.lag_ms.p99 > LAG_SHARE_LIMIT * tail_ms:
        return (
            f"the client read late: its p99 lag was {client.lag_ms.p99:.2f} ms, and the p99 gap between chunks {tail_ms:.2f} ms "
            f"({LAG_SHARE_LIMIT:.0%} of that is the limit), so the measurement is void; give the client a core of its own"
        )
    return None


def raise_if_saturated(client: ClientUse, tail_ms: float | None) -> None:
    """Raises MeasurementError where the client cannot vouch for its time stamps."""
    if (why := saturated(client, tail_ms)) is not None:
        raise MeasurementError(why)
