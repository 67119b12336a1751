"""What `--gpu` and `--tp` mean on the machines that people have: NVML is replaced, nothing else is."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from quantgate.devices import choice
from quantgate.errors import ConfigurationError
from tests_fixtures.doubles.fake_nvml import FakeNvml, Gpu, Mig
from tests_fixtures.doubles.machines import MACHINES, RTX, at, chosen, stand_in


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
    assert as_markdown() in (Path(__file__).parents[2] / "docs" / "devices.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_yields_what_the_table_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    library, row = at(name, monkeypatch), TABLE[name]
    wanted = {"auto": (row.auto, 1), "0": (row.first, 1), "1": (row.second, 1), "0,1": (row.pair, 2), row.prefix[0]: (row.prefix[1], 1)}
    for asked, (expected, tensor_parallel) in wanted.items():
        try:
            got = chosen(choice.select(asked, tensor_parallel))
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
    assert choice.select("cpu")[0].is_cpu


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
        choice.select(wanted)
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
    assert chosen(choice.select(wanted, tensor_parallel)) == slots


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
        choice.select(wanted, tensor_parallel)
    assert str(error.value).startswith(said)


def test_auto_takes_instances_of_different_gpus_for_one_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    halves = [{index: Mig(uuid=f"MIG-{gpu}{index}", profile="2g.48gb") for index in (0, 1)} for gpu in "ab"]
    stand_in(monkeypatch, FakeNvml(*(Gpu(uuid=f"GPU-{number}", name=RTX, mig=mig) for number, mig in enumerate(halves))))
    assert chosen(choice.select("auto", 2)) == "MIG-a0+MIG-b0"
