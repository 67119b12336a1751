"""A night in lines: the worst first, where everything lies, and what the exit code means."""

from quantgate.nightly.outcome import FAILED, GREEN, INTERNAL, INTERRUPTED, NOTHING, USAGE, Night

MEANINGS = {
    GREEN: "all that was asked passed",
    FAILED: "a verdict or a test failed",
    INTERRUPTED: "interrupted, or stopped at the deadline, before all was asked",
    INTERNAL: "a part of the night broke down",
    USAGE: "something was asked for that is not there",
    NOTHING: "nothing was measured",
}


def told(night: Night) -> list[str]:
    """A line each, with what to type next in lines below it."""
    worst_first = {
        "failed": night.failed,
        "broken": night.internal,
        "not understood": night.usage,
        "inconclusive": night.inconclusive,
        "dropped": night.dropped,
        "skipped": night.skipped,
        "warning": night.warnings,
        "reused": night.reused,
    }
    lines = [_line(word, sentence) for word, sentences in worst_first.items() for sentence in dict.fromkeys(sentences)]
    counts = ", ".join(f"{len(dict.fromkeys(sentences))} {word}" for word, sentences in worst_first.items() if sentences)
    measured = sum(line.record_sha256 is not None for line in night.lines)
    lines.append(f"{measured} suites measured, {night.passed} tests passed{f'; {counts}' if counts else ''}; {night.seconds:.0f} s")
    if night.nothing_asked is not None:
        lines.append(night.nothing_asked)
    lines.append(f"records: {night.records}")
    lines.append(f"report: {night.report}" if night.report is not None else f"no report: {night.no_report}")
    lines += [f"history: {file}" for file in night.histories]
    return [*lines, f"exit code {night.exit_code}: {MEANINGS[night.exit_code]}"]


def _line(word: str, sentence: str) -> str:
    """Verdicts begin with their own word; what to type next stands in lines below them. Nothing that a server or a file said may steer a
    terminal."""
    said = sentence if sentence.startswith((f"{word}:", "fail:", "error:", "not compared:")) else f"{word}: {sentence}"
    return "\n".join("".join(character if character.isprintable() else " " for character in line) for line in said.splitlines())
