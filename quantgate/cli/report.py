"""`quantgate report RECORDS -o DIR`: the page that everybody but the engineer reads."""

import argparse
from pathlib import Path
from typing import Any

import msgspec

from quantgate.cli.codes import COULD_NOT, FAILED, GOOD


def add_report(commands: Any) -> None:
    parser = commands.add_parser(
        "report",
        help="the records of a run as one page of HTML, as Markdown, and as charts for slides",
        description="Write DIR/index.html (one file that fetches nothing), DIR/report.md (for a CI job's summary or a merge request) "
        "and DIR/charts/ (.svg and .png). Exit 0: no verdict is a fail; 1: one is; 2: something could not be judged, or nothing was.",
    )
    parser.add_argument("records", type=Path, metavar="RECORDS", help="the folder that pytest wrote to (--records)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="where the report goes")
    parser.add_argument("--baselines", metavar="DIR|URL[,…]", help="approved measurements (baselines/, where it is there)")
    parser.add_argument("--models", type=Path, metavar="FILE", help="families and suites (models.toml, where it is there)")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="data sets from local files: prompts and texts that no record has")
    parser.add_argument("--title", default="", metavar="TEXT", help="the page's title")
    parser.add_argument("--json", action="store_true", help="what the page says, as one JSON document on standard output")
    parser.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> int:
    from quantgate.plain_text import shown, without_secrets
    from quantgate.report import write_report

    models = options.models or _if_there(Path("models.toml"))
    page, written = write_report(
        options.records,
        options.output,
        baselines=options.baselines or _if_there(Path("baselines")),
        models=models,
        data_dir=options.data_dir,
        title=options.title,
    )
    if options.json:
        print(without_secrets(msgspec.json.encode(page).decode()))
    else:
        print(without_secrets(shown(f"{page.word}: {page.headline}. {page.sentence}")))
        print(f"report: {written[0]}")
    words = page.counts.keys()
    if "fail" in words:
        return FAILED
    return COULD_NOT if "error" in words or not words - {"not compared"} else GOOD


def _if_there(path: Path) -> Path | None:
    return path if path.exists() else None
