"""One HTTP/1.1 response, taken apart as its bytes come (RFC 9112): head, then chunks, a length, or all until the end.

A server sends each event of a stream as a chunk of its own, so this runs once for every token: it does little.
"""

from quantgate.measure.load.outcome import RequestError

LINE, BLANK_LINE = b"\r\n", b"\r\n\r\n"
HEAD_BYTES = 1 << 16
NO_BODY = (204, 304)


class Reply:
    """Feed it what arrives; it gives back what of that is body. `done` once the response is complete."""

    __slots__ = ("_left", "_rest", "chunked", "done", "reusable", "status")

    def __init__(self) -> None:
        self.status = 0
        self.done = False
        self.reusable = True
        """Whether the connection may carry another request afterwards."""
        self.chunked = False
        self._left: int | None = None
        """Bytes of the body still to come, where a length was given."""
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces of body that `data` completes; raises RequestError where it is no HTTP."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        if not self.status:
            if (found := self._head(data)) is None:
                return []
            data = found
        if self.chunked:
            return self._chunks(data)
        if self._left is not None:
            piece = data[: self._left]
            self._left -= len(piece)
            self.done = self._left == 0
            return [piece]
        return [data]

    def ended(self) -> bool:
        """The connection was closed; whether that completes the response."""
        self.done = self.done or (bool(self.status) and not self.chunked and self._left is None)
        return self.done

    def _head(self, data: bytes) -> bytes | None:
        """Read the status and the headers; what follows them, or None while they are incomplete."""
        end = data.find(BLANK_LINE)
        if end < 0:
            self._rest = data
            if len(data) > HEAD_BYTES or not b"HTTP/1.".startswith(data[:7]):
                raise RequestError("no HTTP", f"answer that is no HTTP/1.1: {data[:40]!r}")
            return None
        first, *lines = data[:end].split(LINE)
        try:
            version, status = first.split(b" ", 2)[:2]
            self.status = int(status)
        except ValueError:
            version = b""
        if version not in (b"HTTP/1.1", b"HTTP/1.0"):
            raise RequestError("no HTTP", f"answer that is no HTTP/1.1: {first[:40]!r}")
        data = data[end + len(BLANK_LINE) :]
        if self.status < 200:  # "100 Continue" and its like come before the answer
            self.status = 0
            return self._head(data)
        headers = {name.strip().lower(): value.strip().lower() for name, _, value in (line.partition(b":") for line in lines)}
        self.chunked = headers.get(b"transfer-encoding", b"").endswith(b"chunked")
        connection = headers.get(b"connection", b"")
        self.reusable = connection != b"close" and (version == b"HTTP/1.1" or connection == b"keep-alive")
        if not self.chunked and (length := headers.get(b"content-length", b"")).isdigit():
            self._left = int(length)
        if self.status in NO_BODY:
            self.chunked, self._left = False, 0
        if self._left == 0:
            self.done = True
        self.reusable = self.reusable and (self.chunked or self._left is not None)
        return data

    def _chunks(self, data: bytes) -> list[bytes]:
        pieces: list[bytes] = []
        place, length = 0, len(data)
        while place < length:
            line_end = data.find(LINE, place)
            if line_end < 0:
                break
            try:
                size = int(data[place:line_end].partition(b";")[0], 16)
            except ValueError:
                raise RequestError("no HTTP", f"chunk whose size is {data[place:line_end][:40]!r}") from None
            start = line_end + 2
            if size == 0:
                trailer = data.find(LINE, start)
                while start < trailer:  # a trailer's lines end with an empty one
                    start, trailer = trailer + 2, data.find(LINE, trailer + 2)
                if trailer < 0:
                    break
                self.done = True
                return pieces
            stop = start + size
            if stop + 2 > length:
                break
            pieces.append(data[start:stop])
            place = stop + 2
        self._rest = data[place:]
        return pieces
