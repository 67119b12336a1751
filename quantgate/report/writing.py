"""`quantgate report`: a folder of records as a page, Markdown and charts."""

from pathlib import Path

from quantgate import registry
from quantgate.report.page import Page, build, write_page


def write_report(
    records: Path,
    into: Path,
    *,
    baselines: str | Path | None = None,
    models: Path | None = None,
    data_dir: Path | None = None,
    options: tuple[str, ...] = (),
    title: str = "",
) -> tuple[Page, list[Path]]:
    """Write `into/index.html`, `into/report.md` and `into/charts/`; returns what they say, and the files, the page first.

    `models`: a models.toml, for what only it tells (a checkpoint's files, suites of one's own). Raises ConfigurationError.
    """
    known = registry.load(models) if models is not None else None
    page = build(records, baselines=baselines, models=models, registry=known, data_dir=data_dir, options=options, title=title)
    return page, write_page(page, into)
