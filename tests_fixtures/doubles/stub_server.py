"""A double of an OpenAI-compatible server for testing clients: it streams at a known pace and keeps the true times.

How it behaves and writes, how it is started, what it tells; `stub_loop.py` is what runs. `GET /truth` gives what really happened,
in nanoseconds of the monotonic clock that the client reads too; `/metrics` counts tokens as vLLM does.
"""

import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

ROOT = Path(__file__).parents[2]


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """How it answers. `step_ms`: from chunk to chunk, 0 = unpaced; `ttft_ms`: from request to first chunk, at least.

    `fail_every` and its like count requests from 1: 3 lets the third, sixth, … request fail. A request that fails in the
    stream does so after `fault_after` chunks.
    """

    step_ms: float = 0.0
    ttft_ms: float = 0.0
    fail_every: int = 0
    half_close_every: int = 0
    reset_every: int = 0
    stall_every: int = 0
    short_every: int = 0
    error_event_every: int = 0
    wrong_usage_every: int = 0
    fault_after: int = 7
    tokens_a_chunk: int = 1
    chunks_too_many: int = 0
    textless_every: int = 0
    empty_before_end: bool = False
    usage: bool = True
    done: bool = True
    health: int = 200
    metrics: bool = True
    metrics_factor: float = 1.0
    metrics_late_reads: int = 0
    keep_alive: bool = True
    template_tokens: int = 3
    api_key: str = ""
    body_of_500: str = '{"error":{"message":"the engine is dead"}}'
    crumbs: int = 0
    """Write in pieces of so many bytes."""


class Truth(msgspec.Struct):
    """One request: when it was complete here, when each chunk with output was handed to the kernel."""

    received_ns: int
    sent_ns: list[int]
    body: Any = None


class Stub(NamedTuple):
    """A stub that runs."""

    url: str
    pid: int

    def truth(self) -> list[Truth]:
        """Every request since it began to behave so, in order."""
        return msgspec.json.decode(self._get("/truth"), type=list[Truth])

    def behave(self, behaviour: Behaviour) -> "Stub":
        """Start anew, like this."""
        self._get("/behave", msgspec.json.encode(behaviour))
        return self

    def _get(self, path: str, body: bytes = b"") -> bytes:
        asked = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=10)
        asked.request("GET", path, body)
        content = asked.getresponse().read()
        asked.close()
        return content


@contextlib.contextmanager
def stub(behaviour: Behaviour | None = None) -> Iterator[Stub]:
    """A stub in a process of its own, ready, and ended afterwards."""
    content = msgspec.json.encode(behaviour or Behaviour()).decode()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests_fixtures.doubles.stub_loop", content],
        cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield Stub(f"http://127.0.0.1:{int(process.stdout.readline())}", process.pid)
    finally:
        process.kill()
        process.communicate()


def event(delta: dict[str, str], finish: str | None = None) -> bytes:
    """A chunk as vLLM writes it, down to its size."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish, "token_ids": None}
    fields = {"id": f"chatcmpl-{'0' * 32}", "object": "chat.completion.chunk", "created": 1750000000, "model": "stub"}
    return chunked(b"data: " + json.dumps(fields | {"choices": [choice]}, separators=(",", ":")).encode() + b"\n\n")


def chunked(payload: bytes) -> bytes:
    """One chunk of a chunked response."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)
