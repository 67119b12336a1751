"""The probe that sees how late a client reads."""

import asyncio
import itertools
import time

from quantgate.measure.load.lag import LagProbe


def test_the_probe_sees_every_wake_that_a_blocked_loop_slept_through() -> None:
    async def blocked() -> list[int]:
        probe = LagProbe(period_ns=2_000_000)
        probe.start()
        time.sleep(0.1)  # blocking the loop is the point
        await asyncio.sleep(0.01)
        probe.stop()
        return probe.lags_ns

    lags_ns = asyncio.run(blocked())
    # Due at 2, 4, …, 98 ms and served at 100 or later: 98, 96, …, and all of them are there.
    assert len(lags_ns) >= 50
    assert lags_ns[0] >= 98e6
    assert [before - after for before, after in itertools.pairwise(lags_ns[:40])] == [2_000_000] * 39


def test_the_probe_ends_with_its_round() -> None:
    async def twice() -> None:
        probe = LagProbe()
        probe.start()
        probe.stop()
        probe.stop()

    asyncio.run(twice())
