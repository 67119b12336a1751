"""Locks that end with their holder: a file each, signed by whoever holds it.

The lock is flock(2)'s, which the kernel drops when its holder dies, however it dies: no lock goes stale, and none has to be broken.
`filelock` takes the same lock, but falls back to a file that a killed holder leaves behind where flock is missing, and
keeps the descriptor to itself; the holder's note, which the message to the one who waits is made of, is written through it.
Files are never removed, since a removed file could be locked by one process while another locks its successor.
"""

import contextlib
import errno
import fcntl
import getpass
import os
import stat
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from quantgate.errors import ConfigurationError

POLL_SECONDS = 0.2
LONGEST_COMMAND = 200  # characters of it in the note
NOTE_BYTES = 4096
SHARED_FILE = 0o666  # any user may lock


class Wanted(NamedTuple):
    """`what` is locked, with the file that stands for it; `otherwise` is what to do instead of waiting; `unusable` begins the sentence
    where the file cannot be locked, which `elsewhere` ends."""

    file: Path
    what: str
    otherwise: str
    unusable: str
    elsewhere: str


class Holder(msgspec.Struct, frozen=True):
    """What the holder of a lock wrote into its file. Anybody may write there, so it is shown and never acted upon."""

    pid: int
    user: str
    since: str
    command: str

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.user}: `{self.command}`) since {self.since}"


class Held:
    """Locks of this process. `release()` gives them back; a second call does nothing."""

    def __init__(self) -> None:
        self._descriptors: list[int] = []

    def add(self, descriptor: int) -> None:
        self._descriptors.append(descriptor)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """For a process that is to hold the locks on; they are free when every holder has closed them."""
        return tuple(self._descriptors)

    def release(self) -> None:
        while self._descriptors:
            descriptor = self._descriptors.pop()
            os.truncate(descriptor, 0)  # the note is no longer true
            os.close(descriptor)


def lock(wanted: Sequence[Wanted], command: str, wait_seconds: float = 0.0, say: Callable[[str], None] = lambda _: None) -> Held:
    """Lock all of these for this process.

    Waits for `wait_seconds` in all, saying so once. Raises ConfigurationError when one is still held then.
    """
    deadline, held, said = time.monotonic() + wait_seconds, Held(), False
    try:
        # In one order everywhere: two sessions that want the same two devices must not hold one each.
        for one in sorted(wanted):
            while (descriptor := _try(one)) is None:
                holder = f"{one.what} is held by {_holder(one.file)}"
                if time.monotonic() >= deadline:
                    waited = f" after {wait_seconds:g} s of waiting" if wait_seconds else ""
                    raise ConfigurationError(f"{holder}{waited}; wait for it with --gpu-wait SECONDS, or {one.otherwise}")
                if not said:
                    say(f"{holder}; waiting up to {wait_seconds:g} s")
                    said = True
                time.sleep(min(POLL_SECONDS, max(0.0, deadline - time.monotonic())))
            held.add(descriptor)
            _sign(descriptor, command)
    except BaseException:
        held.release()
        raise
    return held


def _unusable(wanted: Wanted, error: OSError) -> ConfigurationError:
    why = "it is a symbolic link, which is not followed" if error.errno == errno.ELOOP else error.strerror
    return ConfigurationError(f"{wanted.unusable} {wanted.file}: {why}; {wanted.elsewhere}")


def _try(wanted: Wanted) -> int | None:
    """The descriptor of the locked file, or None while another process holds it."""
    try:
        descriptor = _open(wanted.file)
    except OSError as error:
        raise _unusable(wanted, error) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError as error:
        os.close(descriptor)
        raise _unusable(wanted, error) from None
    return descriptor


def _open(path: Path) -> int:
    """Open, and make where missing, in a folder that others write to: no link is followed, nothing but a plain file is opened."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    with contextlib.suppress(FileExistsError):
        made = os.open(path, flags | os.O_CREAT | os.O_EXCL, SHARED_FILE)
        os.fchmod(made, SHARED_FILE)  # open's own mode is subject to the umask
        os.close(made)
    # O_CREAT apart: with it the kernel refuses another user's file in a sticky folder (fs.protected_regular).
    descriptor = os.open(path, flags)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no plain file, or has a second name")
    return descriptor


def _sign(descriptor: int, command: str) -> None:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without an entry in the password file, as in containers
        user = f"uid {os.getuid()}"
    since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, msgspec.json.encode(Holder(os.getpid(), user, since, command[:LONGEST_COMMAND])), 0)


def _holder(path: Path) -> str:
    """Who wrote the file last, without characters that could steer a terminal."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return "another process"
    try:
        said = str(msgspec.json.decode(os.read(descriptor, NOTE_BYTES), type=Holder))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "another process, which has not signed yet"
    finally:
        os.close(descriptor)
    return "".join(character if character.isprintable() else "?" for character in said)
