"""A stand-in for `pynvml`, made from the description of a machine, and machines that people have.

It answers what the library answers, with the library's own exceptions, and nothing before `nvmlInit`; no GPU is needed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pynvml

GIB, MIB = 2**30, 2**20
REAL = pynvml
"""The library itself, whatever stands in for it later."""


@dataclass(eq=False, kw_only=True)
class Mig:
    """A MIG instance. `shown`: memory that NVML gives instead of the instance's own; `slices`: (compute, all)."""

    uuid: str
    profile: str = "1g.24gb"
    gib: float = 23.5
    used_gib: float = 0.0
    shown: float | None = None
    slices: tuple[int, int] = (1, 1)
    named: bool = True
    processes: list[tuple[int, float | None]] | None = field(default_factory=list)


@dataclass(eq=False, kw_only=True)
class Gpu:
    """A GPU; `mig`: instances by index, None where MIG is off; `refuses`: NVML's function → the exception it ends in."""

    uuid: str
    name: str = "NVIDIA H200"
    gib: float = 140.0
    used_gib: float = 0.0
    bus: str = ""
    mig: dict[int, Mig] | None = None
    processes: list[tuple[int, float | None]] = field(default_factory=list)
    refuses: Mapping[str, str] = field(default_factory=dict)


class FakeNvml(ModuleType):
    """`refuses`: function → exception, for the whole machine; `open` counts `nvmlInit` without `nvmlShutdown`."""

    def __init__(self, *gpus: Gpu, driver: str = "580.95.05", refuses: Mapping[str, str] | None = None) -> None:
        super().__init__("pynvml")
        self.gpus, self.driver, self.refuses, self.open = gpus, driver, refuses or {}, 0
        for number, gpu in enumerate(gpus):
            gpu.bus = gpu.bus or f"00000000:{number + 1:02X}:00.0"
        for name in dir(REAL):
            if name.startswith(("NVMLError", "NVML_DEVICE_MIG")):
                setattr(self, name, getattr(REAL, name))
            elif name.startswith("nvml") and (answer := getattr(type(self), f"_{name}", None)):
                setattr(self, name, self._guarded(name, answer))

    def _guarded(self, name: str, answer: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            refuses = dict(self.refuses)
            if name == "nvmlDeviceGetHandleByIndex":
                refuses |= self.gpus[arguments[0]].refuses
            elif arguments:
                refuses |= self._gpu(arguments[0]).refuses
            if name in refuses:
                raise getattr(REAL, refuses[name])
            if not self.open and name != "nvmlInit":
                raise REAL.NVMLError_Uninitialized
            return answer(self, *arguments)

        return call

    def _gpu(self, handle: Gpu | Mig) -> Gpu:
        return handle if isinstance(handle, Gpu) else next(gpu for gpu in self.gpus if handle in (gpu.mig or {}).values())

    def _nvmlInit(self) -> None:  # noqa: N802 (NVML's own names, here and below)
        self.open += 1

    def _nvmlShutdown(self) -> None:  # noqa: N802
        self.open -= 1

    def _nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        return self.driver

    def _nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.gpus)

    def _nvmlDeviceGetHandleByIndex(self, index: int) -> Gpu:  # noqa: N802
        return self.gpus[index]

    def _nvmlDeviceGetUUID(self, handle: Gpu | Mig) -> str:  # noqa: N802
        return handle.uuid

    def _nvmlDeviceGetName(self, handle: Gpu | Mig) -> str:  # noqa: N802
        if isinstance(handle, Gpu):
            return handle.name
        return self._gpu(handle).name + (f" MIG {handle.profile}" if handle.named else "")

    def _nvmlDeviceGetPciInfo(self, handle: Gpu) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(busId=handle.bus)

    def _nvmlDeviceGetMigMode(self, handle: Gpu) -> list[int]:  # noqa: N802
        return [int(handle.mig is not None)] * 2

    def _nvmlDeviceGetMaxMigDeviceCount(self, handle: Gpu) -> int:  # noqa: ARG002, N802
        return 7

    def _nvmlDeviceGetMigDeviceHandleByIndex(self, handle: Gpu, index: int) -> Mig:  # noqa: N802
        if index not in (handle.mig or {}):
            raise REAL.NVMLError_NotFound
        return (handle.mig or {})[index]

    def _nvmlDeviceGetAttributes_v2(self, handle: Mig) -> SimpleNamespace:  # noqa: N802
        compute, slices = handle.slices
        return SimpleNamespace(memorySizeMB=int(handle.gib * 1024), computeInstanceSliceCount=compute, gpuInstanceSliceCount=slices)

    def _nvmlDeviceGetMemoryInfo(self, handle: Gpu | Mig) -> SimpleNamespace:  # noqa: N802
        gib = handle.gib if isinstance(handle, Gpu) or handle.shown is None else handle.shown
        return SimpleNamespace(total=int(gib * GIB), used=int(handle.used_gib * GIB))

    def _nvmlDeviceGetGpuInstanceId(self, handle: Mig) -> int:  # noqa: N802
        return list((self._gpu(handle).mig or {}).values()).index(handle) + 7

    def _nvmlDeviceGetComputeRunningProcesses(self, handle: Gpu | Mig) -> list[SimpleNamespace]:  # noqa: N802
        if isinstance(handle, Mig):
            if handle.processes is None:
                raise REAL.NVMLError_NotSupported
            return [_process(*one) for one in handle.processes]
        inside = [(one, self._nvmlDeviceGetGpuInstanceId(mig)) for mig in (handle.mig or {}).values() for one in mig.processes or []]
        return [_process(*one) for one in handle.processes] + [_process(*one, number) for one, number in inside]


def _process(pid: int, gib: float | None, instance: int = 0xFFFFFFFF) -> SimpleNamespace:
    return SimpleNamespace(pid=pid, usedGpuMemory=None if gib is None else int(gib * GIB), gpuInstanceId=instance)
