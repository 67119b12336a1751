"""The page, its Markdown and its charts, written into a folder."""

from collections.abc import Iterator
from pathlib import Path

from quantgate import folders
from quantgate.errors import ConfigurationError
from quantgate.plain_text import without_secrets
from quantgate.records import write_whole
from quantgate.report.page import charts, panels
from quantgate.report.page.drawing import Drawing, stacked
from quantgate.report.page.html import html
from quantgate.report.page.markdown import markdown
from quantgate.report.page.values import Page

PNG_ZOOM = 2.0
"""Pixels of the picture for one of the drawing: sharp on a slide."""
TREND_COLUMNS = 4


def write_page(page: Page, into: Path) -> list[Path]:
    """Write `index.html`, `report.md`, and below `charts/` each chart as .svg and .png; returns what was written, the page first.

    Raises ConfigurationError where the folder cannot be written.
    """
    try:
        folders.private(into)
        written = [_write(into / "index.html", html(page)), _write(into / "report.md", markdown(page))]
        for name, drawing in drawings(page):
            folders.private(into / "charts")
            written.append(_write(into / "charts" / f"{name}.svg", alone := without_secrets(drawing.alone())))
            written.append(into / "charts" / f"{name}.png")
            write_whole(written[-1], _png(alone))
    except OSError as error:
        raise ConfigurationError(f"the report cannot be written to {into}: {error.strerror}; name another folder") from error
    return written


def drawings(page: Page) -> Iterator[tuple[str, Drawing]]:
    """For slides: the forest plot, and each group of bars as one picture."""
    order = panels.order_of([*page.scores, *page.speed])
    if any(row.forest for row in page.rows):
        yield "forest", charts.forest(page.rows, page.title)
    if page.scores:
        yield "scores", stacked([charts.bars(one, order) for one in page.scores], "scores, BF16 = 100", columns=2)
    if page.speed:
        yield "speed", stacked([charts.bars(one, order) for one in page.speed], "speed", columns=2)
    if page.groups:
        yield "groups", stacked([charts.groups(one) for one in page.groups], "points lost by group", columns=2)
    if page.trends:
        yield "trend", stacked([charts.trend(one) for one in page.trends], "loss night by night", columns=TREND_COLUMNS)


def _write(file: Path, content: str) -> Path:
    write_whole(file, content.encode())
    return file


def _png(svg: str) -> bytes:
    import resvg_py

    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=PNG_ZOOM, background="#ffffff"))
