"""What was merged, in lines: the worst first."""

from quantgate.merging.run import COULD_NOT, FAILED, GOOD, Merged
from quantgate.plain_text import in_a_line

MEANINGS = {
    GOOD: "all that was asked passed",
    FAILED: "a verdict or a test failed",
    COULD_NOT: "something could not be judged or is missing, or there was nothing to judge",
}


def told(merged: Merged) -> list[str]:
    """A line each."""
    lines = [*merged.failed, *(_behind("could not", one) for one in merged.unjudged), *merged.inconclusive]
    lines += [_behind("changed by merging", one) for one in merged.changed]
    lines += merged.notes
    words = ", ".join(f"{count} {word}" for word, count in merged.verdicts.items()) or "no verdict"
    lines.append(f"{merged.records} records of {len(merged.folders)} folders, {merged.outcomes} tests; {words}")
    lines.append(f"records, verdicts and history: {merged.into}")
    lines += [f"history: {file}" for file in merged.histories]
    if merged.report is not None:
        lines.append(f"report: {merged.report}")
    lines.append(f"exit code {merged.exit_code}: {MEANINGS[merged.exit_code]}")
    return list(map(in_a_line, lines))


def _behind(word: str, said: str) -> str:
    return said if said.startswith("error:") else f"{word}: {said}"
