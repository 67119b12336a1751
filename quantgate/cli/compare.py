"""`quantgate compare BASELINE CANDIDATE`: for people who already have results."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from quantgate.cli.codes import COULD_NOT, FAILED, GOOD

if TYPE_CHECKING:
    from quantgate.records import Verdict


def add_compare(commands: Any) -> None:
    parser = commands.add_parser(
        "compare",
        help="judge one measurement against another, or two folders of them suite by suite",
        description="Judge records (a file, or a checkpoint's folder of them) against a baseline; tolerances from "
        "models.toml by the candidate's precision, else as stated here.",
    )
    parser.add_argument("baseline", type=Path, metavar="BASELINE")
    parser.add_argument("candidate", type=Path, metavar="CANDIDATE")
    parser.add_argument("--models", type=Path, metavar="FILE", help="take tolerances from here (models.toml, where it is there)")
    parser.add_argument("--accuracy-points", type=float, metavar="X", help="largest drop of accuracy accepted, in points (2.0)")
    parser.add_argument("--perplexity-ratio", type=float, metavar="X", help="largest ratio of perplexity accepted (1.05)")
    parser.add_argument("--decode-tps-ratio", type=float, metavar="X", help="smallest ratio of decode_tps accepted (0.95)")
    parser.add_argument(
        "--inconclusive",
        choices=("pass", "warn", "fail"),
        default="warn",
        help="whether an inconclusive verdict is exit code 1 (warn: no)",
    )
    parser.add_argument("--unpaired", action="store_true", help="other items on either side: compare accuracies alone")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> int:
    from quantgate import registry
    from quantgate.judgement import compare

    beside = Path("models.toml")
    models = options.models or (beside if beside.is_file() else None)
    loaded = registry.load(models) if models else None
    stated = registry.Tolerance(
        accuracy_points=options.accuracy_points, perplexity_ratio=options.perplexity_ratio, decode_tps_ratio=options.decode_tps_ratio
    )
    verdicts = compare(options.baseline, options.candidate, stated, loaded, unpaired=options.unpaired)
    words = {judged.verdict for judged in verdicts}
    worst = next(word for word in ("fail", "error", "inconclusive", "pass") if word in words)
    if options.json:
        print(msgspec.json.encode({"verdict": worst, "verdicts": verdicts}).decode())
    else:
        _print(verdicts)
    if "fail" in words or ("inconclusive" in words and options.inconclusive == "fail"):
        return FAILED
    return COULD_NOT if "error" in words else GOOD


def _print(verdicts: Sequence["Verdict"]) -> None:
    from rich.console import Console

    from quantgate.judgement import sentence

    colours = {"pass": "green", "inconclusive": "yellow", "fail": "red", "error": "red"}
    console = Console(highlight=False)
    for judged in verdicts:
        # A terminal breaks lines between words; a file has a verdict a line.
        console.print(sentence(judged), style=colours[judged.verdict], markup=False, soft_wrap=not console.is_terminal)
