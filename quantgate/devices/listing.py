"""The devices of this machine for people and for scripts: `quantgate devices [--json]`, `pytest --gpu=list`."""

import sys
from collections.abc import Iterator

import msgspec

from quantgate.devices import choice, nvml, slots
from quantgate.devices.nvml import Device

WIDE = 240  # columns where no terminal says how many there are: a UUID must not be cut in a pipe


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A device as `--gpu` knows it. `index` is None for the CPU, where CUDA_VISIBLE_DEVICES hides the device, and where nobody can tell."""

    index: int | None
    kind: str
    hidden: bool
    device: Device


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """`trouble`: why GPUs or their indices cannot be told; `absent`: why there are none."""

    driver: str | None
    cuda_visible_devices: str | None
    trouble: str | None
    absent: str | None
    rows: list[Row]


def listing() -> Listing:
    """Every device, hidden and unusable ones with their reasons, the CPU last."""
    machine = nvml.read()
    left = choice.view_of(machine)
    rows = [
        Row(
            index=left.devices.index(device) if device in left.devices else None,
            kind="mig" if device.mig_profile else "gpu",
            hidden=device not in left.devices and left.trouble is None,
            device=device,
        )
        for device in machine.devices
    ]
    rows.append(Row(index=None, kind="cpu", hidden=False, device=slots.cpu()))
    trouble = machine.trouble or left.trouble
    return Listing(
        driver=machine.driver,
        cuda_visible_devices=left.setting,
        trouble=trouble,
        absent=None if machine.devices or trouble else machine.absent,
        rows=rows,
    )


def document(found: Listing) -> str:
    """One JSON document: the listing, each device's fields beside its index."""
    told = msgspec.to_builtins(found)
    rows = [{**{key: value for key, value in row.items() if key != "device"}, **row["device"]} for row in told.pop("rows")]
    return msgspec.json.encode({**told, "devices": rows}).decode()


def show_devices(*, as_json: bool = False) -> bool:
    """Print the listing; False where the GPUs, or their indices, cannot be told."""
    found = listing()
    if as_json:
        print(document(found))
    else:
        _print(found)
    return found.trouble is None


def _print(found: Listing) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("--gpu", "device", "MIG", "used / total GiB", "NUMA", "UUID", "processes (GiB)"):
        table.add_column(name, justify="right" if "total" in name else "left", no_wrap=name == "UUID", overflow="fold")
    for row in found.rows:
        # Text, not str: a name with brackets in it is no markup.
        table.add_row(*map(Text, _cells(row)), style="dim" if row.hidden or row.device.unusable else None)
    console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False, soft_wrap=False)
    console.print(table)
    for line in _remarks(found):
        console.print(line, markup=False, soft_wrap=True)


def _cells(row: Row) -> tuple[str, ...]:
    device = row.device
    own = f"{_number(device.memory_used_gib)} / {_number(device.memory_gib)}"
    memory = "the machine's" if device.shares_memory else own
    numa = "-" if device.numa_node is None else str(device.numa_node)
    return (_gpu(row), device.name, device.mig_profile or "-", memory, numa, device.uuid or "-", _processes(row))


def _gpu(row: Row) -> str:
    """What `--gpu` calls it."""
    if row.kind == "cpu":
        return "cpu"
    if row.index is None:
        return "hidden" if row.hidden else "?"
    return str(row.index)


def _number(gib: float | None) -> str:
    return "?" if gib is None else f"{gib:.1f}"


def _processes(row: Row) -> str:
    if row.kind == "cpu":
        return "-"
    if (found := row.device.processes) is None:
        return "?"
    return ", ".join(f"{one.pid} ({_number(one.memory_gib)})" for one in found) or "none"


def _remarks(found: Listing) -> Iterator[str]:
    """What the table has no column for, a sentence each."""
    if found.trouble:
        yield f"trouble: {found.trouble}"
    if found.absent:
        yield f"no NVIDIA device ({found.absent})"
    if any(row.hidden for row in found.rows):
        yield f"hidden by CUDA_VISIBLE_DEVICES={found.cuda_visible_devices!r}"
    for row in found.rows:
        if row.device.unusable:
            yield f"{_gpu(row)}: {row.device} cannot be used: {row.device.unusable}"
