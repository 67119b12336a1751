"""`quantgate nightly`: the night's run of a project, from the checkpoints' files to the page.

Exit codes are pytest's: 0 green, 1 a verdict or a test failed, 2 interrupted or stopped at the deadline, 3 a part broke down, 4 something
was asked for that is not there, 5 nothing was measured.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec

from quantgate.errors import ConfigurationError

USAGE = 4


def add_nightly(commands: Any) -> None:
    parser = commands.add_parser(
        "nightly",
        help="the night's run: structure, accuracy, speed, report, history; within a deadline, with one exit code",
        description="Run pytest phase by phase and family by family in this folder, keep the history beside the baselines, write the "
        "report. Options behind -- go to pytest: quantgate nightly --gpu=0,1 --hours=8 -- --must-run --stop-early",
    )
    parser.add_argument(
        "--gpu", default="auto", metavar="DEVICES", help="as for pytest: 0,1 is two slots, side by side for accuracy (auto)"
    )
    parser.add_argument("--tp", type=int, metavar="N", help="devices a slot, whatever models.toml says")
    parser.add_argument("--family", metavar="NAMES", help="as for pytest: names with commas between them, or all")
    parser.add_argument("--shard", metavar="I/N", help="this part of the matrix, cut by family: 2/6, auto, auto/6, as for pytest")
    parser.add_argument("--hours", type=float, metavar="H", help="end within so many: what decides least a second is dropped, and named")
    parser.add_argument("--models", type=Path, default=Path("models.toml"), metavar="FILE", help="families and checkpoints (models.toml)")
    parser.add_argument(
        "--baselines",
        default="baselines",
        metavar="DIR|URL[,…]",
        help="approved measurements; the history is in the first folder (baselines)",
    )
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="data sets from local files")
    parser.add_argument("--records", type=Path, metavar="DIR", help="measurements and logs (.quantgate/nights/<run>)")
    parser.add_argument("--report", type=Path, metavar="DIR", help="the page (report/ in the records)")
    parser.add_argument(
        "--inconclusive", choices=("pass", "warn", "fail"), default="warn", help="what an inconclusive verdict does to the exit code (warn)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output; pytest's goes to standard error")
    parser.set_defaults(run=_nightly, could_not=USAGE)


def _nightly(options: argparse.Namespace) -> int:
    from quantgate.baselines import absolute
    from quantgate.nightly import Asked, run_night, told

    project = Path.cwd()
    if not any((project / name).is_file() for name in ("conftest.py", "pytest.ini")):
        raise ConfigurationError(f"{project} has no conftest.py or pytest.ini: go to quantgate's checkout, or run `quantgate init` here")
    asked = Asked(
        project=project,
        models=options.models.absolute(),
        baselines=absolute(options.baselines),
        families=options.family,
        gpu=options.gpu,
        tp=options.tp,
        data_dir=options.data_dir.absolute() if options.data_dir else None,
        records=options.records.absolute() if options.records else None,
        report=options.report.absolute() if options.report else None,
        hours=options.hours,
        shard=options.shard,
        inconclusive=options.inconclusive,
        more=tuple(options.behind),
        output=sys.stderr.fileno() if options.json else None,
    )
    night = run_night(asked, lambda line: print(f"quantgate nightly: {line}", file=sys.stderr, flush=True))
    for line in (part for one in told(night) for part in one.splitlines()):
        print(f"quantgate nightly: {line}", file=sys.stderr if options.json else sys.stdout)
    if options.json:
        print(msgspec.json.encode(night).decode())
    return night.exit_code
