"""Which cores serve a slot: the core of a CPU slot, the NUMA node of its GPUs, for the server and for the client that asks it."""

import os
from pathlib import Path

from quantgate.devices.slots import Slot

NODES = Path("/sys/devices/system/node")


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
