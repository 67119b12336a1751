"""What `--gpu` means, on machines that are made up: NVML is replaced by a table."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from fixtures import devices
from fixtures.devices import Slot
from fixtures.errors import ConfigurationError

GIB = 2**30
H200 = "NVIDIA H200"
H200_MIG = "NVIDIA H200 MIG 2g.35gb"


class NvmlError(Exception):
    pass


class NotFoundError(NvmlError):
    pass


class NotSupportedError(NvmlError):
    pass


class Nvml(ModuleType):
    """Stands in for `pynvml`. `machine`: GPUs in order, each (uuid, MIG instances by index or None where MIG is off)."""

    NVML_DEVICE_MIG_DISABLE, NVML_DEVICE_MIG_ENABLE = 0, 1
    NVMLError, NVMLError_NotFound, NVMLError_NotSupported = NvmlError, NotFoundError, NotSupportedError

    def __init__(
        self, machine: list[tuple[str, dict[int, str] | None]], *, name: str = H200, driver: bool = True, knows_mig: bool = True
    ) -> None:
        super().__init__("pynvml")
        self.machine, self.gpu_name, self.driver, self.knows_mig = machine, name, driver, knows_mig
        self.open = 0

    def nvmlInit(self) -> None:  # noqa: N802 (NVML's own names, here and below)
        if not self.driver:
            raise NvmlError("NVML Shared Library Not Found")
        self.open += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.open -= 1

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        return "999.1"

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.machine)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> SimpleNamespace:  # noqa: N802
        uuid, instances = self.machine[index]
        return SimpleNamespace(uuid=uuid, instances=instances, name=self.gpu_name, gib=140)

    def nvmlDeviceGetMigMode(self, handle: SimpleNamespace) -> tuple[int, int]:  # noqa: N802
        if not self.knows_mig:
            raise NotSupportedError
        return (int(handle.instances is not None), 1)  # current, pending

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: SimpleNamespace) -> int:  # noqa: ARG002, N802
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: SimpleNamespace, index: int) -> SimpleNamespace:  # noqa: N802
        if index not in handle.instances:
            raise NotFoundError
        return SimpleNamespace(uuid=handle.instances[index], name=f"{self.gpu_name} MIG 2g.35gb", gib=33)

    def nvmlDeviceGetName(self, handle: SimpleNamespace) -> str:  # noqa: N802
        return str(handle.name)

    def nvmlDeviceGetMemoryInfo(self, handle: SimpleNamespace) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(total=handle.gib * GIB)

    def nvmlDeviceGetUUID(self, handle: SimpleNamespace) -> str:  # noqa: N802
        return str(handle.uuid)


Machine = list[tuple[str, dict[int, str] | None]]

ONE: Machine = [("GPU-aa11", None)]
TWO: Machine = [("GPU-aa11", None), ("GPU-ab22", None)]
FOUR: Machine = [("GPU-a", None), ("GPU-b", None), ("GPU-c", None), ("GPU-d", None)]
MIXED: Machine = [("GPU-aa11", {1: "MIG-x1", 4: "MIG-x4"}), ("GPU-ab22", {0: "MIG-y0"})]
"""Two GPUs with MIG on, their instances with gaps between the indices."""
HALF: Machine = [("GPU-aa11", None), ("GPU-ab22", {2: "MIG-y2"}), ("GPU-ac33", None)]


def machine(monkeypatch: pytest.MonkeyPatch, nvml: Nvml) -> Nvml:
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    return nvml


def uuids(slots: list[Slot]) -> list[list[str | None]]:
    return [[device.uuid for device in slot.devices] for slot in slots]


def test_one_gpu_is_one_device_with_its_memory_and_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = machine(monkeypatch, Nvml(ONE))
    (device,) = devices.gpus()
    assert (device.name, device.memory_gib, device.uuid, device.mig_profile, device.driver) == (H200, 140.0, "GPU-aa11", None, "999.1")
    assert nvml.open == 0


def test_a_gpu_that_knows_no_mig_is_one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, Nvml(ONE, knows_mig=False))
    assert [device.uuid for device in devices.gpus()] == ["GPU-aa11"]


def test_mig_instances_stand_in_their_gpu_s_place_and_gaps_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, Nvml(HALF))
    found = devices.gpus()
    assert [(device.uuid, device.mig_profile) for device in found] == [("GPU-aa11", None), ("MIG-y2", "2g.35gb"), ("GPU-ac33", None)]
    assert [device.memory_gib for device in found] == [140.0, 33.0, 140.0]
    assert {device.name for device in found} == {H200}


@pytest.mark.parametrize(("wanted", "uuid"), [("0", "MIG-x1"), ("1", "MIG-x4"), ("2", "MIG-y0")])
def test_an_index_counts_gpus_and_then_their_instances(wanted: str, uuid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, Nvml(MIXED))
    assert uuids(devices.select(wanted)) == [[uuid]]


def test_every_list_index_is_the_one_that_gpu_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, Nvml(MIXED))
    *lines, last = devices.table().splitlines()
    for line in lines:
        index, uuid = line.split()[0], line.split()[-1]
        assert uuids(devices.select(index)) == [[uuid]]
    assert lines[1] == f"1  {H200}  2g.35gb  33 GiB  MIG-x4"
    assert last.startswith("cpu  CPU ")


@pytest.mark.parametrize(
    ("wanted", "uuid"), [("GPU-aa", "GPU-aa11"), ("GPU-ab22", "GPU-ab22"), ("GPU-ab", "GPU-ab22"), (" GPU-aa11", "GPU-aa11")]
)
def test_a_uuid_may_be_shortened_as_long_as_it_is_one_device_s(wanted: str, uuid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, Nvml(TWO))
    assert uuids(devices.select(wanted)) == [[uuid]]


def test_a_mig_uuid_is_an_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, Nvml(MIXED))
    assert uuids(devices.select("MIG-x4,MIG-y")) == [["MIG-x4"], ["MIG-y0"]]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("7", "--gpu=7: this machine has 2 devices (0, 1); see --gpu=list"),
        ("2", "--gpu=2: this machine has 2 devices (0, 1); see --gpu=list"),
        ("0,5", "--gpu=5: this machine has 2 devices (0, 1); see --gpu=list"),
        ("GPU-a", "--gpu=GPU-a: matches 2 devices; give auto, cpu, cpu:N, an index, GPU-… or MIG-…, or see --gpu=list"),
        ("GPU-zz", "--gpu=GPU-zz: matches 0 devices; give"),
        ("MIG-aa11", "--gpu=MIG-aa11: matches 0 devices; give"),
        ("cuda", "--gpu=cuda: is no device; give"),
        ("-1", "--gpu=-1: is no device; give"),
        ("", "--gpu=: is no device; give"),
        ("cpu,0", "--gpu=cpu,0 mixes the CPU with GPUs; name one kind"),
        ("1,cpu", "--gpu=1,cpu mixes the CPU with GPUs; name one kind"),
    ],
)
def test_a_device_that_is_not_there_is_one_sentence(wanted: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, Nvml(TWO))
    with pytest.raises(ConfigurationError) as error:
        devices.select(wanted)
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_two_devices_are_two_slots_or_one_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, Nvml(FOUR))
    assert uuids(devices.select("0,1")) == [["GPU-a"], ["GPU-b"]]
    assert uuids(devices.select("0,1", tensor_parallel=2)) == [["GPU-a", "GPU-b"]]
    assert uuids(devices.select("3,1,0,2", tensor_parallel=2)) == [["GPU-d", "GPU-b"], ["GPU-a", "GPU-c"]]


def test_devices_that_make_no_whole_slots_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, Nvml(FOUR))
    with pytest.raises(ConfigurationError, match=r"--gpu=0,1,2 names 3 devices, which do not make slots of --tp 2"):
        devices.select("0,1,2", tensor_parallel=2)


def test_auto_takes_the_first_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, Nvml(FOUR))
    assert uuids(devices.select("auto")) == [["GPU-a"]]
    assert uuids(devices.select("auto", tensor_parallel=2)) == [["GPU-a", "GPU-b"]]


@pytest.mark.parametrize("nvml", [Nvml([], driver=False), Nvml([])], ids=["no driver", "no device"])
def test_without_a_device_auto_is_the_cpu_and_an_index_says_so(nvml: Nvml, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, nvml)
    assert devices.gpus() == []
    (slot,) = devices.select("auto")
    assert slot.is_cpu
    with pytest.raises(ConfigurationError, match=r"^--gpu=0: this machine has no NVIDIA device \(NVML finds none\); use --gpu=cpu$"):
        devices.select("0")
    assert devices.table().startswith("cpu  CPU ")


def test_the_cpu_is_there_beside_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, Nvml(TWO))
    (slot,) = devices.select("cpu")
    assert slot.is_cpu
    assert slot.devices[0].memory_gib > 0


def test_cores_are_slots_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, Nvml([], driver=False))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3, 0})
    slots = devices.select("cpu:0,cpu:3")
    assert [slot.devices[0].core for slot in slots] == [0, 3]
    assert {slot.device_class for slot in slots} == {"cpu"}
    with pytest.raises(ConfigurationError, match=r"^--gpu=cpu:1: this process may use cores 0, 3$"):
        devices.select("cpu:1")


@pytest.mark.parametrize(
    ("nvml", "wanted", "tensor_parallel", "device_class"),
    [
        (Nvml(TWO), "0", 1, "NVIDIA H200"),
        (Nvml(TWO), "0,1", 2, "NVIDIA H200 tp2"),
        (Nvml(MIXED), "1", 1, "NVIDIA H200 2g.35gb"),
        (Nvml(MIXED), "0,2", 2, "NVIDIA H200 2g.35gb tp2"),
        (Nvml(TWO), "cpu", 1, "cpu"),
    ],
)
def test_a_device_class_is_name_profile_and_tp(
    nvml: Nvml, wanted: str, tensor_parallel: int, device_class: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, nvml)
    assert devices.select(wanted, tensor_parallel)[0].device_class == device_class


def test_a_slot_is_written_with_its_uuids(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, Nvml(TWO))
    assert str(devices.select("0,1", 2)[0]) == "NVIDIA H200 (GPU-aa11), NVIDIA H200 (GPU-ab22)"
