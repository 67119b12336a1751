"""Where a checkpoint is made: in a folder beside its place, which it takes by one rename once it is whole.

That folder, `.NAME.quantgate-XXXX`, holds a file with a lock on it, which the kernel drops when its holder dies, however
it dies: one whose lock is free was left by a run that was killed, and the next run removes it.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from quantgate import folders
from quantgate.errors import ConfigurationError

LOCK = "quantgate.lock"
MIDDLE = ".quantgate-"


def require_free_name(place: Path) -> None:
    """Raises ConfigurationError where something is there already, or nothing can be made there."""
    if place.exists() or place.is_symlink():
        raise ConfigurationError(f"-o {place} exists already; remove it, or name another folder")
    folders.writable(existing(place), "-o")


def existing(place: Path) -> Path:
    """The nearest folder above that is there already: what is refused leaves no empty ones."""
    return next(one for one in place.parents if one.exists())


@contextmanager
def beside(place: Path, say: Callable[[str], None]) -> Iterator[Path]:
    """A folder on the same file system, gone again on leaving. Raises ConfigurationError where another run makes the same."""
    place.parent.mkdir(parents=True, exist_ok=True)
    for left in sorted(place.parent.glob(f".*{MIDDLE}*")):
        _tidy(left, place, say)
    work = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}{MIDDLE}"))
    lock = os.open(work / f"{LOCK}.new", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # Locked before it has its name: nobody ever sees the name without the lock while this process lives.
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.write(lock, str(os.getpid()).encode())
        (work / f"{LOCK}.new").rename(work / LOCK)
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        os.close(lock)


def _tidy(left: Path, place: Path, say: Callable[[str], None]) -> None:
    """Remove what a killed run left; leave alone what a living one has."""
    try:
        lock = os.open(left / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return  # none of ours, or one that is about to be
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if left.name.startswith(f".{place.name}{MIDDLE}"):
            pid = os.read(lock, 20).decode(errors="replace")
            raise ConfigurationError(f"-o {place} is being made by another run (pid {pid}); wait for it, or name another folder") from None
        return
    else:
        gib = sum(file.stat().st_size for file in left.rglob("*") if file.is_file()) / folders.GIB
        shutil.rmtree(left, ignore_errors=True)
        done = "could not remove" if left.exists() else "removed"
        say(f"{done} {left}, which a run that was killed had left ({gib:.2f} GiB)")
    finally:
        os.close(lock)


def take(made: Path, place: Path) -> None:
    """Flush every file to the disk, then give the folder its name. Raises ConfigurationError where that is taken meanwhile.

    Files are readable for all, as a checkpoint that others serve has to be; safetensors makes them the owner's alone.
    """
    for file in [*made.rglob("*"), made]:
        file.chmod(0o755 if file.is_dir() else 0o644)
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    try:
        made.rename(place)
    except OSError as error:
        raise ConfigurationError(f"-o {place} could not be given its name: {error.strerror}; was it made meanwhile?") from None
