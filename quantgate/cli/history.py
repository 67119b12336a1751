"""`quantgate history BASELINES`: every suite, night by night, and since when its figure is another.

Exit 0: nothing has drifted; 1: the last night of a series fails against its approval, by the suite's own rule; 2: there is no history.
A change point alone is no failure.
"""

import argparse
import sys
from typing import Any

import msgspec

from quantgate.cli.codes import FAILED, GOOD
from quantgate.errors import ConfigurationError


def add_history(commands: Any) -> None:
    parser = commands.add_parser(
        "history",
        help="every suite, night by night: what drifted, since when, and what moved there",
        description="Read what `quantgate nightly` wrote beside the baselines: drifts by the suites' own rule, and where they began.",
    )
    parser.add_argument("baselines", metavar="BASELINES", help="approved measurements, of which the first folder has the history")
    parser.add_argument("--family", metavar="NAMES", help="names with commas between them; all without it")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.set_defaults(run=_history)


def _history(options: argparse.Namespace) -> int:
    from quantgate.baselines import folder_of
    from quantgate.history import files, read
    from quantgate.report import history_told, show_history

    names = None if options.family in (None, "all") else [name.strip() for name in options.family.split(",")]
    if (folder := folder_of(options.baselines)) is None:
        raise ConfigurationError(f"{options.baselines} is no folder: a history is kept in one, not in a store; name that")
    if not (there := files(folder, names)):
        of = f" of {options.family}" if names else ""
        raise ConfigurationError(f"{folder} has no history{of} yet (history.jsonl); `quantgate nightly` writes it")
    reads = [read(file) for file in there]
    for told in (sentence for one in reads for sentence in one.told):
        print(f"quantgate history: {told}", file=sys.stderr)
    found = history_told(line for one in reads for line in one.lines)
    if options.json:
        print(msgspec.json.encode({"series": found}).decode())
    else:
        show_history(found)
    return FAILED if any(one.has_drifted for one in found) else GOOD
