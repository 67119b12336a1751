"""A family's checkpoints side by side: `quantgate table`. Size, perplexity, answers and speed of each, from the records of a run.

registry (which there are) + folders (size, how they were made) + records and verdicts → rows → a table. Which recipe is best is for the
reader to say; the table has each figure with its loss against BF16, the interval of that, and the verdict.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from quantgate.checkpoint import read_shards
from quantgate.errors import QuantgateError
from quantgate.fingerprint import of_checkpoint
from quantgate.judgement import figure_parts, loss
from quantgate.records import VERDICT, Measurement, Verdict, decode, read_measurement
from quantgate.registry import REFERENCE_PRECISION, Checkpoint, Family, in_cache, read_manifest

if TYPE_CHECKING:
    from rich.table import Table

MIB = 2**20
WORST_FIRST = ("fail", "error", "inconclusive", "pass")
WIDE = 100_000
"""Columns where the output goes elsewhere than to a terminal: Markdown has one line a checkpoint, however many suites there are."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """What one suite said of a checkpoint, by its weights; `judged` is None where nothing was asked but to measure."""

    suite: str
    checkpoint_fingerprint: str
    name: str
    figure: float
    shown: str
    judged: Verdict | None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One checkpoint. `mib`: of its weights, None where its files are not here; `made_by`: its manifest's line; `remark`: why there is
    nothing to show, where there is nothing."""

    checkpoint: str
    precision: str
    mib: float | None
    made_by: str | None
    cells: list[Cell]
    remark: str | None

    @property
    def verdict(self) -> str:
        """The worst, with the suite that it came from; "" where nothing was judged."""
        found = [cell for cell in self.cells if cell.judged is not None]
        worst = min(found, key=lambda cell: WORST_FIRST.index(cell.judged.verdict) if cell.judged else 0, default=None)
        if worst is None or worst.judged is None:
            return ""
        return worst.judged.verdict if worst.judged.verdict == "pass" else f"{worst.judged.verdict}: {worst.suite}"


def checkpoint_rows(family: Family, records: Path) -> list[Row]:
    """BF16 first, as in models.toml. Raises MeasurementError for a file that is no record."""
    suites = _suites(family, records)
    return [_row(one, suites, records / family.name / one.name) for one in family.checkpoint]


def _suites(family: Family, records: Path) -> list[str]:
    """The family's, and behind them whatever else was asked (`--suites`)."""
    files = [file.name for one in family.checkpoint for file in (records / family.name / one.name).glob("*.json")]
    return [*family.suites, *sorted({name.removesuffix(".json") for name in files if not name.endswith(VERDICT)} - set(family.suites))]


def _row(checkpoint: Checkpoint, suites: Sequence[str], folder: Path) -> Row:
    files = in_cache(checkpoint)
    found = list(_cells(suites, folder))
    now = of_checkpoint(files) if files is not None else None
    cells = [cell for cell in found if now is None or cell.checkpoint_fingerprint == now]
    remark = None
    if found and not cells:
        remark = "measured on other weights than lie there now: measure again"
    elif not cells:
        remark = f"skipped on {', '.join(checkpoint.skip)}: {'; '.join(checkpoint.skip.values())}" if checkpoint.skip else "not measured"
    told = read_manifest(files) if files is not None else None
    return Row(
        checkpoint=checkpoint.name,
        precision=checkpoint.precision,
        mib=_mib(files) if files is not None and checkpoint.has_weights else None,
        made_by=str(told) if told is not None else None,
        cells=cells,
        remark=remark,
    )


def _cells(suites: Sequence[str], folder: Path) -> Iterator[Cell]:
    for suite in suites:
        if not (file := folder / f"{suite}.json").is_file():
            continue
        measured: Measurement = read_measurement(file)
        beside = folder / f"{suite}{VERDICT}"
        judged = decode(beside.read_bytes(), Verdict, str(beside)) if beside.is_file() else None
        name, shown, unit = figure_parts(measured)
        weights = measured.provenance.checkpoint_fingerprint
        yield Cell(suite=suite, checkpoint_fingerprint=weights, name=name, figure=measured.figure, shown=shown + unit, judged=judged)


def _mib(folder: Path) -> float | None:
    try:
        return sum(stored.size_bytes for stored in read_shards(folder).tensors.values()) / MIB
    except QuantgateError:
        return None


def show_table(family: Family, found: Sequence[Row]) -> None:
    """On a terminal a line a suite under each checkpoint's; elsewhere Markdown, one line a checkpoint."""
    from rich.console import Console

    if sys.stdout.isatty():
        Console(highlight=False).print(_for_eyes(family, found))
    else:
        console = Console(width=WIDE, highlight=False)
        with console.capture() as drawn:
            console.print(_markdown(family, found))
        print("\n".join(line for line in drawn.get().splitlines() if line.strip()))


def _for_eyes(family: Family, found: Sequence[Row]) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for head in (family.name, "figure", "against BF16", "verdict"):
        table.add_column(head)
    largest = _largest(found)
    for row in found:
        size, smaller = _size(row, largest)
        worst = Text(row.verdict.partition(":")[0], style="bold")
        table.add_row(
            Text(row.checkpoint, style="bold"),
            size,
            Text("; ".join(filter(None, (smaller, row.remark))), style="bold"),
            worst,
            end_section=not row.cells,
        )
        for number, cell in enumerate(row.cells, 1):
            lost = _loss(row, cell).replace("n = ", "n=")
            verdict = cell.judged.verdict if cell.judged is not None else ""
            table.add_row(f"  {cell.suite}", f"{cell.name} {cell.shown}", lost, verdict, end_section=number == len(row.cells))
    return table


def _markdown(family: Family, found: Sequence[Row]) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    names = {cell.suite: cell.name for row in found for cell in row.cells}
    suites = sorted(names, key=lambda name: (family.suites.index(name) if name in family.suites else len(family.suites), name))
    table = Table(box=box.MARKDOWN, pad_edge=True)
    for head in (family.name, "weights", *(f"{names[suite]}, {suite}" for suite in suites), "verdict"):
        table.add_column(head, justify="right" if head == "weights" else "left", overflow="fold")
    largest = _largest(found)
    for row in found:
        cells = {cell.suite: _beside(cell.shown, _loss(row, cell)) for cell in row.cells}
        size = _beside(*_size(row, largest))
        table.add_row(*map(Text, (row.checkpoint, size, *(cells.get(suite, "") for suite in suites), row.verdict or row.remark or "")))
    return table


def _largest(found: Sequence[Row]) -> float:
    return max((row.mib for row in found if row.mib is not None), default=0.0)


def _size(row: Row, largest: float) -> tuple[str, str]:
    """Of its weights, and how much smaller than the largest."""
    if row.mib is None:
        return "", ""
    return f"{row.mib:,.1f} MiB", f"{largest / row.mib:.2f} times smaller" if row.mib < largest else ""


def _beside(figure: str, more: str) -> str:
    return f"{figure} ({more})" if more else figure


def _loss(row: Row, cell: Cell) -> str:
    """Against BF16; "" for BF16 itself, whose one verdict is about its approval."""
    if row.precision == REFERENCE_PRECISION or cell.judged is None or cell.judged.against == "own":
        return ""
    told = loss(cell.judged).removeprefix(f"{cell.name} ")
    return f"{told}, n = {cell.judged.n}" if told else ""
