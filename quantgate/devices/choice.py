"""Which devices there are, and the slots that `--gpu` and `--tp` choose among those that CUDA_VISIBLE_DEVICES leaves."""

import os
import re
from collections.abc import Sequence

from quantgate.devices import nvml
from quantgate.devices.nvml import Device
from quantgate.devices.slots import Slot, cpu
from quantgate.devices.visibility import VARIABLE, View, view
from quantgate.errors import ConfigurationError

CHOICES = "give auto, cpu, cpu:N, an index, GPU-… or MIG-…, or see --gpu=list"


def view_of(machine: nvml.Machine) -> View:
    """What this process's own environment leaves of a machine; `--gpu` indices count within it."""
    return view(machine.devices, os.environ)


def gpus() -> list[Device]:
    """The devices that `--gpu` has an index for, unusable ones with them; none without a driver. Raises ConfigurationError."""
    machine = nvml.read()
    left = view_of(machine)
    if trouble := machine.trouble or left.trouble:
        raise ConfigurationError(trouble)
    return left.devices


def select(wanted: str, tensor_parallel: int = 1) -> list[Slot]:
    """The slots that `--gpu` names: `auto`, `cpu`, `cpu:N,…`, indices as `--gpu=list` prints them, GPU-… or MIG-… UUIDs.

    `tensor_parallel` devices make a slot. Raises ConfigurationError for a device that is not there, or that no server can use.
    """
    if tensor_parallel < 1:
        raise ConfigurationError(f"--tp={tensor_parallel}: a slot has at least 1 device")
    parts = [part.strip() for part in wanted.split(",")]
    on_cpu = [part for part in parts if re.fullmatch(r"cpu(:\d+)?", part)]
    if on_cpu and len(on_cpu) < len(parts):
        raise ConfigurationError(f"--gpu={wanted} mixes the CPU with GPUs; name one kind")
    if on_cpu:
        return _on_cpu(parts, tensor_parallel)
    machine = nvml.read()
    left = view_of(machine)
    if parts == ["auto"]:
        return [_auto(machine, left, tensor_parallel)]
    devices = [_named(part, machine, left) for part in parts]
    _refuse_repeats(wanted, [str(device.uuid) for device in devices])
    if len(devices) % tensor_parallel:
        count = f"{len(devices)} device" + ("" if len(devices) == 1 else "s")
        raise ConfigurationError(f"--gpu={wanted} names {count}, which do not make slots of --tp {tensor_parallel}")
    slots = [Slot(devices=devices[start : start + tensor_parallel]) for start in range(0, len(devices), tensor_parallel)]
    for slot in slots:
        if why := _clash(slot.devices):
            raise ConfigurationError(f"--gpu={wanted} --tp {tensor_parallel}: {why}")
    return slots


def _on_cpu(parts: Sequence[str], tensor_parallel: int) -> list[Slot]:
    wanted, cores = ",".join(parts), sorted(os.sched_getaffinity(0))
    if tensor_parallel > 1:
        why = "the CPU is one device, and parts of a model would share the same cores and memory"
        raise ConfigurationError(f"--tp={tensor_parallel} with --gpu={wanted}: {why}; give --tp 1, or GPUs")
    _refuse_repeats(wanted, parts)
    if "cpu" in parts and len(parts) > 1:
        raise ConfigurationError(f"--gpu={wanted} names the whole CPU and a core of it; name cores alone, or cpu alone")
    numbers = [int(part.partition(":")[2]) if ":" in part else None for part in parts]
    for number in numbers:
        if number is not None and number not in cores:
            raise ConfigurationError(f"--gpu=cpu:{number}: this process may use cores {', '.join(map(str, cores))}")
    return [Slot(devices=[cpu(number)]) for number in numbers]


