"""`quantgate bisect -- pytest …`: one step of `git bisect run`. Exit 0 good, 1 bad, 125 cannot tell, 128 and above: git stops."""

import argparse
import sys
from typing import Any

from quantgate.errors import ConfigurationError

STOP = 128
INTERRUPTED = 130


def add_bisect(commands: Any) -> None:
    parser = commands.add_parser(
        "bisect",
        help="a pytest run as a step of `git bisect run`: 0 good, 1 bad, 125 cannot tell",
        description="Run the command behind --, in which pytest runs once. A verdict of fail is bad (1); passes alone are good (0); a "
        "server that does not boot, an error, or data that do not decide is neither (125).",
    )
    parser.add_argument("--first", metavar="LINE", help="for the shell, before it: what makes the commit's environment; if it fails, 125")
    parser.set_defaults(run=_bisect, could_not=STOP)


def _bisect(options: argparse.Namespace) -> int:
    from quantgate.nightly import bisect_step

    if not options.behind:
        raise ConfigurationError("there is no command; give it behind --, as in: quantgate bisect -- pytest -m nvfp4 --gpu=0")
    try:
        return bisect_step(options.behind, options.first, lambda line: print(f"quantgate bisect: {line}", file=sys.stderr))
    except KeyboardInterrupt:
        return INTERRUPTED
