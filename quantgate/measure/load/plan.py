"""The load as it was asked for, and the requests that a round of it is made of."""

import base64
import random
import struct
import zlib
from typing import Any

import msgspec

from quantgate.errors import ConfigurationError
from quantgate.measure.load.client import SILENCE_SECONDS, Job
from quantgate.measure.load.prompts import Prompts, arrivals_ns
from quantgate.measure.load.target import Target
from quantgate.measure.sampling import NO_PENALTY

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PATCH = 16
"""Squares of one colour: noise in every pixel would make megabytes to send, and no vision encoder cares."""


class Load(msgspec.Struct, frozen=True):
    """`requests` chats a round, `concurrency` at once, each of `prompt_tokens` in (words, without a tokenizer) and `max_tokens` out.

    `request_rate`: requests a second, at random times; None asks the next as soon as one is answered. `image`: width
    and height in pixels of a picture before each prompt. `clients`: processes that ask; None takes one, and more where
    the warm-up shows that one cannot keep up.
    """

    concurrency: int
    requests: int
    max_tokens: int
    prompt_tokens: int
    stream: bool = True
    request_rate: float | None = None
    image: tuple[int, int] | None = None
    seed: int = 0
    clients: int | None = None
    silence_seconds: float = SILENCE_SECONDS

    def __post_init__(self) -> None:
        least = {"concurrency": 1, "requests": 1, "max_tokens": 1, "prompt_tokens": 1, "clients": 1}
        for name, bound in least.items():
            if (value := getattr(self, name)) is not None and value < bound:
                raise ConfigurationError(f"{name} is {value}; it must be at least {bound}")
        if self.request_rate is not None and not 0 < self.request_rate < 1e6:
            raise ConfigurationError(f"request_rate is {self.request_rate}; it must be above 0 requests a second, and below a million")
        if self.image is not None and not all(1 <= side <= 8192 for side in self.image):
            raise ConfigurationError(f"image is {self.image[0]}x{self.image[1]}; each side must lie between 1 and 8192 pixels")


def body(load: Load, model: str, prompt: str, image_seed: int = 0) -> bytes:
    """One request's JSON. Sampling is always sent: a model's own generation_config.json would change it otherwise."""
    content: Any = prompt
    if load.image is not None:
        picture = {"type": "image_url", "image_url": {"url": data_url(image_seed, *load.image)}}
        content = [picture, {"type": "text", "text": prompt}]
    asked: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": content}],
        "max_tokens": load.max_tokens,
        "temperature": 0,
        "ignore_eos": True,
        "stream": load.stream,
        **NO_PENALTY,
    }
    if load.stream:
        asked["stream_options"] = {"include_usage": True}
    return msgspec.json.encode(asked)


def job(load: Load, target: Target, prompts: Prompts, number: int) -> Job:
    """Round `number` of the load, counted from 0 with the warm-up; every round has prompts, pictures and times of its own."""
    texts = prompts.take(load.requests, load.prompt_tokens)
    first_picture = (load.seed << 40) + number * load.requests
    return Job(
        target=target,
        bodies=[body(load, target.model, text, first_picture + place) for place, text in enumerate(texts)],
        concurrency=load.concurrency,
        max_tokens=load.max_tokens,
        stream=load.stream,
        due_ns=None if load.request_rate is None else arrivals_ns(load.requests, load.request_rate, (load.seed << 20) + number),
        silence_seconds=load.silence_seconds,
    )


def png(seed: int, width: int, height: int) -> bytes:
    """An 8-bit RGB picture of coloured squares; another seed gives another one."""
    draws = random.Random(seed)
    across = -(-width // PATCH)
    rows = []
    for top in range(0, height, PATCH):
        colours = [draws.randbytes(3) for _ in range(across)]
        row = b"\0" + b"".join(colour * PATCH for colour in colours)[: 3 * width]  # 0: the row is stored unfiltered
        rows += [row] * min(PATCH, height - top)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"".join(rows), 1)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def data_url(seed: int, width: int, height: int) -> str:
    return f"data:image/png;base64,{base64.b64encode(png(seed, width, height)).decode()}"
