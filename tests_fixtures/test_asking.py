"""Many requests at once: what comes out when one of them, or the user, ends it."""

import asyncio
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.errors import MeasurementError
from fixtures.measure.asking import chosen, provenance, run
from fixtures.started import Started
from fixtures.suites import Document
from tests_fixtures.fake_llmcompressor import Bench


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


def test_the_same_items_are_chosen_in_whatever_order_they_stand() -> None:
    documents = [Document(f"d{place}", "") for place in range(50)]
    forth, back = chosen(documents, 8, "seed"), chosen(documents[::-1], 8, "seed")
    assert forth == back[::-1]
    assert len(forth) == 8
    assert chosen(documents, 8, "another seed") != forth
    assert chosen(documents, 99, "seed") == documents


def test_provenance_says_what_made_a_checkpoint_that_quantgate_made(tmp_path: Path) -> None:
    made = Path(Bench(tmp_path).make().output)
    device = SimpleNamespace(name="CPU", driver=None, mig_profile=None, uuid=None)
    server: Any = SimpleNamespace(
        folder=made,
        slot=SimpleNamespace(devices=[device], device_class="cpu"),
        versions=lambda: {"vllm": "1", "torch": "2", "transformers": "5"},
        checkpoint=SimpleNamespace(serve=SimpleNamespace(tensor_parallel=1)),
        kernels=list,
    )
    told = provenance(server, "s0", {}, Started())
    assert told.made_by is not None
    assert told.made_by.startswith("NVFP4 by quantgate ")
    (made / "quantgate.json").unlink()
    assert provenance(server, "s0", {}, Started()).made_by is None
