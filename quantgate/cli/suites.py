"""`quantgate suites [NAME]`: what there is to ask; of one suite how much that is, and what it can decide."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from quantgate.cli.codes import FAILED, GOOD
from quantgate.errors import ConfigurationError, nearest

if TYPE_CHECKING:
    from quantgate.suites import Suite

BESIDE = Path("models.toml")


def add_suites(commands: Any) -> None:
    parser = commands.add_parser(
        "suites",
        help="what there is to ask of a model; of one suite its items, tokens, clusters, fingerprint, and what it can decide",
        description="List the suites, or count one of them: with a tokenizer its tokens too, as a server of that model would be asked.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME")
    parser.add_argument("--tokenizer", type=Path, metavar="DIR", help="the checkpoint's folder, or one that holds its tokenizer.json")
    parser.add_argument("--max-model-len", type=int, metavar="N", help="of the server, where a suite's texts are cut by it")
    parser.add_argument("--models", type=Path, metavar="FILE", help="whose own suites count too (models.toml, where it is there)")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="data sets from local files")
    parser.add_argument("--verify", action="store_true", help="run a code suite's own solutions in the sandbox, and count what passes")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.set_defaults(run=_suites)


def _suites(options: argparse.Namespace) -> int:
    from quantgate import registry
    from quantgate.report import described, every_suite, show_described, show_suites
    from quantgate.suites import SUITES, catalogue

    if options.max_model_len is not None and options.max_model_len < 1:
        raise ConfigurationError(f"--max-model-len={options.max_model_len}: give tokens, 1 or more")
    models = options.models or (BESIDE if BESIDE.is_file() else None)
    known = SUITES if models is None else catalogue(registry.load(models).suite, models)
    if options.name is None:
        found = every_suite(known)
        if options.json:
            print(msgspec.json.encode(found).decode())
        else:
            show_suites(found)
        return GOOD
    if options.name not in known:
        raise ConfigurationError(f"there is no suite {options.name}{nearest(options.name, known)}; there are {', '.join(known)}")
    if options.verify:
        return _verify(known[options.name][1](options.data_dir), as_json=options.json)
    one = described(known[options.name][1](options.data_dir), options.tokenizer, options.max_model_len)
    if options.json:
        print(msgspec.json.encode(one).decode())
    else:
        show_described(one)
    return GOOD


def _verify(suite: "Suite", *, as_json: bool) -> int:
    from quantgate.sandbox import verify_humaneval, verify_mbpp
    from quantgate.suites import CodeSuite

    if not isinstance(suite, CodeSuite):
        raise ConfigurationError(f"--verify runs the solutions of a code suite, and {suite.name} is none")
    verify, key = (verify_humaneval, "canonical_solution") if suite.shape == "humaneval" else (verify_mbpp, "code")
    solved = [task.row for task in suite.tasks if task.row.get(key)]
    if not solved:
        raise ConfigurationError(f"--verify runs the solutions of a code suite, and no task of {suite.name} has a {key}")
    counts, without = verify(solved), len(suite.tasks) - len(solved)
    if as_json:
        print(msgspec.json.encode({"name": suite.name, **counts, **({"without_solution": without} if without else {})}).decode())
    else:
        told = [f"{count} {name}" for name, count in counts.items()] + [f"{without} without a solution"] * bool(without)
        print(f"{suite.name}: " + ", ".join(told))
    return GOOD if counts["passed"] == len(solved) else FAILED
