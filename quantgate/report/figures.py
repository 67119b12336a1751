"""Other harnesses' figures side by side: `quantgate table FILE…`; Markdown, unless a terminal looks."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from quantgate.measure.adopt import Column, Figure

if TYPE_CHECKING:
    from rich.table import Table

WIDE = 400


class FigureRow(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one task. `cells`: a column's figure, or None where it has none, in the columns' order."""

    task: str
    filter: str
    metric: str
    cells: list[Figure | None]

    @property
    def first(self) -> Figure:
        """The first column's that has one."""
        return next(one for one in self.cells if one is not None)


def figure_rows(columns: Sequence[Column]) -> list[FigureRow]:
    """Each figure that any column has, in the order in which they come; a later column's new figures stand behind the same task's."""
    order: dict[str, list[tuple[str, str, str]]] = {}
    held = [{one.key: one for one in column.figures} for column in columns]
    for column in columns:
        for one in column.figures:
            keys = order.setdefault(one.task, [])
            if one.key not in keys:
                keys.append(one.key)
    return [
        FigureRow(task=key[0], filter=key[1], metric=key[2], cells=[column.get(key) for column in held])
        for keys in order.values()
        for key in keys
    ]


def show_figures(columns: Sequence[Column], rows: Sequence[FigureRow]) -> None:
    """On a terminal a plain table, elsewhere Markdown."""
    from rich.console import Console

    if sys.stdout.isatty():
        Console(highlight=False).print(_table(columns, rows, is_markdown=False))
    else:
        Console(width=WIDE, highlight=False).print(_table(columns, rows, is_markdown=True))


def _table(columns: Sequence[Column], rows: Sequence[FigureRow], *, is_markdown: bool) -> "Table":
    """A task's name stands once; version, examples, filter and n where any row has them."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.MARKDOWN if is_markdown else box.SIMPLE_HEAD, pad_edge=is_markdown, header_style="" if is_markdown else "bold")
    heads = ["task", "version", "shots", "n", "filter", "metric"]
    told = [[*_told(row), row.filter, _metric(row.first)] for row in rows]
    kept = [place for place, head in enumerate(heads[1:]) if head == "metric" or any(one[place] for one in told)]
    for head in ("task", *(heads[1:][place] for place in kept)):
        table.add_column(head, overflow="fold")
    for column in columns:
        table.add_column(Text(_escaped(column.name, is_markdown)), justify="right", overflow="fold")
    last = ""
    for row, said in zip(rows, told, strict=True):
        name = "" if row.task == last else f"{'  ' * row.first.depth}{'- ' if row.first.depth else ''}{row.task}"
        last = row.task
        cells = [name, *(said[place] for place in kept), *map(_cell, row.cells)]
        table.add_row(*(Text(_escaped(one, is_markdown)) for one in cells))
    return table


def _told(row: FigureRow) -> list[str]:
    """Version, examples and documents; several where columns differ in it, in their order."""
    cells = [one for one in row.cells if one is not None]
    found = [[one.version for one in cells], [one.shots for one in cells], ["" if one.n is None else f"{one.n:,}" for one in cells]]
    return [" / ".join(one if len(set(one)) > 1 else one[:1]) for one in found]


def _metric(one: Figure) -> str:
    arrow = {True: " ↑", False: " ↓", None: ""}[one.higher_is_better]
    return one.metric + arrow


def _cell(one: Figure | None) -> str:
    if one is None:
        return ""
    if isinstance(one.value, bool | str):
        return str(one.value)
    value = f"{one.value:.4f}" if isinstance(one.value, float) else str(one.value)
    return value if one.stderr is None else f"{value} ± {one.stderr:.4f}"


def _escaped(text: str, is_markdown: bool) -> str:
    return text.replace("|", "\\|") if is_markdown else text
