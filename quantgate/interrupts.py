"""Ctrl-C while many requests are under way."""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from types import FrameType
from typing import Any, TypeVar

Got = TypeVar("Got")


def run(main: Coroutine[Any, Any, Got]) -> Got:
    """asyncio.run, out of which the first Ctrl-C always comes as KeyboardInterrupt.

    asyncio.run cancels the main task instead, and where a request answers its cancellation with an error of its own,
    that error comes out: pytest would count one failed test and go on.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        return asyncio.run(main)
    signal.signal(signal.SIGINT, _raise_keyboard_interrupt)  # any handler but the default one is left alone by asyncio
    try:
        return asyncio.run(main)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _raise_keyboard_interrupt(number: int, frame: FrameType | None) -> None:
    signal.default_int_handler(number, frame)
