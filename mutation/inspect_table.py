"""What `inspect` sees of the catalogue of damaged checkpoints; `python -m mutation.inspect_table` writes it into docs/inspect.md.

Every mutant is made, inspected alone and against the BF16 original, and thrown away. Exit 1 where a harmless one has an
error or a warning.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mutation.catalogue import CATALOGUE
from mutation.mutant import REFERENCE, Mutant, make
from quantgate.checkpoint import Finding, inspect_checkpoint

PAGE = Path(__file__).parents[1] / "docs" / "inspect.md"
BEGIN, END = "<!-- mutants: python -m mutation.inspect_table -->", "<!-- end of mutants -->"


class Row(NamedTuple):
    """Errors and warnings, without a base and with it; notes do not count as seen."""

    mutant: Mutant
    alone: list[Finding]
    against: list[Finding]


def rows(mutants: Sequence[Mutant] = CATALOGUE) -> Iterator[Row]:
    for mutant in mutants:
        with tempfile.TemporaryDirectory() as scratch:
            folder = make(mutant, Path(scratch))
            found = [inspect_checkpoint(folder, base).findings for base in (None, REFERENCE / "bf16")]
        alone, against = ([one for one in each if one.severity != "note"] for each in found)
        yield Row(mutant, alone, against)


def table(found: Sequence[Row]) -> str:
    """Markdown: damaged ones by what sees them, then what nothing sees, then the harmless ones."""
    damaged = [row for row in found if row.mutant.kind != "harmless"]
    harmless = [row for row in found if row.mutant.kind == "harmless"]
    seen, unseen = [row for row in damaged if row.against], [row for row in damaged if not row.against]
    errors = sum(any(one.severity == "error" for one in row.against) for row in damaged)
    alone = sum(bool(row.alone) for row in damaged)
    alarms = [row for row in harmless if row.against or row.alone]
    lines = [
        f"{len(damaged)} damaged checkpoints: {len(seen)} seen against the base ({errors} as errors), {alone} "
        f"without one, {len(unseen)} not seen. {len(harmless)} harmless changes, false alarms: {len(alarms)}.",
        "",
        "| mutant | without a base | against the base |",
        "| --- | --- | --- |",
        *(f"| {row.mutant.name}: {row.mutant.summary} | {_cell(row.alone)} | {_cell(row.against)} |" for row in seen),
        "",
        "Not seen, with the base or without:",
        "",
        *([f"- {row.mutant.name}: {row.mutant.summary}" for row in unseen] or ["- none"]),
        "",
        "Harmless, and without errors and warnings: " + ", ".join(row.mutant.name for row in harmless if row not in alarms) + ".",
    ]
    return "\n".join(lines)


def _cell(findings: Sequence[Finding]) -> str:
    return ", ".join(f"{one.check}{'' if one.severity == 'error' else ' (warning)'}" for one in findings) or "-"


def main() -> int:
    found = list(rows())
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{table(found)}\n{END}{after}", encoding="utf-8")
    alarms = [row.mutant.name for row in found if row.mutant.kind == "harmless" and (row.alone or row.against)]
    print(f"{PAGE}: {len(found)} mutants; false alarms: {', '.join(alarms) or 'none'}")
    return 1 if alarms else 0


if __name__ == "__main__":
    sys.exit(main())
