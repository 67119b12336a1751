"""`quantgate quantize MODEL --scheme S -o DIR`: its options, and what it says at the end.

Exit 0: made, and nothing wrong with it; 1: made, and the structural check found an error; 2: could not be made; 130 (Ctrl-C) and 128 + the
signal's number: interrupted. Nothing but a whole checkpoint is ever left in DIR.
"""

import argparse
import json
import re
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quantgate.cli.codes import FAILED, GOOD
from quantgate.registry import PRECISIONS, REFERENCE_PRECISION

if TYPE_CHECKING:
    from quantgate.quantize import Asked, Made, Tools


def add_quantize(commands: Any) -> None:
    """The command's options, on the subparsers of `quantgate`."""
    parser = commands.add_parser(
        "quantize",
        help="make a quantized checkpoint of a model with llm-compressor",
        description="Quantize a model with llm-compressor, in an environment of its own that is made at first use, and look at what "
        "was made as `quantgate inspect` does. DIR gets a whole checkpoint or nothing.",
    )
    parser.add_argument("model", metavar="MODEL", help="the BF16 original: a folder, or a hub id (org/name)")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--scheme", metavar="S", help="NVFP4, NVFP4A16, FP8_DYNAMIC, FP8_BLOCK, W8A8 or W4A16")
    how.add_argument("--recipe", type=Path, metavar="FILE", help="a recipe of your own, in llm-compressor's YAML")
    parser.add_argument("--revision", metavar="REV", help="of MODEL, where it is a hub id")
    parser.add_argument("--calibrate", metavar="DATASET", help="ultrachat, reference, a hub id, or a folder in --data-dir")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="take data from here (*.jsonl, *.parquet), not from the hub")
    parser.add_argument("--samples", type=int, default=512, metavar="N", help="texts to calibrate on (512)")
    parser.add_argument("--max-length", type=int, default=2048, metavar="L", help="tokens of a text at most (2048)")
    parser.add_argument("--repair-input-scales", action="store_true", help="NVFP4 without calibration: input scales by a rule")
    parser.add_argument("--rotate", action="store_true", help="SpinQuant's R1 and R2 first, folded into the weights")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the choice of texts and of llm-compressor (0)")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="the checkpoint's folder, which must not exist")
    parser.set_defaults(run=_quantize)


def _quantize(options: argparse.Namespace) -> int:
    from quantgate import folders

    folders.set_caches()
    from quantgate.quantize import Asked

    return quantize(Asked(**{name: getattr(options, name) for name in Asked._fields}), as_json=options.json)


def quantize(asked: "Asked", tools: "Tools | None" = None, *, as_json: bool = False) -> int:
    """The exit code. Raises what `make` raises."""
    from quantgate.programs import WHO, Progress, StoppedError, stoppable
    from quantgate.quantize import make

    try:
        with stoppable():
            made = make(asked, Progress(), tools)
    except (KeyboardInterrupt, StoppedError) as stopped:
        number = stopped.number if isinstance(stopped, StoppedError) else signal.SIGINT
        print(f"{WHO}: interrupted ({signal.Signals(number).name}); nothing was made in {asked.output}", file=sys.stderr)
        return 128 + int(number)
    if as_json:
        import msgspec

        print(msgspec.json.encode(made).decode())
    else:
        _show(made, asked.model)
    return FAILED if made.inspection.verdict == "fail" else GOOD


def _show(made: "Made", model: str) -> None:
    from rich.console import Console

    from quantgate.checkpoint import show_report

    told, folder = made.manifest, shlex.quote(made.output)
    show_report(made.inspection, Console())
    ratio = told.gib_before / told.gib_after if told.gib_after else 0.0
    sizes = f"{told.gib_before:.3g} GiB before, {told.gib_after:.3g} GiB after ({ratio:.2f} times smaller)"
    print(f"\n{made.output}: {sizes}, {told.seconds:.0f} s\n{told}\n")
    print(f"Next:\n  quantgate inspect {folder} --against {shlex.quote(model)}\n")
    print(f"  pytest --models=FILE --data-dir=DIR, with this in FILE:\n\n{family_stanza(made)}")


def family_stanza(made: "Made") -> str:
    """TOML that the registry reads. The suite is one that says something about every model; which ones count is the user's choice."""
    base = made.manifest.base
    name = _name(made.output)
    if name in (REFERENCE_PRECISION, "all"):
        name += f"-{_precision(made)}"  # taken: the base's own, and the word for every family
    return (
        f'[[family]]\nname = "{_name(base.name)}"\nsuites = ["wikitext2-50"]\n\n'
        f'[[family.checkpoint]]\nname = "bf16"\nprecision = "bf16"\npath = {_quoted(base.name)}\n'
        + (f"revision = {_quoted(base.revision)}\n" if base.revision else "")
        + f'\n[[family.checkpoint]]\nname = "{name}"\nprecision = "{_precision(made)}"\npath = {_quoted(made.output)}\n'
    )


def _precision(made: "Made") -> str:
    """The scheme's; of a recipe of the user's own, that of the first format found in the checkpoint."""
    label = (made.precision or next(iter(made.inspection.formats), "")).lower()
    return next((known for known in PRECISIONS if label.startswith(known)), "FILL IN")


def _name(path: str) -> str:
    """The last part, in the characters that a name may have."""
    return re.sub(r"[^\w.+-]", "-", Path(path).name).lstrip(".+-") or "model"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a JSON string is a TOML string, too
