"""What became of a night, and its exit code, which means what pytest's means."""

import msgspec

from quantgate.history import Line

GREEN, FAILED, INTERRUPTED, INTERNAL, USAGE, NOTHING = 0, 1, 2, 3, 4, 5


class Night(msgspec.Struct, kw_only=True):
    """`failed`, `inconclusive`, `warnings`, `skipped`, `dropped`: a sentence each; `internal`, `usage`: why a pytest could not do its
    work; `lines`: what went into the history, the files of which are `histories`; `report`: the page, None where none was
    written, and `no_report` says why; `was_interrupted`: by somebody; `was_late`: a pytest was stopped at the deadline;
    `reused`: a sentence for each record that was judged again instead of measured; `nothing_asked`: why there was nothing to do, which is
    no failure."""

    run: str
    started: str
    records: str
    seconds: float = 0.0
    exit_code: int = INTERNAL
    passed: int = 0
    failed: list[str] = []
    inconclusive: list[str] = []
    warnings: list[str] = []
    skipped: list[str] = []
    dropped: list[str] = []
    internal: list[str] = []
    usage: list[str] = []
    was_interrupted: bool = False
    was_late: bool = False
    lines: list[Line] = []
    histories: list[str] = []
    reused: list[str] = []
    nothing_asked: str | None = None
    report: str | None = None
    no_report: str | None = None


def exit_code(night: Night) -> int:
    """What somebody has to look at first decides: an interruption, a failed verdict, a broken pytest, a mistake in what was asked. A
    night in which nothing was measured is none, and one that nobody can read is not green."""
    told = {
        INTERRUPTED: night.was_interrupted,
        FAILED: bool(night.failed),
        INTERNAL: bool(night.internal),
        USAGE: bool(night.usage),
    }
    if (code := next((code for code, is_so in told.items() if is_so), None)) is not None:
        return code
    if night.was_late:
        return INTERRUPTED
    if not night.reused and not any(line.record_sha256 for line in night.lines):
        return GREEN if night.nothing_asked is not None else NOTHING
    return GREEN if night.no_report is None else INTERNAL
