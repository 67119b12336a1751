"""`quantgate devices`: what `--gpu` can name."""

import argparse
from typing import Any

from quantgate.cli.codes import COULD_NOT, GOOD
from quantgate.devices import show_devices


def add_devices(commands: Any) -> None:
    parser = commands.add_parser(
        "devices",
        help="what --gpu can name: GPUs, MIG instances, the CPU",
        description="The devices of this machine, in the order that --gpu counts them (within CUDA_VISIBLE_DEVICES).",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.set_defaults(run=_devices)


def _devices(options: argparse.Namespace) -> int:
    return GOOD if show_devices(as_json=options.json) else COULD_NOT
