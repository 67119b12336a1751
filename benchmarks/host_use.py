"""What a run costs its host while it lasts: cores at work, page cache, what is read from disk, device memory; and what it leaves behind."""

import contextlib
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from quantgate.devices import Slot, used_gib

SAMPLE_SECONDS = 1.0
GONE_SECONDS = 15.0
"""How long processes may take to be gone after the run has ended."""
GIB_IN_KIB = 2**20
MARK = "QUANTGATE_BENCHMARK_RUN"


class HostUse(msgspec.Struct, frozen=True):
    """One command. `busy_cores`: on average and in the busiest second, of everything on the host; `cached_gib`: the page cache before
    and after; `read_gib`: from disks; `device_gib`: in use on all slots before, at most and after, None on a CPU; `survivors`: processes
    of the run that were there `GONE_SECONDS` after its end."""

    code: int
    seconds: float
    cores: int
    busy_cores: float
    busiest_cores: float
    cached_gib: tuple[float, float]
    read_gib: float
    device_gib: tuple[float, float, float] | None
    survivors: int


def used_by(command: Sequence[str], slots: Sequence[Slot], log: Path, cwd: Path) -> HostUse:
    """Run it, its output into `log`, and look at the host meanwhile."""
    mark = secrets.token_hex(8)
    cached, read, device = _cached_gib(), _read_gib(), _device_gib(slots)
    began = time.monotonic()
    with log.open("wb") as output, _sampling(slots) as samples:
        environment = os.environ | {MARK: mark}
        code = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=cwd, check=False).returncode
        seconds = time.monotonic() - began
    survivors = _survivors(mark)
    busy = [one for one, _ in samples] or [0.0]
    most = max([gib for _, gib in samples if gib is not None], default=None)
    after = _device_gib(slots)
    return HostUse(
        code=code,
        seconds=round(seconds, 1),
        cores=os.cpu_count() or 1,
        busy_cores=sum(busy) / len(busy),
        busiest_cores=max(busy),
        cached_gib=(cached, _cached_gib()),
        read_gib=_read_gib() - read,
        device_gib=None if device is None or most is None or after is None else (device, most, after),
        survivors=survivors,
    )


@contextlib.contextmanager
def _sampling(slots: Sequence[Slot]) -> Iterator[list[tuple[float, float | None]]]:
    """Busy cores in the second before, and GiB on the devices."""
    samples: list[tuple[float, float | None]] = []
    over = threading.Event()

    def sample() -> None:
        before, at = _busy_seconds(), time.monotonic()
        while not over.wait(SAMPLE_SECONDS):
            now, then = _busy_seconds(), time.monotonic()
            samples.append(((now - before) / (then - at), _device_gib(slots)))
            before, at = now, then

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


def _busy_seconds() -> float:
    """CPU seconds that were not idle, of all cores since boot (proc(5): user, nice, system, idle, iowait, irq, softirq, steal)."""
    ticks = [int(one) for one in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def _cached_gib() -> float:
    return _named("/proc/meminfo", "Cached:") / GIB_IN_KIB


def _read_gib() -> float:
    return _named("/proc/vmstat", "pgpgin") / GIB_IN_KIB


def _named(file: str, name: str) -> int:
    return next(int(line.split()[1]) for line in Path(file).read_text(encoding="ascii").splitlines() if line.startswith(name))


def _device_gib(slots: Sequence[Slot]) -> float | None:
    found = [used_gib(slot) for slot in slots]
    known = [one for one in found if one is not None]
    return sum(known) if len(known) == len(found) else None


def _survivors(mark: str) -> int:
    deadline = time.monotonic() + GONE_SECONDS
    while (left := _marked(mark)) and time.monotonic() < deadline:
        time.sleep(SAMPLE_SECONDS / 10)
    for pid in left:
        with contextlib.suppress(OSError):
            print(f"still there: {pid} {Path(f'/proc/{pid}/cmdline').read_bytes()[:200]!r}", file=sys.stderr)
    return len(left)


def _marked(mark: str) -> list[int]:
    wanted, found = f"{MARK}={mark}".encode(), []
    for one in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # ended, or another user's
            if wanted in one.read_bytes().split(b"\0"):
                found.append(int(one.parent.name))
    return found
