"""`quantgate table`: a family's checkpoints side by side, from the records of a run; or other harnesses' results."""

import argparse
from pathlib import Path
from typing import Any

import msgspec

from quantgate import registry
from quantgate.cli.codes import COULD_NOT, GOOD
from quantgate.errors import ConfigurationError


def add_table(commands: Any) -> None:
    parser = commands.add_parser(
        "table",
        help="a family's checkpoints side by side: size, perplexity, answers, speed, verdicts; or other harnesses' figures",
        description="The records of a run as a table, a row for each checkpoint of models.toml. Or, of other harnesses' results (lm-eval's "
        "results_*.json and samples, and what else `compare` reads), each task's metrics with their standard errors, a column a model.",
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="a folder of records, or results of other harnesses")
    parser.add_argument("--models", type=Path, default=Path("models.toml"), metavar="FILE", help="families and checkpoints (models.toml)")
    parser.add_argument("--family", metavar="NAMES", help="as for pytest: names with commas between them, or all")
    parser.add_argument("--records", type=Path, default=Path(".quantgate/records"), metavar="DIR", help="of the run (.quantgate/records)")
    others = parser.add_argument_group("results of other harnesses", "of names with commas between them, those that are there")
    others.add_argument("--filter", default="", metavar="NAME", help="of samples without a results file: these filters alone")
    others.add_argument("--metric", default="", metavar="NAME", help="of samples without a results file: these metrics, or scorers, alone")
    others.add_argument("--model", default="", metavar="NAME", help="this model alone")
    others.add_argument("--suite", default="", metavar="NAME", help="what the suite is called, where no file tells")
    others.add_argument("--columns", default="", metavar="FIELD=COLUMN,…", help="what is what in JSON lines or CSV, as for compare")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.set_defaults(run=_table)


def _table(options: argparse.Namespace) -> int:
    from quantgate.measure.adopt import Choice, columns_of, is_foreign

    columns = columns_of(options.columns) if options.columns else ()
    choice = Choice(filter=options.filter, metric=options.metric, model=options.model, suite=options.suite, columns=columns)
    if len(options.paths) > 1 or any(not path.is_dir() or is_foreign(path, choice) for path in options.paths):
        return _of_others(options, choice)
    return _of_records(options, *(options.paths or [options.records]))


def _of_records(options: argparse.Namespace, records: Path) -> int:
    from quantgate.report import checkpoint_rows, show_table

    if not records.is_dir():
        raise ConfigurationError(f"--records={records} is no folder; name the one that pytest wrote to")
    families = registry.load(options.models).select(options.family)
    found = {family.name: checkpoint_rows(family, records) for family in families}
    if options.json:
        print(msgspec.json.encode(found).decode())
    else:
        for family in families:
            show_table(family, found[family.name])
    return GOOD if any(row.cells for rows in found.values() for row in rows) else COULD_NOT


def _of_others(options: argparse.Namespace, choice: Any) -> int:
    from quantgate.measure.adopt import columns
    from quantgate.report import figure_rows, show_figures

    found = columns(options.paths, choice)
    rows = figure_rows(found)
    if options.json:
        held = [{"name": one.name, "files": one.files} for one in found]
        print(msgspec.json.encode({"columns": held, "rows": rows}).decode())
    else:
        show_figures(found, rows)
    return GOOD if rows else COULD_NOT
