"""What one server occupies: GPUs or MIG instances that are alike, or the CPU; and how a vLLM is shown that and nothing else."""

import os
import platform
import re
from pathlib import Path

import msgspec

from quantgate.devices.nvml import Device
from quantgate.devices.visibility import ORDER, PCI, VARIABLE
from quantgate.errors import ConfigurationError

GIB = 2**30
FIRST_VLLM_WITH_UUIDS = (0, 24)
NODES = Path("/sys/devices/system/node")


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """What one server occupies: devices that are alike, each on a GPU of its own."""

    devices: list[Device]

    @property
    def is_cpu(self) -> bool:
        return self.devices[0].uuid is None

    @property
    def device_class(self) -> str:
        """Device name + MIG profile + TP, or "cpu": measurements of speed compare within one class only."""
        if self.is_cpu:
            return "cpu"
        first = self.devices[0]
        parts = [first.name, first.mig_profile, f"tp{len(self.devices)}" if len(self.devices) > 1 else None]
        return " ".join(part for part in parts if part)

    def first(self, count: int) -> "Slot":
        """What a server of so many devices takes of this slot: the first ones, or all where there are no more."""
        return Slot(devices=self.devices[:count])

    def __str__(self) -> str:
        return ", ".join(map(str, self.devices))


def cpu(core: int | None = None) -> Device:
    """The CPU as a device: all cores, or one."""
    model = re.search(r"model name\s*:\s*(.+)", _read("/proc/cpuinfo"))
    name = model[1].strip() if model else platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    available = re.search(r"MemAvailable:\s*(\d+) kB", _read("/proc/meminfo"))
    used = memory - int(available[1]) * 1024 / GIB if available else None
    return Device(name=f"CPU {name}" + ("" if core is None else f" core {core}"), memory_gib=memory, memory_used_gib=used, core=core)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 (procfs)
            return file.read()
    except OSError:
        return ""


def visible(slot: Slot, vllm_version: str) -> dict[str, str]:
    """What a vLLM of this version must find in its environment to run on the slot and to see nothing else.

    Devices are named by UUID, which no other order of counting can change; vLLM before 0.24 reads integers alone, and
    those count the PCI bus. Raises ConfigurationError for a MIG instance under such a vLLM.
    """
    if slot.is_cpu:
        return {VARIABLE: ""}
    version = re.match(r"(\d+)\.(\d+)", vllm_version)
    if version and (int(version[1]), int(version[2])) < FIRST_VLLM_WITH_UUIDS:
        if any(device.mig_profile for device in slot.devices):
            why = f"vLLM {vllm_version} takes integers alone in {VARIABLE}, and MIG instances have none"
            raise ConfigurationError(f"{slot}: {why}; use vLLM 0.24 or newer")
        named = [str(device.gpu_index) for device in slot.devices]
    else:
        named = [str(device.uuid) for device in slot.devices]
    return {VARIABLE: ",".join(named), ORDER: PCI}


def cores_of(slot: Slot, nodes: Path = NODES) -> set[int]:
    """The cores to keep to; empty where there is nothing to gain: the whole CPU, GPUs on several nodes, one node for all."""
    allowed = os.sched_getaffinity(0)
    if slot.is_cpu:
        return {one.core for one in slot.devices if one.core is not None}
    near = {one.numa_node for one in slot.devices}
    if len(near) != 1 or None in near:
        return set()
    try:
        local = parse_cores((nodes / f"node{near.pop()}" / "cpulist").read_text(encoding="ascii")) & allowed
    except OSError:
        return set()
    return local if local != allowed else set()


def parse_cores(cpulist: str) -> set[int]:
    """`0-3,8` as the kernel writes it."""
    found: set[int] = set()
    for part in filter(None, cpulist.strip().split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found
