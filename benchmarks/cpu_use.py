"""What clients cost: CPU seconds of our descendants over time, threads of theirs that have ended included."""

import contextlib
import os
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path

SAMPLE_SECONDS = 0.02


@contextlib.contextmanager
def watched_cpu(ignored: Collection[int]) -> Iterator[list[tuple[int, float]]]:
    """(nanoseconds of the monotonic clock, CPU seconds so far) of our descendants but these and theirs, every SAMPLE_SECONDS."""
    samples: list[tuple[int, float]] = []
    over, spent = threading.Event(), dict[str, float]()

    def sample() -> None:
        while not over.wait(SAMPLE_SECONDS):
            for pid in descendants(os.getpid(), ignored):
                for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                    with contextlib.suppress(OSError):  # ended since
                        spent[str(task)] = int(task.read_text(encoding="ascii").split()[0]) / 1e9
            samples.append((time.monotonic_ns(), sum(spent.values())))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


def descendants(pid: int, ignored: Collection[int]) -> Iterator[int]:
    """Not even looked into are those that are ignored: a server has hundreds of threads, and looking costs it CPU time."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in set(map(int, task.read_text(encoding="ascii").split())) - set(ignored):
                yield child
                yield from descendants(child, ignored)


def cpu_between(samples: list[tuple[int, float]], start_ns: int, end_ns: int) -> float:
    import numpy as np

    at, spent = zip(*samples, strict=True)
    return float(np.interp(end_ns, at, spent) - np.interp(start_ns, at, spent))
