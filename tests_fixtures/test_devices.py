"""What `--gpu` and `--tp` mean on the machines that people have: NVML is replaced, nothing else is."""

import re
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from fixtures import devices, nvml
from fixtures.devices import Slot
from fixtures.errors import ConfigurationError
from tests_fixtures.fake_nvml import FakeNvml, Gpu, Mig
from tests_fixtures.machines import H100, MACHINES, RTX

H200 = "NVIDIA H200"


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(nvml, "PCI_DEVICES", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)


def stand_in(monkeypatch: pytest.MonkeyPatch, library: FakeNvml) -> FakeNvml:
    monkeypatch.setitem(sys.modules, "pynvml", library)
    return library


def at(name: str, monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """Be on this machine."""
    for variable, value in MACHINES[name].environment.items():
        monkeypatch.setenv(variable, value)
    return stand_in(monkeypatch, MACHINES[name].nvml())


def chosen(slots: list[Slot]) -> str:
    """Slots with `|` between them, the devices of one with `+`."""
    return "|".join("+".join(device.uuid or "cpu" for device in slot.devices) for slot in slots)


class Row(NamedTuple):
    """What a machine yields: UUIDs, `cpu`, or a part of the refusal with `!` before it."""

    auto: str
    first: str
    second: str
    pair: str
    prefix: tuple[str, str]


ONE, NONE_MADE = "!this machine has 1 device (0); see --gpu=list", "!administrator must run `nvidia-smi mig -i GPU-a1 -cgi PROFILE -C`"
NOT_THERE, TWINS, ALIKE = "!matches 0 devices", "!NCCL refuses in one slot (Duplicate GPU detected)", "!must be alike"
NO_UUID, LOST = "!NVML gives no UUID", "!NVML says 'GPU is lost': it has fallen off the bus; an administrator must reset it"
DENIED, MISMATCH = "!NVML says 'Insufficient Permissions'", "!version mismatch': the driver was updated while it was loaded"
ORDER, HIDDEN = "!set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name UUIDs", "!hides it; unset CUDA_VISIBLE_DEVICES"
NAMELESS = "!names no device of this machine: correct or unset it"
NO_LIBRARY = "!this machine has no NVIDIA device (NVML: NVML Shared Library Not Found); use --gpu=cpu"
NO_DRIVER = "!this machine has no NVIDIA device (NVML: Driver Not Loaded); use --gpu=cpu"

TABLE = {  #                                  auto, 0, 1, 0,1 --tp 2, a UUID's beginning
    "H200": Row("GPU-a1", "GPU-a1", ONE, ONE, ("GPU-a", "GPU-a1")),
    "2 x H200": Row("GPU-a1", "GPU-a1", "GPU-b1", "GPU-a1+GPU-b1", ("GPU-b", "GPU-b1")),
    "8 x H200": Row("GPU-a1", "GPU-a1", "GPU-b1", "GPU-a1+GPU-b1", ("GPU-h", "GPU-h1")),
    "2 x RTX PRO 6000, a 4g.96gb each": Row("MIG-a0", "MIG-a0", "MIG-b0", "MIG-a0+MIG-b0", ("MIG-b", "MIG-b0")),
    "RTX PRO 6000, 4 x 1g.24gb": Row("MIG-a0", "MIG-a0", "MIG-a1", TWINS, ("MIG-a", "!matches 4 devices (MIG-a0, MIG-a1, MIG-a2, MIG-a3)")),
    "H100, instances 1, 4 and 6": Row("MIG-a1", "MIG-a1", "MIG-a4", TWINS, ("MIG-a6", "MIG-a6")),
    "H100, 1c.3g.40gb and +me": Row("MIG-a0", "MIG-a0", "MIG-a1", TWINS, ("GPU-a", "!name an instance of it: MIG-a0, MIG-a1")),
    "H100 with MIG beside an H200": Row("MIG-a0", "MIG-a0", "GPU-b", ALIKE, ("GPU-b", "GPU-b")),
    "MIG on, no instance": Row(NONE_MADE, NONE_MADE, ONE, NONE_MADE, ("GPU-a", NONE_MADE)),
    "MIG on, no instance, beside a GPU": Row("GPU-b1", NONE_MADE, "GPU-b1", NONE_MADE, ("GPU-b", "GPU-b1")),
    "an instance without UUID": Row("MIG-a1", NO_UUID, "MIG-a1", NO_UUID, ("GPU-a", "!name an instance of it: MIG-a1")),
    "GPU 0 lost": Row("GPU-b1", LOST, "GPU-b1", LOST, ("GPU-b", "GPU-b1")),
    "GB10, no memory of its own": Row("GPU-a1", "GPU-a1", ONE, ONE, ("GPU-a", "GPU-a1")),
    "no library": Row("cpu", NO_LIBRARY, NO_LIBRARY, NO_LIBRARY, ("GPU-a", NO_LIBRARY)),
    "no driver": Row("cpu", NO_DRIVER, NO_DRIVER, NO_DRIVER, ("GPU-a", NO_DRIVER)),
    "driver mismatch": Row(MISMATCH, MISMATCH, MISMATCH, MISMATCH, ("GPU-a", MISMATCH)),
    "no permission": Row(DENIED, DENIED, DENIED, DENIED, ("GPU-a", DENIED)),
    "no permission for the GPU": Row(DENIED, DENIED, ONE, DENIED, ("GPU-a", NOT_THERE)),
    "a driver older than MIG": Row("GPU-a", "GPU-a", ONE, ONE, ("GPU-a", "GPU-a")),
    "8 x H200, visible 1": Row("GPU-b1", "GPU-b1", "!='1' leaves 1 device (0)", "!='1' leaves 1 device (0)", ("GPU-a", HIDDEN)),
    "8 x H200, visible 5,3": Row("GPU-f1", "GPU-f1", "GPU-d1", "GPU-f1+GPU-d1", ("GPU-a", HIDDEN)),
    "8 x H200, visible GPU-b": Row("GPU-b1", "GPU-b1", "!leaves 1 device (0)", "!leaves 1 device (0)", ("GPU-a", HIDDEN)),
    "8 x H200, visible 9": Row(NAMELESS, NAMELESS, NAMELESS, NAMELESS, ("GPU-a", NAMELESS)),
    "8 x H200, visible nothing": Row("cpu", "!='' leaves no device", "!='' leaves no device", "!leaves no device", ("GPU-a", HIDDEN)),
    "4 x 1g.24gb, visible MIG-a2": Row("MIG-a2", "MIG-a2", "!leaves 1 device (0)", "!leaves 1 device (0)", ("MIG-a1", HIDDEN)),
    "4 x 1g.24gb, visible 0": Row("MIG-a0", "MIG-a0", "!leaves 1 device (0)", "!leaves 1 device (0)", ("MIG-a1", HIDDEN)),
    "mixed models, visible 1": Row(ORDER, ORDER, ORDER, ORDER, ("GPU-b", ORDER)),
    "mixed models, visible 1 by PCI": Row("GPU-b", "GPU-b", "!leaves 1 device (0)", "!leaves 1 device (0)", ("GPU-b", "GPU-b")),
}


def as_markdown() -> str:
    """The table for docs/devices.md, refusals by their beginning words."""
    head = "| machine | `auto` | `0` | `1` | `0,1 --tp 2` | a UUID's beginning |\n|---|---|---|---|---|---|\n"

    def cell(text: str) -> str:
        return text if not text.startswith("!") else f"refused: {text[1:].replace('|', '/')}"

    rows = [(name, row.auto, row.first, row.second, row.pair, f"`{row.prefix[0]}`: {cell(row.prefix[1])}") for name, row in TABLE.items()]
    return head + "".join(f"| {' | '.join(map(cell, row))} |\n" for row in rows)


def test_the_documentation_has_the_table_as_it_is() -> None:
    assert as_markdown() in (Path(__file__).parents[1] / "docs" / "devices.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_yields_what_the_table_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    library, row = at(name, monkeypatch), TABLE[name]
    wanted = {"auto": (row.auto, 1), "0": (row.first, 1), "1": (row.second, 1), "0,1": (row.pair, 2), row.prefix[0]: (row.prefix[1], 1)}
    for asked, (expected, tensor_parallel) in wanted.items():
        try:
            got = chosen(devices.select(asked, tensor_parallel))
        except ConfigurationError as error:
            got = f"!{error}"
        if expected.startswith("!"):
            assert re.fullmatch(rf"!--gpu=[^\n]*{re.escape(expected[1:])}[^\n]*", got)
        else:
            assert got == expected
    assert library.open == 0


@pytest.mark.parametrize("name", MACHINES)
def test_the_cpu_can_be_named_on_every_machine_whatever_nvml_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at(name, monkeypatch)
    assert devices.select("cpu")[0].is_cpu


def test_a_device_carries_what_nvml_knows_of_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "0001:3b:00.0").mkdir()
    (tmp_path / "0001:3b:00.0" / "numa_node").write_text("1\n")
    stand_in(monkeypatch, FakeNvml(Gpu(uuid="GPU-a", bus="00000001:3B:00.0", used_gib=7.0, processes=[(11, 5.0), (12, None)])))
    (device,) = devices.gpus()
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
    assert devices.gpus()[0].numa_node is None


def test_gpus_stand_in_the_order_of_the_pci_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, FakeNvml(Gpu(uuid="GPU-late", bus="00000000:C1:00.0"), Gpu(uuid="GPU-early", bus="00000000:1B:00.0")))
    assert [(device.uuid, device.gpu_index) for device in devices.gpus()] == [("GPU-early", 0), ("GPU-late", 1)]


