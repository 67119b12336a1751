"""What changes when all GPUs of a host are at work: checkpoints side by side, a neighbour's noise, tensor parallelism, fan-out.

    python -m benchmarks.many_gpus --gpu=0,1 --models=models.toml --family=reference -o out
    python -m benchmarks.many_gpus --gpu=0,1,2,3,4,5,6,7 --models=models.toml --family=a,b -o out --parts=side-by-side,one-by-one

For any number of devices, the cores of a CPU too (--gpu=cpu:0,cpu:1). What each part saw lies in OUT/<part>.json, and the table is
printed of all that is there, whenever it was measured.
"""

import argparse
import shlex
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from benchmarks.many_gpus_parts import PARTS, Plan, Row, asked
from quantgate import devices


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", required=True, metavar="A,B,…", help="slots of one device each, as pytest's --gpu has them")
    parser.add_argument("--models", type=Path, default=Path("models.toml"), metavar="FILE")
    parser.add_argument("--family", default="reference", metavar="NAMES")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--parts", default=",".join(PARTS), metavar="NAMES", help=f"of {', '.join(PARTS)}; default: all; '': the table alone"
    )
    parser.add_argument("--load", default="decode-16x256", metavar="SUITE", help="of neighbours and tensor parallelism (decode-16x256)")
    parser.add_argument("--pairs", type=int, default=3, metavar="N", help="alone, then with neighbours (3)")
    parser.add_argument("--checkpoint", metavar="FAMILY/NAME", help="of the neighbours; default: the first family's bf16")
    parser.add_argument("--shape", default="shape-qwen2.5-72b", metavar="FAMILY", help="of tensor parallelism (shape-qwen2.5-72b)")
    parser.add_argument("--shape-precision", default="nvfp4", metavar="MARKER", help="fp8, nvfp4, 'fp8 or nvfp4' (nvfp4)")
    parser.add_argument("--sizes", metavar="N,N,…", help="of tensor parallelism; default: 1, 2, 4, … to all")
    parser.add_argument("options", nargs="*", metavar="-- OPTIONS", help="for pytest: --suites, --data-dir")
    options = parser.parse_args()
    slots = devices.select(options.gpu)
    gpus = options.gpu.split(",")
    if len(gpus) != len(slots):
        parser.error(f"--gpu={options.gpu}: name each device, as in 0,1")
    unknown = [name for name in options.parts.split(",") if name and name not in PARTS]
    if unknown:
        parser.error(f"--parts={unknown[0]}: there are {', '.join(PARTS)}")
    options.out.mkdir(parents=True, exist_ok=True)
    sizes = [int(one) for one in options.sizes.split(",")] if options.sizes else _doubling(len(slots))
    plan = Plan(
        gpus=gpus,
        slots=slots,
        families=options.family,
        models=options.models.absolute(),
        options=options.options,
        out=options.out.absolute(),
        load=options.load,
        pairs=options.pairs,
        checkpoint=options.checkpoint or f"{options.family.split(',')[0]}/bf16",
        shape=options.shape,
        shape_precision=options.shape_precision,
        sizes=sizes,
    )
    for part in filter(None, options.parts.split(",")):
        asked(plan, part)
    show(plan)


def _doubling(count: int) -> list[int]:
    sizes = [2**power for power in range(count.bit_length()) if 2**power <= count]
    return sizes if sizes[-1] == count else [*sizes, count]


def show(plan: Plan) -> None:
    """All that has been measured into this folder."""
    console = Console(width=160)
    names = ", ".join(dict.fromkeys(device.name for slot in plan.slots for device in slot.devices))
    console.print(f"{len(plan.slots)} x {names}; {shlex.join(plan.options)}", highlight=False)
    for part in PARTS:
        if not (file := plan.out / f"{part}.json").is_file():
            continue
        rows = msgspec.json.decode(file.read_bytes(), type=list[Row])
        console.print(f"\n[bold]{part}[/bold]", highlight=False)
        for heads, alike in groupby(rows, key=lambda row: tuple(row.figures)):
            columns = list(heads)
            table = Table(Column("", no_wrap=True), *(name.replace("_", " ") for name in columns), box=SIMPLE)
            told = []
            for row in alike:
                table.add_row(row.what, *(_shown(row.figures[name]) for name in columns))
                told += [f"  {row.what}: {row.told}"] if row.told else []
            console.print(table)
            for line in told:
                console.print(Text(line))


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return "-" if value is None else str(value)


if __name__ == "__main__":
    main()
