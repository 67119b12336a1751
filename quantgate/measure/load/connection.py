"""One connection to the server, kept for request after request. Time is taken once for all bytes that arrive together.

asyncio's own protocol and no HTTP library: what a library does for each chunk (futures, queues, a task that wakes)
costs several times what is left here, and at a few thousand tokens a second it would show in the gaps between them.
Bytes are received into one buffer: asyncio's plain protocol allocates 256 KiB for each read, and that alone
was 27 of 47 µs for a chunk of 300 bytes.
"""

import asyncio
import ssl
import time

import msgspec

from quantgate.measure.load.events import Event, Stream, Usage, shown
from quantgate.measure.load.outcome import Answered, RequestError
from quantgate.measure.load.reply import Reply
from quantgate.measure.load.target import Target

CONNECT_SECONDS = 30.0
IDLE_SECONDS = 3.0
"""A connection idle for longer is not used again: servers close theirs after five, and may be about to."""

HTTP_OK = 200
_BUFFER = memoryview(bytearray(1 << 16))
"""Shared by all connections: what is received is taken out before the loop turns to the next one."""


class Whole(msgspec.Struct, frozen=True):
    """An answer that is not streamed."""

    usage: Usage | None = None


class Connection(asyncio.BufferedProtocol):
    """Asks one request at a time. Not open yet, or closed again: `ask` opens it."""

    def __init__(self, target: Target, number: int, max_tokens: int, *, stream: bool) -> None:
        self._target, self._number, self._max_tokens, self._stream = target, number, max_tokens, stream
        self._place, self._head = target.place, target.head()
        self._decode = msgspec.json.Decoder(Event)
        self._transport: asyncio.Transport | None = None
        self._reply: Reply | None = None
        self._events = Stream()
        self._body = bytearray()
        self._waiter: asyncio.Future[int] | None = None
        self.heard_ns = 0
        """When bytes last came, or the request was sent."""

    async def open(self) -> None:
        """Connect where there is no usable connection; raises RequestError."""
        if self._transport is not None and not self._transport.is_closing():
            if time.monotonic_ns() - self.heard_ns < IDLE_SECONDS * 1e9:
                return
            self._transport.abort()
        loop = asyncio.get_running_loop()
        context = ssl.create_default_context() if self._place.tls else None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await loop.create_connection(lambda: self, self._place.host, self._place.port, ssl=context)
        except TimeoutError:
            raise RequestError("no connection", f"no connection within {CONNECT_SECONDS:.0f} s") from None
        except ConnectionRefusedError:
            raise RequestError("connection refused", "connection refused") from None
        except (OSError, ssl.SSLError) as error:
            raise RequestError("no connection", f"no connection ({error.strerror or error})") from None
        self.heard_ns = time.monotonic_ns()

    async def ask(self, body: bytes, due_ns: int | None = None) -> Answered:
        """One request; raises RequestError where it does not bring what it should. `due_ns`: since when it waits for its turn."""
        await self.open()
        assert self._transport is not None
        self._reply, self._events, self._body = Reply(), Stream(), bytearray()
        self._waiter = asyncio.get_running_loop().create_future()
        asked_ns = self.heard_ns = time.monotonic_ns()
        self._transport.write(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        try:
            ended_ns = await self._waiter
        except BaseException:
            self.close()
            raise
        finally:
            self._waiter = None
        arrived_ns, usage = self._result(ended_ns)
        return Answered(
            connection=self._number,
            asked_ns=asked_ns if due_ns is None else due_ns,
            arrived_ns=arrived_ns,
            ended_ns=ended_ns,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            waited=due_ns is not None,
            first_tokens=self._events.first_tokens(len(arrived_ns)) if self._stream else 1,
        )

    def give_up_if_silent(self, now_ns: int, silence_seconds: float) -> None:
        """Fail the request in flight where nothing has come for so long."""
        if self._waiter is not None and now_ns - self.heard_ns > silence_seconds * 1e9:
            self._fail(RequestError("timeout", f"silent for {silence_seconds:g} s after {self._so_far()}"))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 (asyncio's signature)
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        now_ns = self.heard_ns = time.monotonic_ns()
        data = bytes(_BUFFER[:nbytes])
        reply = self._reply
        if reply is None or self._waiter is None:
            self.close()  # bytes that nobody asked for
            return
        try:
            pieces = reply.feed(data)
            if self._stream and reply.status == HTTP_OK:
                for piece in pieces:
                    self._events.take(piece, now_ns, self._decode)
            else:
                for piece in pieces:
                    self._body += piece
        except RequestError as error:
            self._fail(error)
            return
        if reply.done:
            self._finish(now_ns)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._waiter is None or self._waiter.done():
            return
        if exc is None and self._reply is not None and self._reply.ended():
            self._finish(time.monotonic_ns())
        elif isinstance(exc, ConnectionResetError):
            self._fail(RequestError("connection reset", f"connection reset after {self._so_far()}"))
        else:
            self._fail(self._ended_early())

    def _finish(self, now_ns: int) -> None:
        assert self._reply is not None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(now_ns)
        if not self._reply.reusable:
            self.close()

    def _fail(self, error: RequestError) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)

    def _ended_early(self) -> RequestError:
        return RequestError("ended early", f"{'stream' if self._stream else 'answer'} ended after {self._so_far()}")

    def _so_far(self) -> str:
        return f"{len(self._events.arrived_ns)} of {self._max_tokens} chunks" if self._stream else f"{len(self._body)} bytes"

    def _result(self, ended_ns: int) -> tuple[list[int], Usage]:
        """When output arrived, and the usage; raises RequestError where something is missing."""
        assert self._reply is not None
        if self._reply.status != HTTP_OK:
            said = self._target.without_key(shown(bytes(self._body)))
            raise RequestError(f"HTTP {self._reply.status}", f"HTTP {self._reply.status} {said}".rstrip())
        if self._stream and not self._events.done:
            raise self._ended_early()
        arrived_ns, usage = (self._events.output_ns(), self._events.usage) if self._stream else ([ended_ns], self._whole())
        if usage is None:
            raise RequestError("no usage", "answer without usage, so that nobody knows its tokens")
        if usage.completion_tokens != self._max_tokens:
            raise RequestError("other length", f"{usage.completion_tokens} of {self._max_tokens} tokens came (is ignore_eos obeyed?)")
        if not arrived_ns:
            raise RequestError("no output", f"stream in which none of {self._max_tokens} tokens came as a chunk")
        if len(arrived_ns) > usage.completion_tokens:
            raise RequestError("wrong usage", f"{len(arrived_ns)} chunks with text, and usage counts {usage.completion_tokens} tokens")
        return arrived_ns, usage

    def _whole(self) -> Usage | None:
        try:
            return msgspec.json.decode(bytes(self._body), type=Whole).usage
        except msgspec.DecodeError:
            raise RequestError("no JSON", f"answer that is no chat completion: {shown(bytes(self._body))}") from None
