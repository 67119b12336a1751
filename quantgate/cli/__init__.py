"""The command line: `quantgate init` for a folder of one's own; `devices`, `suites`, `inspect`, `quantize`, `bench`; `table` and
`report` of a run's records, and `compare BASELINE CANDIDATE` for people who already have results; `plan` before anything runs;
`nightly`, its `history`, and `bisect`; `fan-out` over a cluster, and `merge` of many hosts' records.

Exit 0: done and good; 1: a verdict of fail; 2: could not run, or nothing to judge. With --json exactly one JSON
document goes to standard output. `nightly` ends as pytest does, `bisect` as git wants it.
"""

import argparse
import sys
from collections.abc import Sequence

from quantgate.cli.bench import add_bench
from quantgate.cli.bisect import add_bisect
from quantgate.cli.codes import COULD_NOT
from quantgate.cli.compare import add_compare
from quantgate.cli.devices import add_devices
from quantgate.cli.fan_out import add_fan_out
from quantgate.cli.history import add_history
from quantgate.cli.init import add_init
from quantgate.cli.inspect import add_inspect
from quantgate.cli.merge import add_merge
from quantgate.cli.nightly import add_nightly
from quantgate.cli.plan import add_plan
from quantgate.cli.quantize import add_quantize
from quantgate.cli.report import add_report
from quantgate.cli.suites import add_suites
from quantgate.cli.table import add_table
from quantgate.errors import QuantgateError

__all__ = ["main", "make_parser"]

WITH_A_COMMAND = ("nightly", "bisect", "fan-out")
"""What stands behind -- of these is pytest's, and kept in `behind`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    given, behind = list(sys.argv[1:] if arguments is None else arguments), list[str]()
    if given and given[0] in WITH_A_COMMAND and "--" in given:
        place = given.index("--")
        given, behind = given[:place], given[place + 1 :]
    options = make_parser().parse_args(given)
    options.behind = behind
    try:
        code: int = options.run(options)
    except (QuantgateError, OSError) as error:
        print(f"quantgate {options.command}: {error}", file=sys.stderr)
        return int(getattr(options, "could_not", COULD_NOT))
    return code


def make_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    parser = argparse.ArgumentParser(prog="quantgate", description="Quantized checkpoints under test.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_init(commands)
    add_compare(commands)
    add_table(commands)
    add_report(commands)
    add_plan(commands)
    add_merge(commands)
    add_nightly(commands)
    add_fan_out(commands)
    add_history(commands)
    add_bisect(commands)
    add_suites(commands)
    add_devices(commands)
    add_inspect(commands)
    add_quantize(commands)
    add_bench(commands)
    return parser
