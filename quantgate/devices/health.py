"""Is the device fit to measure speed on? A copy, a matrix product, its clocks, and who else is on it, before the first round.

A sick or shared device makes a verdict of speed inconclusive, with the reason: what it would say is about the device.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec

from quantgate.devices.slots import Slot
from quantgate.errors import MeasurementError
from quantgate.records import DeviceHealth

WORK_SECONDS = 120.0
BUSY_PERCENT = 10  # of the time, while our server idles
SICK = {
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
}
"""NVML's clock event reasons (nvml.h); idle clocks (0x01), clocks set by the user (0x02) and the power cap (0x04) are health."""


class Reading(msgspec.Struct, frozen=True):
    """What NVML says of one device; None where it does not say."""

    sm_mhz: int | None = None
    max_sm_mhz: int | None = None
    reasons: int = 0
    busy_percent: int | None = None


def look_at_health(slot: Slot, vllm_version: str, env: dict[str, str] | None = None) -> DeviceHealth:
    """Read the devices of a slot whose server idles. Raises MeasurementError where the copy itself fails."""
    readings = [] if slot.is_cpu else [_read(str(device.uuid)) for device in slot.devices]
    figures = _work(slot, vllm_version, env)
    found = [trouble for reading in readings for trouble in troubles(reading)]
    first = readings[0] if readings else Reading()
    return DeviceHealth(
        copy_gb_s=figures["copy_gb_s"],
        matmul_tflops=figures["matmul_tflops"],
        sm_mhz=first.sm_mhz,
        max_sm_mhz=first.max_sm_mhz,
        trouble="; ".join(dict.fromkeys(found)) or None,
    )


def troubles(reading: Reading) -> list[str]:
    """What is wrong with a device, in words."""
    found = [f"the device is slowed down ({name})" for bit, name in SICK.items() if reading.reasons & bit]
    if reading.busy_percent is not None and reading.busy_percent > BUSY_PERCENT:
        found.append(f"the device was {reading.busy_percent} % busy before the load began: somebody else is on it")
    return found


def _work(slot: Slot, vllm_version: str, env: dict[str, str] | None) -> dict[str, float]:
    from quantgate.devices import slots

    kind = "cpu" if slot.is_cpu else "cuda"
    environment = os.environ | slots.visible(slot, vllm_version) | (env or {})
    command = [sys.executable, "-m", "quantgate.devices.health_work", kind]
    root = str(Path(__file__).parents[2])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH", "")]))
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=WORK_SECONDS)
        return {name: float(value) for name, value in json.loads(done.stdout.splitlines()[-1]).items()}
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip().splitlines() or ["nothing"])[-1].strip()
        raise MeasurementError(f"a copy and a matrix product on {slot} failed, so no speed is measured there: {said}") from None
    except subprocess.TimeoutExpired:
        raise MeasurementError(f"a copy and a matrix product on {slot} took over {WORK_SECONDS:.0f} s; the device hangs") from None


def _read(uuid: str) -> Reading:
    import pynvml

    pynvml.nvmlInit()
    try:
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        return Reading(
            sm_mhz=_told(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM),
            max_sm_mhz=_told(pynvml.nvmlDeviceGetMaxClockInfo, handle, pynvml.NVML_CLOCK_SM),
            reasons=_told(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle) or 0,
            busy_percent=getattr(_told(pynvml.nvmlDeviceGetUtilizationRates, handle), "gpu", None),
        )
    except pynvml.NVMLError:
        return Reading()  # a MIG instance has no clocks of its own
    finally:
        pynvml.nvmlShutdown()


def _told(call: object, *arguments: object) -> int | None:
    """What NVML answers, or None where this device has no answer."""
    import pynvml

    try:
        return call(*arguments)  # type: ignore[operator, no-any-return] # pynvml is untyped
    except pynvml.NVMLError:
        return None
