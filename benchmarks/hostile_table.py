"""Print the table of docs/code.md: what hostile programs tried, and what they got on this machine. `python -m benchmarks.hostile_table`."""

from quantgate.sandbox import Ran, run_program
from tests_fixtures.sandbox.hostile import PROGRAMS
from tests_fixtures.sandbox.outside import Outside


def main() -> None:
    print("| program | what it tried | outcome | exit | its last word | left on the machine |\n|---|---|---|---:|---|---|")
    for hostile in PROGRAMS:
        with Outside() as machine:
            ran = run_program(machine.filled_in(hostile.program), hostile.limits)
            left = ", ".join(machine.touched()) or "nothing"
        print(f"| {hostile.name} | {hostile.tries} | {ran.outcome} | {ran.exit_code} | {_last_word(ran)} | {left} |")


def _last_word(ran: Ran) -> str:
    lines = [line for line in ran.output_tail.splitlines() if line.strip()]
    word = lines[-1].replace("|", "/") if lines else ""
    return f"`{word if len(word) <= 100 else word[:97] + '...'}`" if word else "none"


if __name__ == "__main__":
    main()
