"""The events of a streamed chat, and which of them are output.

The first chunk carries the role, the last one the usage; some servers close with an empty delta. Every other chunk is
output, also one with an empty text: half a character and a special token have no text of their own, and still took
a step of the model. Where a server sends empty texts that no token stands behind, usage says so: see `output_ns`.

A chunk may carry several tokens (speculation, servers that send now and then). Only the first one's count matters, for what comes
after it is timed from it: see `first_tokens`.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from quantgate.measure.load.outcome import RequestError

DATA, DONE = b"data:", b"[DONE]"
SHOWN_CHARACTERS = 200
CLEARLY_SEVERAL = 4
"""A first chunk counts as more than one token where its text is that many times a token's mean length: one token may well be twice that."""


class Delta(msgspec.Struct, frozen=True):
    role: str | None = None
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None


class Choice(msgspec.Struct, frozen=True):
    delta: Delta = Delta()


class Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Event(msgspec.Struct, frozen=True):
    choices: Sequence[Choice] = ()
    usage: Usage | None = None
    error: Any = None


class Stream:
    """One streamed answer. `take` what arrived; `usage` and `done` say how it ended."""

    __slots__ = ("_characters", "_first_characters", "_first_usage", "_line", "arrived_ns", "done", "textless", "usage")

    def __init__(self) -> None:
        self.arrived_ns: list[int] = []
        self.textless: list[int] = []
        """Places in `arrived_ns` of chunks whose text was empty."""
        self.usage: Usage | None = None
        self.done = False
        self._line = b""
        self._characters = self._first_characters = 0
        self._first_usage: Usage | None = None

    def take(self, piece: bytes, now_ns: int, decode: "msgspec.json.Decoder[Event]") -> None:
        """Read the lines that `piece` completes; raises RequestError for an error that the server sends, and for what is no event."""
        lines = (self._line + piece if self._line else piece).split(b"\n")
        self._line = lines.pop()
        for line in lines:
            if not line.startswith(DATA):
                continue  # empty, a comment, or the event's name
            payload = line[len(DATA) :]
            try:
                event = decode.decode(payload)
            except (msgspec.DecodeError, UnicodeDecodeError):
                if payload.strip() != DONE:
                    raise RequestError("no event", f"stream with a line that is no chunk: {shown(payload)}") from None
                self.done = True
                continue
            if event.error is not None:
                raise RequestError("error in the stream", f"error in the stream after {len(self.arrived_ns)} chunks: {shown(payload)}")
            if event.usage is not None:
                self.usage = event.usage
            if event.choices:
                delta = event.choices[0].delta
                if text := delta.content or delta.reasoning or delta.reasoning_content:
                    if not self.arrived_ns:
                        self._first_characters, self._first_usage = len(text), event.usage
                    self._characters += len(text)
                    self.arrived_ns.append(now_ns)
                elif delta.content is not None and delta.role is None:
                    self.textless.append(len(self.arrived_ns))
                    self.arrived_ns.append(now_ns)

    def output_ns(self) -> list[int]:
        """When each chunk with output came: textless ones count as long as there are no more chunks than tokens."""
        if self.usage is None or len(self.arrived_ns) <= self.usage.completion_tokens:
            return self.arrived_ns
        dropped = set(self.textless)
        return [at for place, at in enumerate(self.arrived_ns) if place not in dropped]

    def first_tokens(self, chunks: int) -> int:
        """Tokens of the first chunk, of so many that brought output: what the server counts by then (`continuous_usage_stats`), else
        what its share of the text says. All others bring one at least, and where chunks are as many as tokens, so does it."""
        if self.usage is None or (most := self.usage.completion_tokens - chunks + 1) <= 1:
            return 1
        if self._first_usage is not None and self._first_usage.completion_tokens:
            return min(self._first_usage.completion_tokens, most)
        share = self.usage.completion_tokens * self._first_characters / self._characters if self._characters else 0.0
        return min(round(share), most) if share >= CLEARLY_SEVERAL else 1


def shown(body: bytes) -> str:
    """The first characters of what a server said, on one line."""
    return " ".join(body[: 4 * SHOWN_CHARACTERS].decode("utf-8", "replace").split())[:SHOWN_CHARACTERS]
