"""Slots: their class, their name, and what a server on one sees."""

import os
from pathlib import Path

import pytest

from quantgate.devices import choice, slots
from quantgate.devices.nvml import Device
from quantgate.devices.slots import Slot, cores_of, parse_cores
from quantgate.errors import ConfigurationError
from tests_fixtures.doubles.machines import H100, RTX, at


def test_cores_are_slots_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3, 0})
    slots = choice.select("cpu:0,cpu:3")
    assert [slot.devices[0].core for slot in slots] == [0, 3]
    assert {slot.device_class for slot in slots} == {"cpu"}
    with pytest.raises(ConfigurationError, match=r"^--gpu=cpu:1: this process may use cores 0, 3$"):
        choice.select("cpu:1")


@pytest.mark.parametrize(
    ("name", "wanted", "tensor_parallel", "device_class"),
    [
        ("2 x H200", "0", 1, "NVIDIA H200"),
        ("2 x H200", "0,1", 2, "NVIDIA H200 tp2"),
        ("H100, instances 1, 4 and 6", "2", 1, f"{H100} 1g.10gb+me"),
        ("2 x RTX PRO 6000, a 4g.96gb each", "0,1", 2, f"{RTX} 4g.96gb tp2"),
        ("2 x H200", "cpu", 1, "cpu"),
    ],
)
def test_a_device_class_is_name_profile_and_tp(
    name: str, wanted: str, tensor_parallel: int, device_class: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(name, monkeypatch)
    assert choice.select(wanted, tensor_parallel)[0].device_class == device_class


def test_a_slot_is_written_with_its_uuids(monkeypatch: pytest.MonkeyPatch) -> None:
    at("2 x H200", monkeypatch)
    assert str(choice.select("0,1", 2)[0]) == "NVIDIA H200 (GPU-a1), NVIDIA H200 (GPU-b1)"


@pytest.mark.parametrize(
    ("name", "wanted", "version", "environment"),
    [
        ("8 x H200", "3,1", "0.32.0+cu130", {"CUDA_VISIBLE_DEVICES": "GPU-d1,GPU-b1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}),
        ("8 x H200", "3,1", "0.24.0rc1", {"CUDA_VISIBLE_DEVICES": "GPU-d1,GPU-b1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}),
        ("8 x H200", "3,1", "0.22.1", {"CUDA_VISIBLE_DEVICES": "3,1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}),
        ("8 x H200, visible 5,3", "0,1", "0.22.1", {"CUDA_VISIBLE_DEVICES": "5,3", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}),
        ("2 x RTX PRO 6000, a 4g.96gb each", "0,1", "1.0", {"CUDA_VISIBLE_DEVICES": "MIG-a0,MIG-b0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}),
    ],
)
def test_vllm_is_told_uuids_or_where_it_knows_none_the_order_of_the_pci_bus(
    name: str, wanted: str, version: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    at(name, monkeypatch)
    assert slots.visible(choice.select(wanted, 2)[0], version) == environment


def test_a_server_on_the_cpu_sees_no_gpu() -> None:
    assert slots.visible(choice.select("cpu")[0], "0.32.0") == {"CUDA_VISIBLE_DEVICES": ""}


def test_an_old_vllm_cannot_be_given_a_mig_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    at("RTX PRO 6000, 4 x 1g.24gb", monkeypatch)
    with pytest.raises(
        ConfigurationError, match=r"vLLM 0\.22\.1 takes integers alone .* MIG instances have none; use vLLM 0\.24 or newer$"
    ):
        slots.visible(choice.select("2")[0], "0.22.1")


@pytest.mark.parametrize(
    ("cpulist", "cores"),
    [("0-3,8", {0, 1, 2, 3, 8}), ("0-1,4-5\n", {0, 1, 4, 5}), ("7", {7}), ("\n", set())],
)
def test_the_kernel_s_lists_of_cores_are_read(cpulist: str, cores: set[int]) -> None:
    assert parse_cores(cpulist) == cores


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two nodes of four cores, of which this process may use all but the last of each."""
    for number, cpulist in enumerate(("0-3", "4-7")):
        (tmp_path / f"node{number}").mkdir()
        (tmp_path / f"node{number}" / "cpulist").write_text(f"{cpulist}\n", encoding="ascii")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 4, 5, 6})
    return tmp_path


def on(*numa_nodes: int | None) -> Slot:
    return Slot(devices=[Device(name="NVIDIA H200", uuid=f"GPU-{place}", numa_node=node) for place, node in enumerate(numa_nodes)])


def test_a_gpu_is_served_from_its_own_node_as_far_as_this_process_may(nodes: Path) -> None:
    assert cores_of(on(1), nodes) == {4, 5, 6}
    assert cores_of(on(0, 0), nodes) == {0, 1, 2}


@pytest.mark.parametrize("slot", [on(0, 1), on(None), on(0, None), on(9)], ids=["two nodes", "unknown", "half unknown", "no such node"])
def test_where_no_node_is_nearer_nothing_is_bound(slot: Slot, nodes: Path) -> None:
    assert cores_of(slot, nodes) == set()


def test_a_node_that_has_all_cores_is_no_reason_to_bind(nodes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 2})
    assert cores_of(on(0), nodes) == set()
    assert cores_of(on(1), nodes) == set()  # none of which this process may use


def test_a_cpu_slot_is_its_core_and_the_whole_cpu_is_left_alone(nodes: Path) -> None:
    assert cores_of(Slot(devices=[Device(name="CPU core 5", core=5)]), nodes) == {5}
    assert cores_of(Slot(devices=[Device(name="CPU")]), nodes) == set()
