"""Machines that people have, for `fake_nvml`: name → what NVML finds there, and CUDA_VISIBLE_DEVICES where it is set."""

import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest

from quantgate.devices.slots import Slot
from tests_fixtures.doubles.fake_nvml import FakeNvml, Gpu, Mig

RTX, H100 = "NVIDIA RTX PRO 6000 Blackwell Server Edition", "NVIDIA H100 80GB HBM3"


class Described(NamedTuple):
    """A machine: how its NVML is made, and the environment there."""

    nvml: Callable[[], FakeNvml]
    environment: dict[str, str]


def _pair() -> FakeNvml:
    whole = {one: Mig(uuid=f"MIG-{one}0", profile="4g.96gb", gib=95) for one in "ab"}
    return FakeNvml(*(Gpu(uuid=f"GPU-{one}", name=RTX, gib=96, mig={0: mig}) for one, mig in whole.items()))


def _quarters() -> FakeNvml:
    return FakeNvml(Gpu(uuid="GPU-a", name=RTX, gib=96, mig={index: Mig(uuid=f"MIG-a{index}") for index in range(4)}))


def _gaps() -> FakeNvml:
    """Instances 1, 4 and 6 are left of seven; the last has the media engines."""
    big = Mig(uuid="MIG-a1", profile="3g.40gb", gib=39.5, used_gib=12.0, processes=[(4711, 12.0)])
    small, media = Mig(uuid="MIG-a4", profile="1g.10gb", gib=9.5), Mig(uuid="MIG-a6", profile="1g.10gb+me", gib=9.5)
    return FakeNvml(Gpu(uuid="GPU-a", name=H100, gib=79.6, mig={1: big, 4: small, 6: media}))


def _shares() -> FakeNvml:
    """Compute instances that share one GPU instance's memory."""
    first = Mig(uuid="MIG-a0", profile="1c.3g.40gb", gib=39.5, slices=(1, 3))
    return FakeNvml(Gpu(uuid="GPU-a", name=H100, gib=79.6, mig={0: first, 1: Mig(uuid="MIG-a1", profile="1c.3g.40gb+me", gib=39.5)}))


def _mixed() -> FakeNvml:
    return FakeNvml(Gpu(uuid="GPU-a", name=H100, gib=79.6, mig={0: Mig(uuid="MIG-a0", profile="2g.20gb", gib=19.5)}), Gpu(uuid="GPU-b"))


def _nameless() -> FakeNvml:
    return FakeNvml(Gpu(uuid="GPU-a", name=H100, gib=79.6, mig={0: Mig(uuid=""), 1: Mig(uuid="MIG-a1")}))


def _refusing(function: str, error: str) -> Callable[[], FakeNvml]:
    return lambda: FakeNvml(Gpu(uuid="GPU-a"), refuses={function: error})


def _plain(count: int) -> Callable[[], FakeNvml]:
    return lambda: FakeNvml(*(Gpu(uuid=f"GPU-{letter}1") for letter in "abcdefgh"[:count]))


def _lost() -> FakeNvml:
    return FakeNvml(Gpu(uuid="GPU-a1", refuses={"nvmlDeviceGetHandleByIndex": "NVMLError_GpuIsLost"}), Gpu(uuid="GPU-b1"))


def _half_made() -> FakeNvml:
    return FakeNvml(Gpu(uuid="GPU-a1", mig={}), Gpu(uuid="GPU-b1"))


def _shared_memory() -> FakeNvml:
    return FakeNvml(Gpu(uuid="GPU-a1", name="NVIDIA GB10", refuses={"nvmlDeviceGetMemoryInfo": "NVMLError_NotSupported"}))


MACHINES = {
    "H200": Described(_plain(1), {}),
    "2 x H200": Described(_plain(2), {}),
    "8 x H200": Described(_plain(8), {}),
    "2 x RTX PRO 6000, a 4g.96gb each": Described(_pair, {}),
    "RTX PRO 6000, 4 x 1g.24gb": Described(_quarters, {}),
    "H100, instances 1, 4 and 6": Described(_gaps, {}),
    "H100, 1c.3g.40gb and +me": Described(_shares, {}),
    "H100 with MIG beside an H200": Described(_mixed, {}),
    "MIG on, no instance": Described(lambda: FakeNvml(Gpu(uuid="GPU-a1", mig={})), {}),
    "MIG on, no instance, beside a GPU": Described(_half_made, {}),
    "an instance without UUID": Described(_nameless, {}),
    "GPU 0 lost": Described(_lost, {}),
    "GB10, no memory of its own": Described(_shared_memory, {}),
    "no library": Described(_refusing("nvmlInit", "NVMLError_LibraryNotFound"), {}),
    "no driver": Described(_refusing("nvmlInit", "NVMLError_DriverNotLoaded"), {}),
    "driver mismatch": Described(_refusing("nvmlInit", "NVMLError_LibRmVersionMismatch"), {}),
    "no permission": Described(_refusing("nvmlInit", "NVMLError_NoPermission"), {}),
    "no permission for the GPU": Described(_refusing("nvmlDeviceGetHandleByIndex", "NVMLError_NoPermission"), {}),
    "a driver older than MIG": Described(_refusing("nvmlDeviceGetMigMode", "NVMLError_FunctionNotFound"), {}),
    "8 x H200, visible 1": Described(_plain(8), {"CUDA_VISIBLE_DEVICES": "1"}),
    "8 x H200, visible 5,3": Described(_plain(8), {"CUDA_VISIBLE_DEVICES": "5,3,9,0"}),
    "8 x H200, visible GPU-b": Described(_plain(8), {"CUDA_VISIBLE_DEVICES": "GPU-b"}),
    "8 x H200, visible 9": Described(_plain(8), {"CUDA_VISIBLE_DEVICES": "9"}),
    "8 x H200, visible nothing": Described(_plain(8), {"CUDA_VISIBLE_DEVICES": ""}),
    "4 x 1g.24gb, visible MIG-a2": Described(_quarters, {"CUDA_VISIBLE_DEVICES": "MIG-a2"}),
    "4 x 1g.24gb, visible 0": Described(_quarters, {"CUDA_VISIBLE_DEVICES": "0"}),
    "mixed models, visible 1": Described(_mixed, {"CUDA_VISIBLE_DEVICES": "1"}),
    "mixed models, visible 1 by PCI": Described(_mixed, {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}),
}


def stand_in(monkeypatch: pytest.MonkeyPatch, library: FakeNvml) -> FakeNvml:
    """Let this be `pynvml`."""
    monkeypatch.setitem(sys.modules, "pynvml", library)
    return library


def at(name: str, monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """Be on this machine."""
    for variable, value in MACHINES[name].environment.items():
        monkeypatch.setenv(variable, value)
    return stand_in(monkeypatch, MACHINES[name].nvml())


def chosen(slots: Sequence[Slot]) -> str:
    """Slots with `|` between them, the devices of one with `+`."""
    return "|".join("+".join(device.uuid or "cpu" for device in slot.devices) for slot in slots)