def test_an_instance_has_its_own_memory_and_processes_and_its_gpu_s_place(monkeypatch: pytest.MonkeyPatch) -> None:
    at("H100, instances 1, 4 and 6", monkeypatch)
    big, small, media = devices.gpus()
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
    assert [(one.memory_gib, one.memory_used_gib) for one in devices.gpus()] == [(23.5, None)]


def test_where_nvml_tells_no_processes_of_an_instance_its_gpu_s_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Mig(uuid="MIG-0", processes=None), Mig(uuid="MIG-1", processes=[(5, 1.0)])
    stand_in(monkeypatch, FakeNvml(Gpu(uuid="GPU-a", mig={0: first, 1: second}, processes=[(9, None)])))
    got = [[process.pid for process in one.processes or []] for one in devices.gpus()]
    assert got == [[9], [5]]  # 9 is of no instance that NVML knows, 5 is the other's


def test_processes_that_may_not_be_read_are_unknown_and_not_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, FakeNvml(Gpu(uuid="GPU-a", refuses={"nvmlDeviceGetComputeRunningProcesses": "NVMLError_NoPermission"})))
    assert [one.processes for one in devices.gpus()] == [None]


@pytest.mark.parametrize(
    ("gpu_gib", "gib", "slices", "profile"),
    [(79.6, 39.5, (1, 3), "1c.3g.40gb"), (79.6, 9.5, (1, 1), "1g.10gb"), (95.6, 23.6, (1, 1), "1g.24gb"), (139.8, 34.5, (2, 2), "2g.35gb")],
)
def test_a_profile_that_the_name_does_not_say_follows_from_the_slices(
    gpu_gib: float, gib: float, slices: tuple[int, int], profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, FakeNvml(Gpu(uuid="GPU-a", gib=gpu_gib, mig={0: Mig(uuid="MIG-a", gib=gib, slices=slices, named=False)})))
    assert [one.mig_profile for one in devices.gpus()] == [profile]


