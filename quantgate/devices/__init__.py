"""What there is to serve on (GPUs, MIG instances, the CPU), which of it is ours, and whether it is fit to measure on."""

from quantgate.devices.choice import select
from quantgate.devices.health import look_at_health
from quantgate.devices.listing import show_devices
from quantgate.devices.locks import lock_devices
from quantgate.devices.memory import SLACK_GIB, MemoryBefore, is_free_and_shared, used_gib
from quantgate.devices.nvml import Device
from quantgate.devices.slots import Slot, cores_of, cpu, visible

__all__ = [
    "SLACK_GIB",
    "Device",
    "MemoryBefore",
    "Slot",
    "cores_of",
    "cpu",
    "is_free_and_shared",
    "lock_devices",
    "look_at_health",
    "select",
    "show_devices",
    "used_gib",
    "visible",
]
