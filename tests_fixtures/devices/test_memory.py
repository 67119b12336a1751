"""Device memory comes back when servers end, or the error says who holds it."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from quantgate.devices import choice, memory
from quantgate.errors import ServerError
from tests_fixtures.doubles.fake_nvml import FakeNvml, Gpu, Mig
from tests_fixtures.doubles.machines import stand_in

Plug = Callable[..., list[Gpu]]


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Plug:
    """Put these GPUs into the machine; nothing waits."""
    monkeypatch.setattr(memory, "BACK_SECONDS", 0.0)

    def plug(*gpus: Gpu) -> list[Gpu]:
        stand_in(monkeypatch, FakeNvml(*gpus))
        return list(gpus)

    return plug


def test_what_a_slot_uses_is_the_sum_of_its_devices_and_of_no_others(plug: Plug) -> None:
    plug(Gpu(uuid="GPU-a1", used_gib=3.0), Gpu(uuid="GPU-b1", used_gib=4.0), Gpu(uuid="GPU-c1", used_gib=50.0))
    (slot,) = choice.select("0,1", 2)
    assert memory.used_gib(slot) == 7.0


def test_a_mig_instance_answers_for_itself(plug: Plug) -> None:
    plug(Gpu(uuid="GPU-a", used_gib=60.0, mig={0: Mig(uuid="MIG-a0", used_gib=2.0), 1: Mig(uuid="MIG-a1", used_gib=9.0)}))
    (slot,) = choice.select("1")
    assert memory.used_gib(slot) == 9.0


def test_a_cpu_and_a_device_that_does_not_tell_have_nothing_to_give_back(plug: Plug) -> None:
    (untold,) = plug(Gpu(uuid="GPU-a1", refuses={"nvmlDeviceGetMemoryInfo": "NVMLError_NotSupported"}))
    for wanted in ("cpu", "0"):
        (slot,) = choice.select(wanted)
        before = memory.MemoryBefore(slot)
        assert (before.gib, before.raise_unless_back()) == (None, None)
    assert untold.uuid == "GPU-a1"


def test_memory_that_is_back_up_to_what_a_driver_keeps_is_back(plug: Plug) -> None:
    (gpu,) = plug(Gpu(uuid="GPU-a1", used_gib=1.0))
    before = memory.MemoryBefore(choice.select("0")[0])
    gpu.used_gib = 1.0 + memory.SLACK_GIB
    assert before.raise_unless_back() == 1.25
    gpu.used_gib = 0.5
    assert before.raise_unless_back() == 0.5


def test_memory_is_waited_for(plug: Plug, monkeypatch: pytest.MonkeyPatch) -> None:
    (gpu,) = plug(Gpu(uuid="GPU-a1", used_gib=1.0))
    before = memory.MemoryBefore(choice.select("0")[0])
    monkeypatch.setattr(memory, "BACK_SECONDS", 60.0)
    gpu.used_gib = 3.0

    def a_moment_passes(_: float) -> None:
        gpu.used_gib -= 1.0

    monkeypatch.setattr(memory, "time", SimpleNamespace(monotonic=lambda: 5.0, sleep=a_moment_passes))
    assert before.raise_unless_back() == 1.0


def test_memory_that_stays_taken_is_an_error_that_names_who_came_meanwhile(plug: Plug) -> None:
    (gpu,) = plug(Gpu(uuid="GPU-a1", used_gib=1.0, processes=[(11, 1.0)]))
    (slot,) = choice.select("0")
    before = memory.MemoryBefore(slot)
    gpu.used_gib, gpu.processes = 71.04, [(11, 1.0), (4712, 35.0), (4711, 35.0)]
    with pytest.raises(ServerError) as error:
        before.raise_unless_back()
    assert str(error.value) == (
        f"{slot} had 1.0 GiB in use before the servers of this run and has 71.0 GiB 0 s after the last one ended, "
        "held by processes 4711, 4712, which have come meanwhile"
    )


def test_memory_that_nobody_holds_points_to_nvidia_smi(plug: Plug) -> None:
    (gpu,) = plug(Gpu(uuid="GPU-a1", used_gib=1.0, processes=[(11, 1.0)]))
    before = memory.MemoryBefore(choice.select("0")[0])
    gpu.used_gib = 2.0
    with pytest.raises(ServerError, match=r"after the last one ended, held by no process that NVML shows; see nvidia-smi$"):
        before.raise_unless_back()


@pytest.mark.parametrize(
    ("gpu", "free"),
    [
        (Gpu(uuid="GPU-a1", name="NVIDIA GB10"), True),
        (Gpu(uuid="GPU-a1", name="NVIDIA GB10", processes=[(11, 0.3)]), True),
        (Gpu(uuid="GPU-a1", name="NVIDIA N1X", gib=7.9), True),
        (Gpu(uuid="GPU-a1", name="NVIDIA GB10", processes=[(11, 0.3), (12, 40.0)]), False),
        (Gpu(uuid="GPU-a1", name="NVIDIA GB10", processes=[(12, None)]), False),
        (Gpu(uuid="GPU-a1", name="NVIDIA H200"), False),
    ],
    ids=["nobody", "a context that goes", "another chip", "a server", "somebody", "memory of its own"],
)
def test_what_is_in_use_on_shared_memory_that_nobody_holds_is_the_page_cache(plug: Plug, gpu: Gpu, free: bool) -> None:
    plug(gpu)
    assert memory.is_free_and_shared(choice.select("0")[0]) is free
    assert not memory.is_free_and_shared(choice.select("cpu")[0])
