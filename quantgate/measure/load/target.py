"""Whom the load is put on: a URL taken apart, a model, a key that nothing prints."""

from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from quantgate.errors import ConfigurationError

PORTS = {"http": 80, "https": 443}


class Target(msgspec.Struct, frozen=True):
    """An OpenAI-compatible server. `root` is the URL without `/v1`; `api_key` may be empty."""

    root: str
    model: str
    api_key: str = ""

    def __repr__(self) -> str:
        return f"Target({self.root!r}, {self.model!r})"  # without the key: reprs stand in tracebacks

    @property
    def place(self) -> "Place":
        parts = urlsplit(self.root)
        assert parts.hostname is not None  # `target` saw to it
        port = parts.port or PORTS[parts.scheme]
        return Place(parts.hostname, port, parts.scheme == "https", parts.netloc, f"{parts.path}/v1/chat/completions")

    def head(self) -> bytes:
        """The request's first lines, up to the body's length. No compression: unpacking it would be the client's work."""
        place = self.place
        key = f"Authorization: Bearer {self.api_key}\r\n" if self.api_key else ""
        lines = (
            f"POST {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\n{key}Content-Type: application/json\r\n"
            f"Accept: text/event-stream, application/json\r\nAccept-Encoding: identity\r\nContent-Length: "
        )
        return lines.encode("latin-1")

    def without_key(self, text: str) -> str:
        """`text` as it may be shown: a server may repeat the key that it refuses."""
        return text.replace(self.api_key, "***") if self.api_key else text


class Place(NamedTuple):
    host: str
    port: int
    tls: bool
    netloc: str
    path: str


def parse_target(base_url: str, model: str, api_key: str = "") -> Target:
    """A target from a URL with or without `/v1` at its end; raises ConfigurationError where it is no URL, or the key no header."""
    root = base_url.rstrip("/").removesuffix("/v1").rstrip("/")
    try:
        parts = urlsplit(root)
        known = parts.scheme in PORTS and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known or parts.username or parts.query or parts.fragment or not root.isascii() or any(letter.isspace() for letter in root):
        shown = base_url if "@" not in base_url else "a URL with a name or password in it"
        raise ConfigurationError(f"{shown!r} is no base URL of a server; give one such as http://127.0.0.1:8000/v1")
    if not all("!" <= letter <= "~" for letter in api_key):
        raise ConfigurationError("the key has a character in it that no HTTP header may carry (a space, a line's end?); set it anew")
    return Target(root, model, str(api_key))  # a plain one, which can be sent to a worker; our repr hides it
