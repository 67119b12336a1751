"""`quantgate init DIR CHECKPOINT …`: a project of one's own in one command."""

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec

from quantgate.cli.codes import GOOD


def add_init(commands: Any) -> None:
    parser = commands.add_parser(
        "init",
        help="a folder of one's own: models.toml for the checkpoints named, pytest.ini, a CI workflow, .gitignore, .gitattributes",
        description="Look at checkpoints and write a folder to gate them from; pytest is started in it, and models, baselines and "
        "records are its own.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument(
        "checkpoints", nargs="+", metavar="CHECKPOINT", help="the BF16 original and what was made of it: folders or hub ids"
    )
    parser.add_argument("--family", metavar="NAME", help="of the family; default: by the original's folder")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.set_defaults(run=_init)


def _init(options: argparse.Namespace) -> int:
    from quantgate.cli.new_project import make_project

    made = make_project(options.folder, options.checkpoints, options.family)
    if options.json:
        print(msgspec.json.encode(made).decode())
        return GOOD
    for one in made.checkpoints:
        print(f"{made.family}/{one.name}: {one.formats}, {one.path}")
    for file in made.written:
        print(f"wrote {file}")
    for file in made.kept:
        print(f"kept {file}, which was there: quantgate's is in {Path(__file__).parent / 'project'}")
    pytest, others = Path(sys.executable).parent / "pytest", [one.precision for one in made.checkpoints if one.precision != "bf16"]
    print(f"\nnext:\n  cd {made.folder}")
    if made.has_reference:
        print(f"  {pytest} -m bf16 --snapshot-update     # measures BF16 and stores it below baselines/: commit that")
    else:
        print("  # no BF16 original was named: add it to models.toml, and approve it with pytest -m bf16 --snapshot-update")
    if others:
        wanted = " or ".join(dict.fromkeys(others))
        print(f"  {pytest} -m {wanted if len(set(others)) == 1 else repr(wanted)}")
    return GOOD
