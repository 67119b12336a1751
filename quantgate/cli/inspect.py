"""`quantgate inspect CHECKPOINT [--against BASE] [--tp N] [--engine] [--json]`.

Exit 0: nothing wrong; 1: a finding of severity error; 2: could not run. With --json exactly one JSON document on standard output.
"""

import argparse
from pathlib import Path
from typing import Any

import msgspec

from quantgate.cli.codes import FAILED, GOOD
from quantgate.errors import ConfigurationError

ENGINE_SECONDS = 300.0


def add_inspect(commands: Any) -> None:
    """The command's options, on the subparsers of `quantgate`."""
    parser = commands.add_parser(
        "inspect",
        help="is a checkpoint what it claims to be: structure, scales, fidelity to its original, companions, size",
        description="Look at a checkpoint's files, without an engine and without a GPU: are all promised tensors there, are "
        "scales plausible, does every linear decode to what the BF16 original holds, did tokenizer and configuration stay the same. "
        "With --engine vLLM's own loader reads them too, on the CPU and without a server.",
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a folder, or a hub id (org/name)")
    parser.add_argument("--against", metavar="BASE", help="the BF16 original, a folder or a hub id; most damage is only seen with it")
    parser.add_argument("--revision", metavar="REV", help="of CHECKPOINT, where it is a hub id")
    parser.add_argument("--tp", type=int, metavar="N", help="over how many devices it is to be served: do blocks and groups divide?")
    parser.add_argument("--engine", action="store_true", help="ask vLLM's own loader too: what it refuses, what it leaves unwritten")
    parser.add_argument("--engine-python", type=Path, metavar="PATH", help="the Python whose vLLM is asked, for another version of it")
    parser.add_argument(
        "--engine-limit", type=float, default=ENGINE_SECONDS, metavar="SECONDS", help="end the engine's process after so long (%(default)g)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.set_defaults(run=_inspect)


def _inspect(options: argparse.Namespace) -> int:
    from quantgate.checkpoint import Engine, inspect_checkpoint, with_engine
    from quantgate.registry import locate

    if options.tp is not None and options.tp < 1:
        raise ConfigurationError(f"--tp={options.tp}: give the number of devices, 1 or more")
    if not options.engine_limit > 0:
        raise ConfigurationError(f"--engine-limit={options.engine_limit:g}: give seconds above 0")
    folder = locate(options.checkpoint, options.revision)
    report = inspect_checkpoint(folder, locate(options.against) if options.against else None, options.tp)
    if options.engine or options.engine_python is not None:
        with Engine(options.engine_python, options.engine_limit) as engine:
            report = with_engine(report, engine.ask(folder))
    if options.json:
        print(msgspec.json.encode(report).decode())
    else:
        from rich.console import Console

        from quantgate.checkpoint import show_report

        show_report(report, Console())
    return FAILED if report.verdict == "fail" else GOOD
