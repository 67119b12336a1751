"""Which servers the workers of a run have running, so that a worker knows with which checkpoint another one has died.

A worker that dies (xdist) takes its memory of what happened with it, and the one in its place would boot the same server once more, and
die of it once more. So each notes a boot in a file that it holds locked: the kernel lets go of the lock of a process that is gone,
however it went, and a note that nobody holds is a death.
"""

import fcntl
import os
from pathlib import Path


class Boots:
    """Notes in `folder`, which the workers of a run share; none are taken where it is None."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._held: dict[str, tuple[int, Path]] = {}

    def begin(self, key: str) -> None:
        """A server of this checkpoint is about to start here."""
        if self._folder is None or key in self._held:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        note = self._folder / f"{_named(key)}@{os.getpid()}"
        held = os.open(note, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(held, fcntl.LOCK_EX)
        self._held[key] = held, note

    def end(self, key: str) -> None:
        """It has ended, and this process lives to say so."""
        if key in self._held:
            held, note = self._held.pop(key)
            note.unlink(missing_ok=True)
            os.close(held)

    def died(self, key: str) -> int:
        """How many processes have died while a server of this checkpoint was theirs."""
        if self._folder is None:
            return 0
        return sum(_is_let_go(note) for note in self._folder.glob(f"{_named(key)}@*"))


def _named(key: str) -> str:
    return key.replace("/", "@")


def _is_let_go(note: Path) -> bool:
    try:
        looked_at = os.open(note, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False  # ended in good order meanwhile
    try:
        fcntl.flock(looked_at, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(looked_at)
    return True
