"""The history as a file: `<baselines>/<device class>/<family>/history.jsonl`, to which whole lines are added and nothing else is done.

Several runs may add at once: each adds all its lines in one write, under a lock, flushed to the disk. A line that was cut off (a full
disk, a killed machine) is told by whoever reads, and left as it is; what is added behind it begins on a line of its own.
"""

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from quantgate.baselines import place_of
from quantgate.history.line import Line

FILE = "history.jsonl"


class Read(NamedTuple):
    """`told`: a sentence for each line that could not be read, and was left out."""

    lines: list[Line]
    told: list[str]


def history_file(baselines: Path, device_class: str, family: str) -> Path:
    return baselines / place_of(device_class, family) / FILE


def files(baselines: Path, families: Sequence[str] | None = None) -> list[Path]:
    """Those that there are, of these families or of all, in the order of their names."""
    found = sorted(baselines.glob(f"*/*/{FILE}"))
    return found if families is None else [file for file in found if file.parent.name in {place_of(name) for name in families}]


def append(baselines: Path, lines: Sequence[Line], *, once: bool = False) -> list[Path]:
    """Add these lines, each to the history of its device class and family; returns the files, with `once` those that got any.

    `once`: without those that are there already: of the same run, checkpoint and suite, from the same record.
    """
    by_file: dict[Path, list[Line]] = {}
    for line in lines:
        by_file.setdefault(history_file(baselines, line.device_class, line.family), []).append(line)
    written = []
    for file, own in by_file.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        if _append(file, own, once=once):
            written.append(file)
    return written


def _append(file: Path, lines: Sequence[Line], *, once: bool) -> bool:
    """Whether there was anything to add."""
    descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # the kernel drops it when its holder dies
        known = {_key(line) for line in read(file).lines} if once else set()
        content = b"".join(msgspec.json.encode(line) + b"\n" for line in lines if not once or _key(line) not in known)
        if not content:
            return False
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            content = b"\n" + content  # behind a line that was cut off
        while content:
            content = content[os.write(descriptor, content) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return True


def _key(line: Line) -> tuple[str | None, ...]:
    return line.run, line.device_class, line.family, line.checkpoint, line.suite, line.record_sha256


def read(file: Path) -> Read:
    """Every whole line, in the order in which they were added."""
    lines, told = list[Line](), list[str]()
    rows = file.read_bytes().split(b"\n")
    for number, row in enumerate(rows, 1):
        if not row.strip():
            continue
        try:
            lines.append(msgspec.json.decode(row, type=Line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            cut = "was cut off" if number == len(rows) else "is none"
            told.append(f"{file}: line {number} {cut} and is left out ({error}); the others count")
    return Read(lines, told)