def _refuse_repeats(wanted: str, names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        raise ConfigurationError(f"--gpu={wanted} names a device twice; name each once")


def _auto(machine: nvml.Machine, left: View, tensor_parallel: int) -> Slot:
    """The first visible devices that can make a slot; the CPU only where it is certain that there is none."""
    if trouble := machine.trouble or left.trouble:
        raise ConfigurationError(f"--gpu=auto: {trouble}; to run on the CPU, say --gpu=cpu")
    if not left.devices:
        return _on_cpu(["cpu"], tensor_parallel)[0]
    usable = [device for device in left.devices if not device.unusable]
    if not usable:
        first = left.devices[0]
        raise ConfigurationError(f"--gpu=auto: {first} cannot be used: {first.unusable}; to run on the CPU, say --gpu=cpu")
    for position, first in enumerate(usable):
        chosen = [first]
        for device in usable[position + 1 :]:
            if len(chosen) < tensor_parallel and _clash([*chosen, device]) is None:
                chosen.append(device)
        if len(chosen) == tensor_parallel:
            return Slot(devices=chosen)
    alike = "devices that are alike, each on a GPU of its own (NCCL refuses two MIG instances of one)"
    need = f"--tp {tensor_parallel} needs {tensor_parallel} {alike}"
    raise ConfigurationError(f"--gpu=auto: {need}, and {_count(machine, left)} offers fewer; see --gpu=list")


def _clash(devices: Sequence[Device]) -> str | None:
    """Why these cannot serve together, or None."""
    first = devices[0]
    for number, device in enumerate(devices):
        twin = next((other for other in devices[:number] if device.mig_profile and other.gpu_uuid == device.gpu_uuid), None)
        if twin is not None:
            both = f"{twin.uuid} and {device.uuid} are MIG instances of one GPU ({device.gpu_uuid})"
            return f"{both}, which NCCL refuses in one slot (Duplicate GPU detected); name instances of different GPUs"
        if (device.name, device.mig_profile) != (first.name, first.mig_profile):
            both = f"{first} and {device} differ"
            return f"{both}, and the devices of one slot must be alike; name devices of one kind"
    return None


def _count(machine: nvml.Machine, left: View) -> str:
    """Such as "this machine (2 devices)", for messages."""
    count = len(left.devices)
    devices = f"{count} device" + ("" if count == 1 else "s")
    return f"this machine ({devices})" if left.setting is None else f"{left} ({devices} of {len(machine.devices)})"


def _named(part: str, machine: nvml.Machine, left: View) -> Device:
    is_uuid = part.startswith(("GPU-", "MIG-"))
    if not (is_uuid or part.isdecimal()):
        raise ConfigurationError(f"--gpu={part}: is no device; {CHOICES}")
    if trouble := machine.trouble or left.trouble:
        raise ConfigurationError(f"--gpu={part}: {trouble}")
    if not machine.devices:
        raise ConfigurationError(f"--gpu={part}: this machine has no NVIDIA device ({machine.absent}); use --gpu=cpu")
    if is_uuid:
        device = _by_uuid(part, machine, left)
    elif int(part) < len(left.devices):
        device = left.devices[int(part)]
    else:
        count = len(left.devices)
        known = f"{count} device{'' if count == 1 else 's'} ({', '.join(map(str, range(count)))})" if count else "no device"
        where = "this machine has" if left.setting is None else f"{left} leaves"
        raise ConfigurationError(f"--gpu={part}: {where} {known}; see --gpu=list")
    if device.unusable:
        raise ConfigurationError(f"--gpu={part}: {device} cannot be used: {device.unusable}")
    return device


def _by_uuid(part: str, machine: nvml.Machine, left: View) -> Device:
    matches = [device for device in machine.devices if device.uuid and device.uuid.startswith(part)]
    shown = [device for device in matches if device in left.devices]
    if matches and not shown:
        raise ConfigurationError(f"--gpu={part}: {left} hides it; unset {VARIABLE}, or add the device to it")
    if len(shown) == 1:
        return shown[0]
    if instances := [str(one.uuid) for one in left.devices if one.mig_profile and one.uuid and str(one.gpu_uuid).startswith(part)]:
        raise ConfigurationError(f"--gpu={part}: MIG is on on this GPU; name an instance of it: {', '.join(instances)}")
    which = f" ({', '.join(str(device.uuid) for device in shown)})" if shown else ""
    raise ConfigurationError(f"--gpu={part}: matches {len(shown)} devices{which}; {CHOICES}")
