"""The tables of docs/verdicts.md: `python -m benchmarks.verdict_tables [--text]`."""

import argparse
from collections.abc import Sequence

from quantgate.judgement import coverage_table, decision_table, text_table


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdict_tables", description="The tables of docs/verdicts.md.")
    parser.add_argument("--text", action="store_true", help="simulate the bootstrap for texts, too (a minute)")
    asked = parser.parse_args(arguments)
    print(coverage_table(), decision_table(), *([text_table()] if asked.text else []), sep="\n", end="")


if __name__ == "__main__":
    main()
