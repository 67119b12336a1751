"""A slot's device memory before servers, with them and after them, as NVML tells it: proof that nothing is left on the device."""

import time

from quantgate.devices import nvml
from quantgate.devices.slots import Slot
from quantgate.errors import ServerError

BACK_SECONDS = 15.0
POLL_SECONDS = 0.5
HELD_GIB = 1.0  # a server that has just ended may still have its context open
SLACK_GIB = 0.25  # what a driver keeps or gives back by itself


def used_gib(slot: Slot) -> float | None:
    """In use on the devices of a slot; None for a CPU, and where NVML does not say."""
    return _read(slot)[0]


def _read(slot: Slot) -> tuple[float | None, set[int]]:
    if slot.is_cpu:
        return None, set()
    wanted = {device.uuid for device in slot.devices}
    found = [device for device in nvml.read().devices if device.uuid in wanted]
    pids = {process.pid for device in found for process in device.processes or []}
    used = [device.memory_used_gib for device in found]
    known = [one for one in used if one is not None]
    return (sum(known) if known and len(known) == len(used) else None), pids


def is_free_and_shared(slot: Slot) -> bool:
    """Whether CPU and GPU share the slot's memory and no process holds any of it worth naming, so that what is in use is the page cache."""
    wanted = {device.uuid for device in slot.devices}
    found = [] if slot.is_cpu else [device for device in nvml.read().devices if device.uuid in wanted]
    held = [one for device in found for one in device.processes or [] if one.memory_gib is None or one.memory_gib >= HELD_GIB]
    return bool(found) and all(device.shares_memory for device in found) and not held


class MemoryBefore:
    """What was in use, and by whom, before the first server."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.gib, self._pids = _read(slot)

    def raise_unless_back(self) -> float | None:
        """Wait until no more is in use than before, and say how much is; raises ServerError where that does not come.

        Names who has come to the device meanwhile: a stranger's memory explains a difference as well as an orphan of ours.
        """
        deadline = time.monotonic() + BACK_SECONDS
        while True:
            after, pids = _read(self.slot)
            if self.gib is None or after is None or after <= self.gib + SLACK_GIB:
                return after
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
        others = ", ".join(map(str, sorted(pids - self._pids)))
        who = f"held by processes {others}, which have come meanwhile" if others else "held by no process that NVML shows; see nvidia-smi"
        raise ServerError(
            f"{self.slot} had {self.gib:.1f} GiB in use before the servers of this run and has {after:.1f} GiB {BACK_SECONDS:.0f} s "
            f"after the last one ended, {who}"
        )
