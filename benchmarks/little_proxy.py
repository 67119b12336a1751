"""A TCP proxy in a thread, between a client and a port of this machine: it can delay what passes, and be cut."""

import asyncio
import contextlib
import socket
import threading
from types import TracebackType


def free_port() -> int:
    """One that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Proxy:
    """`delay`: seconds that each piece waits, in either direction; `down` refuses and drops connections, `up` takes them again."""

    def __init__(self, behind: int) -> None:
        self.port, self.delay = free_port(), 0.0
        self._behind, self._loop = behind, asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "Proxy":
        self._thread.start()
        self.up()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def up(self) -> None:
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()

    def down(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, here = await asyncio.open_connection("127.0.0.1", self._behind)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, here}
        await asyncio.gather(self._pass(reader, here), self._pass(there, writer))
        self._open -= {writer, here}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(2**16):
                await asyncio.sleep(self.delay)
                writer.write(piece)
                await writer.drain()
        writer.close()
