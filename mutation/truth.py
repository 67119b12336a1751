"""The true loss of every mutant: `python -m mutation.truth --out truth.json`.

Each mutant is made in a temporary folder and measured without a server on a sample ten times the suites' size
(`--small`: a few documents and questions, for a CPU). The file is written anew after each, so that what is done
stays when the rest is cut off. A few minutes on one NVIDIA H200.

Per checkpoint: `perplexity_ratio` and `accuracy_drop_points` against BF16 (positive is worse), `discordance` (share of
questions that only one of the two answers right), and `multiple`: the larger of ln ratio / ln tolerated ratio and
points / tolerated points. From 1 on a checkpoint is `harmful`. One whose losses are no numbers, or of which no model
can be made, is `void`: harmful, its multiple infinite and written as null.
"""

import argparse
import json
import math
import tempfile
import time
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from mutation import sample
from mutation.catalogue import CATALOGUE
from mutation.loss import Loss, loss_of
from mutation.mutant import REFERENCE, Mutant, make
from quantgate import fingerprint
from quantgate.suites.reference.questions import Question

MODELS = Path(__file__).parents[1] / "models.toml"
FAMILY = "reference"
SOURCES = ("bf16", "fp8", "nvfp4")


def tolerances() -> dict[str, dict[str, float]]:
    """Precision → what the reference family's owner accepts, `perplexity_ratio` and `accuracy_points`."""
    raw = tomllib.loads(MODELS.read_text(encoding="utf-8"))
    own = next(family for family in raw["family"] if family["name"] == FAMILY).get("tolerance", {})
    return {precision: {**raw["tolerance"][precision], **own.get(precision, {})} for precision in SOURCES}


def against(base: Loss, measured: Loss, tolerance: dict[str, float]) -> dict[str, Any]:
    """What `measured` loses against `base`, with standard errors over documents and questions; both saw the same sample."""
    if measured.is_void:
        return {"void": True, "harmful": True, "multiple": None}
    ln_ratio = measured.nll_per_token - base.nll_per_token
    differences = np.subtract(measured.nll_per_document, base.nll_per_document)
    drops = np.subtract(base.correct, measured.correct, dtype=float)
    points = 100 * float(drops.mean())
    of_text = ln_ratio / math.log(tolerance["perplexity_ratio"])
    of_answers = points / tolerance["accuracy_points"]
    multiple = max(of_text, of_answers)
    return {
        "void": False,
        "harmful": multiple >= 1,
        "multiple": multiple,
        "multiple_of_text": of_text,
        "multiple_of_answers": of_answers,
        "perplexity_ratio": math.exp(ln_ratio),
        "ln_ratio_standard_error": float(differences.std(ddof=1)) * math.sqrt(len(differences)) / sum(base.tokens_per_document),
        "accuracy_drop_points": points,
        "points_standard_error": 100 * float(drops.std(ddof=1)) / math.sqrt(len(drops)),
        "discordance": float(np.abs(drops).mean()),
    }


def measure_all(mutants: Iterable[Mutant], out: Path, documents: list[str], asked: list[Question]) -> None:
    """Measure the three checkpoints and then the mutants; `out` is complete after each."""
    tolerance = tolerances()
    found: dict[str, Any] = {
        "documents": len(documents),
        "questions": len(asked),
        "distinct_questions": len({question.prompt for question in asked}),
        "tolerances": tolerance,
        "checkpoints": {},
    }

    def record(name: str, kind: str, precision: str, folder: Path, measured: Loss, began: float) -> None:
        row = {"source": precision, "kind": kind, "checkpoint_fingerprint": fingerprint.of_checkpoint(folder)}
        row |= against(base, measured, tolerance[precision])
        found["checkpoints"][name] = row
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        multiple = "void" if row["void"] else f"{row['multiple']:.2f} times the tolerance"
        print(f"{name}: {multiple}, {time.monotonic() - began:.1f} s", flush=True)

    began = time.monotonic()
    base = loss_of(REFERENCE / "bf16", documents, asked)
    found["tokens"] = sum(base.tokens_per_document)
    found["perplexity"] = math.exp(base.nll_per_token)
    found["accuracy"] = sum(base.correct) / len(base.correct)
    record("bf16", "unharmed", "bf16", REFERENCE / "bf16", base, began)
    for precision in SOURCES[1:]:
        began = time.monotonic()
        record(precision, "unharmed", precision, REFERENCE / precision, loss_of(REFERENCE / precision, documents, asked), began)
    for mutant in mutants:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as scratch:
            folder = make(mutant, Path(scratch))
            record(mutant.name, mutant.kind, mutant.source, folder, loss_of(folder, documents, asked), began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="mutants to measure; all but the harmless ones unless named")
    parser.add_argument("--out", type=Path, default=Path("truth.json"), metavar="FILE")
    parser.add_argument("--small", action="store_true", help=f"{sample.SMALL_DOCUMENTS} documents and {sample.SMALL_QUESTIONS} questions")
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.names) - {mutant.name for mutant in CATALOGUE})
    if unknown:
        parser.error(f"{', '.join(unknown)}: no such mutant; the catalogue has {', '.join(mutant.name for mutant in CATALOGUE)}")
    mutants = [mutant for mutant in CATALOGUE if mutant.name in chosen.names or (not chosen.names and mutant.kind != "harmless")]
    documents = sample.documents(sample.SMALL_DOCUMENTS if chosen.small else sample.DOCUMENTS)
    asked = sample.asked(sample.SMALL_QUESTIONS if chosen.small else sample.QUESTIONS)
    measure_all(mutants, chosen.out, documents, asked)


if __name__ == "__main__":
    main()
