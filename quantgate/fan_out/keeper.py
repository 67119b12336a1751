"""A program on a node, `python -m quantgate.fan_out.keeper`: it runs one unit's pytests in a folder and tells what becomes of it.

A job comes on standard input, news go to standard output (`wire.py`). Standard input that ends means stop, whatever ended it: whoever
waits here was interrupted, or died, or the node's Ray did. Then pytest is ended as Ctrl-C ends it, with its servers, and the folder goes.
"""

import contextlib
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import msgspec

from quantgate.fan_out.mirror import Mirror, put
from quantgate.fan_out.wire import BASELINES, RECORDS, Job, News, Piece, frames, pack, unpack_job, write_all
from quantgate.nightly import interruptible, run_until

LOG = "pytest.log"
LOOK_SECONDS = 1.0
FRAME_BYTES = 1 << 23


class Teller:
    """Sends news until nobody listens any more."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._lock, self._host = descriptor, threading.Lock(), socket.gethostname()

    def send(self, news: News) -> None:
        with self._lock, contextlib.suppress(OSError):  # who waited is gone: the end of standard input says so as well
            write_all(self._descriptor, pack(news))

    def begun(self) -> None:
        self.send(News(kind="begun", host=self._host))

    def pieces(self, pieces: list[Piece]) -> None:
        batch, size = list[Piece](), 0
        for piece in pieces:
            batch.append(piece)
            size += len(piece.data)
            if size > FRAME_BYTES:
                self.send(News(host=self._host, pieces=batch))
                batch, size = [], 0
        if batch:
            self.send(News(host=self._host, pieces=batch))


def keep(job: Job, teller: Teller, folder: Path) -> News:
    """Run all of it; returns the news of its end, which are for when the folder is gone."""
    deadline = float("inf") if job.seconds is None else time.monotonic() + job.seconds
    codes, was_stopped, trouble = list[int](), False, None
    for piece in job.pieces:
        put(folder, piece)
    for name in (RECORDS, BASELINES):
        (folder / name).mkdir(exist_ok=True)
    mirror, is_over = Mirror(folder, told=True), threading.Event()
    looker = threading.Thread(target=_look, args=(mirror, teller, is_over), daemon=True)
    teller.begun()
    looker.start()
    try:
        with (folder / LOG).open("ab") as log:
            for command in job.commands:
                words = [word.replace("{python}", sys.executable).replace("{folder}", str(folder)) for word in command]
                ended = run_until(words, deadline, Path(job.project or Path.cwd()), log.fileno())
                codes.append(ended.code)
                was_stopped |= ended.was_stopped
                if ended.was_stopped or ended.code < 0:
                    break
    except KeyboardInterrupt:
        was_stopped = True
    except OSError as error:
        trouble = f"{error.filename or words[0]}: {error.strerror}"
    finally:
        # Whoever waits may take the end for all that was to come, and close standard input: that is to stop nothing of the rest.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        is_over.set()
        looker.join()
        teller.pieces(list(mirror.changes()))
    return News(kind="ended", codes=codes, was_stopped=was_stopped, trouble=trouble)


def _look(mirror: Mirror, teller: Teller, is_over: threading.Event) -> None:
    while not is_over.wait(LOOK_SECONDS):
        teller.pieces(list(mirror.changes()))


def _stop_at_the_end_of(descriptor: int) -> None:
    """A thread that interrupts this process when nothing can be read from there any more."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(descriptor, 4096):
                pass
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=wait, daemon=True).start()


def main() -> int:
    if os.fork():  # a child of a Ray worker is killed with it, and this is to end in good order
        os._exit(0)
    os.setsid()
    news = os.dup(1)  # nothing else may write between the frames
    os.dup2(2, 1)
    teller = Teller(news)
    content = next(frames(0), None)
    if content is None:
        return 1
    # Whatever this process was started with: Ray's threads block signals, and what they start inherits that.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    ended = News(kind="ended", was_stopped=True)
    with interruptible(), contextlib.suppress(KeyboardInterrupt):
        with tempfile.TemporaryDirectory(prefix="quantgate-unit-") as folder:
            _stop_at_the_end_of(0)
            ended = keep(unpack_job(content), teller, Path(folder))
        teller.send(msgspec.structs.replace(ended, host=socket.gethostname()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
