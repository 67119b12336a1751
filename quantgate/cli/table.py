"""`quantgate table`: a family's checkpoints side by side, from the records of a run."""

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
        help="a family's checkpoints side by side: size, perplexity, answers, speed, verdicts",
        description="The records of a run as a table, a row for each checkpoint of models.toml.",
    )
    parser.add_argument("--models", type=Path, default=Path("models.toml"), metavar="FILE", help="families and checkpoints (models.toml)")
    parser.add_argument("--family", metavar="NAMES", help="as for pytest: names with commas between them, or all")
    parser.add_argument("--records", type=Path, default=Path(".quantgate/records"), metavar="DIR", help="of the run (.quantgate/records)")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.set_defaults(run=_table)


def _table(options: argparse.Namespace) -> int:
    from quantgate.report import checkpoint_rows, show_table

    if not options.records.is_dir():
        raise ConfigurationError(f"--records={options.records} is no folder; name the one that pytest wrote to")
    families = registry.load(options.models).select(options.family)
    found = {family.name: checkpoint_rows(family, options.records) for family in families}
    if options.json:
        print(msgspec.json.encode(found).decode())
    else:
        for family in families:
            show_table(family, found[family.name])
    return GOOD if any(row.cells for rows in found.values() for row in rows) else COULD_NOT
