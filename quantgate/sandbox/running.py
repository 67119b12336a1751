"""Run generated programs: one, or many at once on the cores there are."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from quantgate.sandbox.limits import Limits, Ran
from quantgate.sandbox.probe import probe
from quantgate.sandbox.process import execute

DEFAULT = Limits()


def run_program(source: str, limits: Limits = DEFAULT, *, unsafe: bool = False) -> Ran:
    """Run one Python program's text; it has passed when its last line has run without an exception.

    It runs in bubblewrap, which is probed before the first program. With `unsafe` it runs as it is, under the same rlimits and wall clock.
    Raises ConfigurationError where there is no sandbox or it does not hold.
    """
    if not unsafe:
        probe()
    return execute(source, limits, unsafe=unsafe)


def run_all(
    programs: Sequence[str],
    limits: Limits = DEFAULT,
    *,
    workers: int | None = None,
    unsafe: bool = False,
    ended: Callable[[], None] = lambda: None,
) -> list[Ran]:
    """Run programs at once, as many as this process has cores unless `workers` says otherwise; results in the programs' order.

    One that timed out is run again, alone, after all others; only the second end counts. Neighbours slow a program down, and whether
    an answer is right must not depend on them. `ended` is called whenever one more has, in the programs' order.
    """
    if not unsafe:
        probe()
    pool = ThreadPoolExecutor(max_workers=workers or len(os.sched_getaffinity(0)))
    try:
        ends = []
        for end in pool.map(lambda source: execute(source, limits, unsafe=unsafe), programs):
            ends.append(end)
            ended()
    finally:
        pool.shutdown(cancel_futures=True)  # on Ctrl-C those that have not begun do not begin
    again = {number for number, end in enumerate(ends) if end.outcome == "timed_out"}
    return [execute(programs[number], limits, unsafe=unsafe) if number in again else end for number, end in enumerate(ends)]