def test_a_gpu_without_memory_of_its_own_is_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    at("GB10, no memory of its own", monkeypatch)
    assert [(one.memory_gib, one.unusable) for one in devices.gpus()] == [(None, None)]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("7", "--gpu=7: this machine has 2 devices (0, 1); see --gpu=list"),
        ("0,5", "--gpu=5: this machine has 2 devices (0, 1); see --gpu=list"),
        ("GPU-", "--gpu=GPU-: matches 2 devices (GPU-a1, GPU-b1); give auto, cpu, cpu:N, an index, GPU-… or MIG-…, or see --gpu=list"),
        ("cuda", "--gpu=cuda: is no device; give auto, cpu, "),
        ("-1", "--gpu=-1: is no device; give"),
        ("", "--gpu=: is no device; give"),
        ("cpu:x", "--gpu=cpu:x: is no device; give"),
        ("cpu,0", "--gpu=cpu,0 mixes the CPU with GPUs; name one kind"),
        ("1,cpu", "--gpu=1,cpu mixes the CPU with GPUs; name one kind"),
        ("0,GPU-a", "--gpu=0,GPU-a names a device twice; name each once"),
        ("cpu,cpu", "--gpu=cpu,cpu names a device twice; name each once"),
        ("cpu,cpu:0", "--gpu=cpu,cpu:0 names the whole CPU and a core of it; name cores alone, or cpu alone"),
    ],
)
def test_what_names_no_device_is_refused_in_one_sentence(wanted: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at("2 x H200", monkeypatch)
    with pytest.raises(ConfigurationError) as error:
        devices.select(wanted)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize(
    ("wanted", "tensor_parallel", "slots"),
    [
        ("0,1", 1, "GPU-a1|GPU-b1"),
        (" GPU-c , 0", 1, "GPU-c1|GPU-a1"),
        ("3,1,0,2", 2, "GPU-d1+GPU-b1|GPU-a1+GPU-c1"),
        ("auto", 4, "GPU-a1+GPU-b1+GPU-c1+GPU-d1"),
    ],
)
def test_tp_devices_make_a_slot(wanted: str, tensor_parallel: int, slots: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at("8 x H200", monkeypatch)
    assert chosen(devices.select(wanted, tensor_parallel)) == slots


@pytest.mark.parametrize(
    ("name", "wanted", "tensor_parallel", "said"),
    [
        ("8 x H200", "0,1,2", 2, "--gpu=0,1,2 names 3 devices, which do not make slots of --tp 2"),
        ("8 x H200", "0", 2, "--gpu=0 names 1 device, which do"),
        ("8 x H200", "0", 0, "--tp=0: a slot has at least 1 device"),
        (
            "H200",
            "auto",
            2,
            "--gpu=auto: --tp 2 needs 2 devices that are alike, each on a GPU of its own (NCCL refuses two MIG instances of one)",
        ),
        ("RTX PRO 6000, 4 x 1g.24gb", "auto", 2, "--gpu=auto: --tp 2 needs 2 devices"),
        ("no driver", "auto", 2, "--tp=2 with --gpu=cpu: the CPU is one device, and parts of a model would share the same cores"),
        ("H200", "cpu:0", 2, "--tp=2 with --gpu=cpu:0: the CPU is one device"),
    ],
)
def test_devices_that_cannot_make_a_slot_are_refused(
    name: str, wanted: str, tensor_parallel: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(name, monkeypatch)
    with pytest.raises(ConfigurationError) as error:
        devices.select(wanted, tensor_parallel)
    assert str(error.value).startswith(said)


def test_auto_takes_instances_of_different_gpus_for_one_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    halves = [{index: Mig(uuid=f"MIG-{gpu}{index}", profile="2g.48gb") for index in (0, 1)} for gpu in "ab"]
    stand_in(monkeypatch, FakeNvml(*(Gpu(uuid=f"GPU-{number}", name=RTX, mig=mig) for number, mig in enumerate(halves))))
    assert chosen(devices.select("auto", 2)) == "MIG-a0+MIG-b0"


def test_cores_are_slots_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3, 0})
    slots = devices.select("cpu:0,cpu:3")
    assert [slot.devices[0].core for slot in slots] == [0, 3]
    assert {slot.device_class for slot in slots} == {"cpu"}
    with pytest.raises(ConfigurationError, match=r"^--gpu=cpu:1: this process may use cores 0, 3$"):
        devices.select("cpu:1")


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
    assert devices.select(wanted, tensor_parallel)[0].device_class == device_class


def test_a_slot_is_written_with_its_uuids(monkeypatch: pytest.MonkeyPatch) -> None:
    at("2 x H200", monkeypatch)
    assert str(devices.select("0,1", 2)[0]) == "NVIDIA H200 (GPU-a1), NVIDIA H200 (GPU-b1)"


@pytest.mark.parametrize(
    ("setting", "left"),
    [
        ("3, 1", ["GPU-d1", "GPU-b1"]),
        ("0,-1,1", ["GPU-a1"]),
        ("1,GPU-a", ["GPU-b1"]),
        ("GPU-b,1", ["GPU-b1"]),
        ("GPU-b,GPU-zz,GPU-a", ["GPU-b1"]),
        ("1gpu2,2", ["GPU-b1", "GPU-c1"]),
        ("-1", []),
        ("NoDevFiles", []),
        ("", []),
    ],
)
def test_cuda_visible_devices_leaves_what_cuda_would_see(setting: str, left: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    at("8 x H200", monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", setting)
    assert [device.uuid for device in devices.gpus()] == left


@pytest.mark.parametrize("setting", ["0,0", "GPU-", "MIG-a", "99", "first"])
def test_a_cuda_visible_devices_that_names_nothing_is_no_silent_cpu(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at("8 x H200", monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", setting)
    with pytest.raises(ConfigurationError, match=rf"^--gpu=auto: CUDA_VISIBLE_DEVICES='{setting}' .*; to run on the CPU, say --gpu=cpu$"):
        devices.select("auto")


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
    assert devices.visible(devices.select(wanted, 2)[0], version) == environment


def test_a_server_on_the_cpu_sees_no_gpu() -> None:
    assert devices.visible(devices.select("cpu")[0], "0.32.0") == {"CUDA_VISIBLE_DEVICES": ""}


def test_an_old_vllm_cannot_be_given_a_mig_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    at("RTX PRO 6000, 4 x 1g.24gb", monkeypatch)
    with pytest.raises(
        ConfigurationError, match=r"vLLM 0\.22\.1 takes integers alone .* MIG instances have none; use vLLM 0\.24 or newer$"
    ):
        devices.visible(devices.select("2")[0], "0.22.1")
