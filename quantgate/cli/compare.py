"""`quantgate compare BASELINE CANDIDATE`: for people who already have results, in our records or in another harness's files."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from quantgate.cli.codes import COULD_NOT, FAILED, GOOD
from quantgate.errors import ConfigurationError

if TYPE_CHECKING:
    from quantgate.records import Verdict
    from quantgate.registry import Registry, Tolerance

T = TypeVar("T")


def add_compare(commands: Any) -> None:
    parser = commands.add_parser(
        "compare",
        help="judge one measurement against another, or two folders of them suite by suite",
        description="Judge records (a file, or a checkpoint's folder of them) against a baseline; tolerances from "
        "models.toml by the candidate's precision, else as stated here. Results of other harnesses (docs/adopt.md) are taken as they lie.",
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
    parser.add_argument("--unanswered", type=float, metavar="X", help="largest share of answers that may be none (0.05)")
    parser.add_argument("--unpaired", action="store_true", help="other items on either side: compare accuracies alone")
    others = parser.add_argument_group("results of other harnesses", "of names with commas between them, the first that is there counts")
    others.add_argument("--filter", default="", metavar="NAME", help="lm-eval's filter that counts (strict-match, flexible-extract)")
    others.add_argument("--metric", default="", metavar="NAME", help="the metric, or Inspect's scorer, that counts")
    others.add_argument("--model", action="append", default=[], metavar="NAME", help="the model that counts; twice: one a side")
    others.add_argument(
        "--columns",
        action="append",
        default=[],
        metavar="FIELD=COLUMN,…",
        help="what is what in JSON lines or CSV (id, question, correct, score, answer, group, cluster, …); twice: one a side",
    )
    others.add_argument("--suite", default="", metavar="NAME", help="all tasks of a folder are one suite of this name, each a group")
    others.add_argument(
        "--mean",
        choices=("question", "category"),
        default="question",
        help="which of LiveBench's two means is judged: over questions (question), or its own, over categories of their tasks",
    )
    others.add_argument("--common", action="store_true", help="compare the items that both sides have; the line counts those left out")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> int:
    from quantgate import registry

    beside = Path("models.toml")
    models = options.models or (beside if beside.is_file() else None)
    loaded = registry.load(models) if models else None
    stated = registry.Tolerance(
        accuracy_points=options.accuracy_points,
        perplexity_ratio=options.perplexity_ratio,
        decode_tps_ratio=options.decode_tps_ratio,
        unanswered=options.unanswered,
    )
    verdicts = _judged(options, stated, loaded)
    words = {judged.verdict for judged in verdicts}
    worst = next(word for word in ("fail", "error", "inconclusive", "pass") if word in words)
    if options.json:
        print(msgspec.json.encode({"verdict": worst, "verdicts": verdicts}).decode())
    else:
        _print(verdicts)
    if "fail" in words or ("inconclusive" in words and options.inconclusive == "fail"):
        return FAILED
    return COULD_NOT if "error" in words else GOOD


def _a_side(given: list[T], option: str) -> list[T] | list[None]:
    """What is given once counts for both sides."""
    if len(given) > 2:
        raise ConfigurationError(f"{option} stands there {len(given)} times; give it once for both sides, or twice, the baseline's first")
    return [given[0], given[-1]] if given else [None, None]


def _judged(options: argparse.Namespace, stated: "Tolerance", loaded: "Registry | None") -> list["Verdict"]:
    from quantgate.judgement import Compared, compare, judge_pairs
    from quantgate.measure.adopt import Choice, columns_of, pairs

    columns, models = _a_side([columns_of(one) for one in options.columns], "--columns"), _a_side(options.model, "--model")
    choices = [
        Choice(
            filter=options.filter, metric=options.metric, suite=options.suite, model=model or "", columns=column or (), mean=options.mean
        )
        for column, model in zip(columns, models, strict=True)
    ]
    found = pairs((options.baseline, options.candidate), choices, common=options.common, paired=not options.unpaired)
    if found is None:
        return compare(options.baseline, options.candidate, stated, loaded, unpaired=options.unpaired)
    return judge_pairs([Compared(*one) for one in found], stated, loaded, unpaired=options.unpaired)


def _print(verdicts: Sequence["Verdict"]) -> None:
    from rich.console import Console

    from quantgate.judgement import sentence

    colours = {"pass": "green", "inconclusive": "yellow", "fail": "red", "error": "red"}
    console = Console(highlight=False)
    for judged in verdicts:
        # A terminal breaks lines between words; a file has a verdict a line.
        console.print(sentence(judged), style=colours[judged.verdict], markup=False, soft_wrap=not console.is_terminal)
