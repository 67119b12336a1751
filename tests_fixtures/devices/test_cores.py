"""Which cores serve a slot, on machines that a folder describes as /sys does."""

import os
from pathlib import Path

import pytest

from quantgate.devices.cores import cores_of, parse_cores
from quantgate.devices.nvml import Device
from quantgate.devices.slots import Slot


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
