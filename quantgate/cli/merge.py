"""`quantgate merge DIR… -o DIR`: the shards of a matrix as one folder of records, judged again as one run.

Exit 0: all that was asked passed; 1: a verdict or a test failed; 2: refused, something could not be judged, or nothing was there.
"""

import argparse
from pathlib import Path
from typing import Any

import msgspec


def add_merge(commands: Any) -> None:
    parser = commands.add_parser(
        "merge",
        help="the shards of a matrix as one folder of records: judged again as one run, with one exit code",
        description="Put the records of all shards together, judge every checkpoint again with the p-values of all its suites, and write "
        "records, verdicts, outcomes and history into one folder. What cannot be one whole is refused, and nothing is written then. "
        "Exit 0: all passed; 1: a verdict or a test failed; 2: refused, or something could not be judged.",
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR", help="what the shards wrote to (--records); their order is the same"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="the merged records; none of the folders above")
    parser.add_argument("--models", type=Path, default=Path("models.toml"), metavar="FILE", help="that of the shards (models.toml)")
    parser.add_argument("--baselines", default="baselines", metavar="DIR|URL[,…]", help="approved measurements (baselines)")
    parser.add_argument("--history", type=Path, metavar="DIR", help="add the lines to the history in this folder of baselines, none twice")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write the page of the whole there")
    parser.add_argument(
        "--inconclusive", choices=("pass", "warn", "fail"), help="whether an inconclusive verdict fails (as the shards were run)"
    )
    parser.add_argument(
        "--partial", action="store_true", help="merge although shards are missing or never ended; they are told, and exit is 2 at best"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.set_defaults(run=_merge)


def _merge(options: argparse.Namespace) -> int:
    from quantgate.merging import merge, told
    from quantgate.plain_text import without_secrets

    merged = merge(
        options.folders,
        options.output,
        models=options.models,
        baselines=options.baselines,
        history=options.history,
        report=options.report,
        inconclusive=options.inconclusive,
        partial=options.partial,
    )
    if options.json:
        print(without_secrets(msgspec.json.encode(merged).decode()))
    else:
        for line in told(merged):
            print(without_secrets(line))
    return merged.exit_code
