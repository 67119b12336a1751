"""Which devices CUDA_VISIBLE_DEVICES leaves, read as CUDA and PyTorch read it.

Entries are indices, GPU-UUIDs or MIG-UUIDs (or the beginning of one that is unique), all of the kind of the first; an
entry that names nothing hides itself and all that follow; a repeated one hides everything. An index or a GPU-UUID of a
GPU with MIG on means its first instance. (CUDA C++ Programming Guide, "CUDA Environment Variables"; `_parse_visible_devices`
in torch/cuda/__init__.py.)
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from quantgate.devices.nvml import Device

VARIABLE, ORDER, PCI = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "PCI_BUS_ID"
NOTHING = ("", "NoDevFiles")


class View(msgspec.Struct, frozen=True):
    """`setting` is the variable as set, None where it is not. `trouble`: why the devices left cannot be told, or are none by mistake."""

    devices: list[Device]
    setting: str | None = None
    trouble: str | None = None

    def __str__(self) -> str:
        return f"{VARIABLE}={self.setting!r}"


def view(devices: Sequence[Device], environment: Mapping[str, str]) -> View:
    """The devices that this environment leaves, in its order."""
    setting = environment.get(VARIABLE)
    if setting is None:
        return View(list(devices))
    entries = [entry.strip() for entry in setting.split(",")]
    if setting.strip() in NOTHING or entries[0].startswith("-"):
        return View([], setting)  # hidden on purpose
    models = list(dict.fromkeys(device.name for device in devices))
    if entries[0][:4] not in {"GPU-", "MIG-"} and len(models) > 1 and environment.get(ORDER) != PCI:
        order = f"{ORDER} is not {PCI}, and CUDA then counts the fastest first"
        why = f"names GPUs by number on a machine of several models ({', '.join(models)}) while {order}"
        return View([], setting, f"{VARIABLE}={setting!r} {why}: set {ORDER}={PCI}, or name UUIDs")
    if (repeated := next((entry for entry in entries if entries.count(entry) > 1), None)) is not None:
        return View([], setting, f"{VARIABLE}={setting!r} repeats {repeated}, which hides every device from CUDA: name each once")
    found: list[Device] = []
    for entry in entries:
        if entry[:4] != entries[0][:4] and {"GPU-", "MIG-"} & {entry[:4], entries[0][:4]}:
            break
        device = _named(entry, devices)
        if device is None or device in found:
            break
        found.append(device)
    trouble = None if found or not devices else f"{VARIABLE}={setting!r} names no device of this machine: correct or unset it"
    return View(found, setting, trouble)


def _named(entry: str, devices: Sequence[Device]) -> Device | None:
    if entry.startswith("MIG-"):
        matches = [device for device in devices if device.mig_profile and device.uuid and device.uuid.startswith(entry)]
        return matches[0] if len(matches) == 1 else None
    if entry.startswith("GPU-"):
        gpus = {device.gpu_index for device in devices if device.gpu_uuid and device.gpu_uuid.startswith(entry)}
    else:
        number = re.match(r"\+?(\d+)", entry)  # as strtoul reads it: "1gpu" is 1
        gpus = {int(number[1])} if number else set()
    if len(gpus) != 1:
        return None
    return next((device for device in devices if device.gpu_index in gpus), None)
