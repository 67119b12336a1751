"""Many requests at once: what comes out when one of them, or the user, ends it."""

import asyncio
import os
import signal

import pytest

from quantgate.errors import MeasurementError
from quantgate.interrupts import run


async def _answers_its_cancellation_with_an_error() -> None:
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        raise MeasurementError("the stream ended early") from None


async def _load() -> None:
    asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGINT)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_answers_its_cancellation_with_an_error())
    except* MeasurementError as failures:
        raise failures.exceptions[0] from None


def test_ctrl_c_during_a_load_interrupts_the_run_whatever_the_requests_make_of_it() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(_load())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_result_comes_out_as_from_asyncio_run() -> None:
    async def seven() -> int:
        return 7

    assert run(seven()) == 7
