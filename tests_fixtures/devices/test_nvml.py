"""What NVML tells of a machine, and what it leaves out: NVML is replaced, nothing else is."""

from pathlib import Path

import pytest

from quantgate.devices import choice
from tests_fixtures.doubles.fake_nvml import FakeNvml, Gpu, Mig
from tests_fixtures.doubles.machines import H100, at, stand_in

H200 = "NVIDIA H200"


def test_a_device_carries_what_nvml_knows_of_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "0001:3b:00.0").mkdir()
    (tmp_path / "0001:3b:00.0" / "numa_node").write_text("1\n")
    stand_in(monkeypatch, FakeNvml(Gpu(uuid="GPU-a", bus="00000001:3B:00.0", used_gib=7.0, processes=[(11, 5.0), (12, None)])))
    (device,) = choice.gpus()
    assert (device.name, device.memory_gib, device.memory_used_gib, device.uuid) == (H200, 140.0, 7.0, "GPU-a")
    assert (device.gpu_uuid, device.gpu_index, device.pci_bus_id, device.numa_node) == ("GPU-a", 0, "00000001:3B:00.0", 1)
    assert (device.mig_profile, device.driver, device.unusable) == (None, "580.95.05", None)
    assert device.in_use == "NVIDIA H200 (GPU-a) is in use by processes 11 (5.0 GiB), 12"


@pytest.mark.parametrize("said", ["-1\n", "", None])
def test_an_unknown_numa_node_is_none(said: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "0000:01:00.0").mkdir()
    if said is not None:
        (tmp_path / "0000:01:00.0" / "numa_node").write_text(said)
    stand_in(monkeypatch, FakeNvml(Gpu(uuid="GPU-a")))
    assert choice.gpus()[0].numa_node is None


def test_gpus_stand_in_the_order_of_the_pci_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, FakeNvml(Gpu(uuid="GPU-late", bus="00000000:C1:00.0"), Gpu(uuid="GPU-early", bus="00000000:1B:00.0")))
    assert [(device.uuid, device.gpu_index) for device in choice.gpus()] == [("GPU-early", 0), ("GPU-late", 1)]


def test_an_instance_has_its_own_memory_and_processes_and_its_gpu_s_place(monkeypatch: pytest.MonkeyPatch) -> None:
    at("H100, instances 1, 4 and 6", monkeypatch)
    big, small, media = choice.gpus()
    assert [one.mig_profile for one in (big, small, media)] == ["3g.40gb", "1g.10gb", "1g.10gb+me"]
    assert [one.memory_gib for one in (big, small, media)] == [39.5, 9.5, 9.5]
    assert [one.mig_index for one in (big, small, media)] == [1, 4, 6]
    assert {(one.name, one.gpu_uuid, one.gpu_index, one.pci_bus_id) for one in (big, small, media)} == {
        (H100, "GPU-a", 0, "00000000:01:00.0")
    }
    assert big.in_use == f"{H100} 3g.40gb (MIG-a1) is in use by processes 4711 (12.0 GiB)"
    assert small.in_use is None


def test_an_instance_that_is_given_its_gpu_s_memory_has_what_its_attributes_say(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, FakeNvml(Gpu(uuid="GPU-a", gib=96, mig={0: Mig(uuid="MIG-a", gib=23.5, shown=96.0, used_gib=50.0)})))
    assert [(one.memory_gib, one.memory_used_gib) for one in choice.gpus()] == [(23.5, None)]


def test_where_nvml_tells_no_processes_of_an_instance_its_gpu_s_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Mig(uuid="MIG-0", processes=None), Mig(uuid="MIG-1", processes=[(5, 1.0)])
    stand_in(monkeypatch, FakeNvml(Gpu(uuid="GPU-a", mig={0: first, 1: second}, processes=[(9, None)])))
    got = [[process.pid for process in one.processes or []] for one in choice.gpus()]
    assert got == [[9], [5]]  # 9 is of no instance that NVML knows, 5 is the other's


def test_processes_that_may_not_be_read_are_unknown_and_not_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, FakeNvml(Gpu(uuid="GPU-a", refuses={"nvmlDeviceGetComputeRunningProcesses": "NVMLError_NoPermission"})))
    assert [one.processes for one in choice.gpus()] == [None]


@pytest.mark.parametrize(
    ("gpu_gib", "gib", "slices", "profile"),
    [(79.6, 39.5, (1, 3), "1c.3g.40gb"), (79.6, 9.5, (1, 1), "1g.10gb"), (95.6, 23.6, (1, 1), "1g.24gb"), (139.8, 34.5, (2, 2), "2g.35gb")],
)
def test_a_profile_that_the_name_does_not_say_follows_from_the_slices(
    gpu_gib: float, gib: float, slices: tuple[int, int], profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, FakeNvml(Gpu(uuid="GPU-a", gib=gpu_gib, mig={0: Mig(uuid="MIG-a", gib=gib, slices=slices, named=False)})))
    assert [one.mig_profile for one in choice.gpus()] == [profile]


def test_a_gpu_without_memory_of_its_own_is_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    at("GB10, no memory of its own", monkeypatch)
    assert [(one.memory_gib, one.unusable) for one in choice.gpus()] == [(None, None)]


@pytest.mark.parametrize(
    "name", ["NVIDIA GB10", "NVIDIA N1X", "NVIDIA RTX Spark N1X", "NVIDIA Thor", "Orin (nvgpu)", "Jetson AGX Xavier", "NVIDIA Tegra X1"]
)
def test_a_gpu_that_computes_in_the_machine_s_memory_has_none_of_its_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, FakeNvml(Gpu(uuid="GPU-a1", name=name, gib=7.9, used_gib=0.2)))
    (device,) = choice.gpus()
    assert (device.memory_gib, device.memory_used_gib, device.shares_memory, device.unusable) == (None, None, True, None)


@pytest.mark.parametrize("name", [H200, H100, "NVIDIA GB200", "NVIDIA GH200 480GB", "NVIDIA GeForce RTX 5090", "NVIDIA RTX PRO 6000"])
def test_a_gpu_with_memory_of_its_own_is_believed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, FakeNvml(Gpu(uuid="GPU-a1", name=name, gib=95.0)))
    assert [(one.memory_gib, one.shares_memory) for one in choice.gpus()] == [(95.0, False)]


def test_a_gpu_of_which_nvml_tells_no_memory_shares_the_machine_s(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, FakeNvml(Gpu(uuid="GPU-a1", refuses={"nvmlDeviceGetMemoryInfo": "NVMLError_NotSupported"})))
    assert choice.gpus()[0].shares_memory
