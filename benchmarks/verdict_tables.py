"""The tables of docs/verdicts.md: `python -m benchmarks.verdict_tables [--text]`."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from quantgate.baselines import BaselineFolder
from quantgate.judgement import coverage_table, decision_table, extension_table, judge_answers, proven_table, text_table
from quantgate.records import Answers

ROOT = Path(__file__).resolve().parents[1]
SCHEMES = {"fp8": "FP8 dynamic", "nvfp4": "NVFP4"}
NO_SERVER = "Transformers, ten times the items"


def discordance_table() -> str:
    """Per cent of answers that the reference family's checkpoints changed against BF16, by scheme and kernel, in Markdown: from the
    approved measurements, and from what `mutation/truth.json` was measured on."""
    approved, lines = BaselineFolder(ROOT / "baselines"), []
    truth = json.loads((ROOT / "mutation" / "truth.json").read_text(encoding="utf-8"))
    for name, scheme in SCHEMES.items():
        for device_class in approved.device_classes():
            base, own = (approved.load(device_class, "reference", one, "reference-questions") for one in ("bf16", name))
            if isinstance(base, Answers) and isinstance(own, Answers):
                judged = judge_answers(own, base, accuracy_points=4.0)
                assert judged.discordant is not None
                assert judged.discordance is not None
                counts = f"{judged.discordant.regressed} / {judged.discordant.improved}"
                where = f"{device_class}, {', '.join(own.provenance.kernels)}"
                lines.append((scheme, where, f"{judged.n:,}", counts, f"{100 * judged.discordance:.1f}"))
        true = truth["checkpoints"][name]
        n, d, drop = truth["questions"], true["discordance"], true["accuracy_drop_points"] / 100
        counts = f"{round(n * (d + drop) / 2)} / {round(n * (d - drop) / 2)}"
        lines.append((scheme, NO_SERVER, f"{n:,}", counts, f"{100 * d:.1f}"))
    head = ("scheme", "where", "n", "regressed / improved", "d, %")
    rows = (head, ("---", "---", "---:", "---:", "---:"), *lines)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdict_tables", description="The tables of docs/verdicts.md.")
    parser.add_argument("--text", action="store_true", help="simulate the bootstrap for texts, too (a minute)")
    asked = parser.parse_args(arguments)
    tables = [
        coverage_table,
        decision_table,
        proven_table,
        extension_table,
        discordance_table,
        *([text_table] if asked.text else []),
    ]
    print(*(table() for table in tables), sep="\n", end="")


if __name__ == "__main__":
    main()
