"""How answers ended: by themselves, cut off before there was one, or nobody wrote it down.

Engines and harnesses have several words for one ending. An answer that was cut off, or ended inside its reasoning, mostly counts as
wrong, but says less of the model than of the room that it was given: that is told, and where one checkpoint needs more room than the
other, it is a finding of its own.
"""

from quantgate import stats
from quantgate.records import Answer, Answers

BY_ITSELF = {"stop", "eos", "eos_token", "end_turn", "stop_sequence", "tool_calls", "tool_use", "function_call"}
CUT_OFF = {"length", "max_tokens", "max_output_tokens", "model_length"}
NOT_RECORDED = {"", "unknown", "none", "null", "not recorded", "not_recorded"}
ALPHA = 0.025


def _ending(item: Answer) -> str:
    return item.finish_reason.strip().lower()


def never_came(item: Answer) -> bool:
    """Whether the answer was cut off, or ended inside its reasoning."""
    return item.open_think or _ending(item) in CUT_OFF


def is_odd(item: Answer) -> bool:
    """Whether it ended neither by itself nor for want of room: an abort, a filter."""
    return _ending(item) not in BY_ITSELF | CUT_OFF | NOT_RECORDED


def unknown(measured: Answers, baseline: Answers) -> str | None:
    """A note where it was not recorded how answers ended, so that nobody knows whether they are whole."""
    counts = [sum(_ending(item) in NOT_RECORDED for item in one.items) for one in (measured, baseline)]
    if not any(counts):
        return None
    where = f"{counts[0]} of {len(measured.items)} here, {counts[1]} of the baseline's"
    return f"how answers ended was not recorded ({where}): they may be cut off"


def more_never_came(measured: Answers, baseline: Answers) -> str | None:
    """A note where answers that never came are more on one side than on the other, and chance does not explain it (McNemar, exact):
    here they cost, there they hide a loss."""
    before = {item.id: never_came(item) for item in baseline.items}
    lost = sum(never_came(item) and not before[item.id] for item in measured.items)
    found = sum(before[item.id] and not never_came(item) for item in measured.items)
    p = min(stats.mcnemar_p(lost, found), stats.mcnemar_p(found, lost))
    if p > ALPHA:
        return None
    now, was, n = sum(map(never_came, measured.items)), sum(before.values()), len(measured.items)
    if lost > found:
        return f"{now} of {n} answers never came (cut off, or inside their reasoning), {was} of the baseline's (p = {p:.2g})"
    hides = "which may hide as large a loss: measure the baseline again with more room"
    return f"{was} of the baseline's {n} answers never came (cut off, or inside their reasoning), {now} here (p = {p:.2g}), {hides}"


def of_regressed(measured: Answers, baseline: Answers) -> str | None:
    """A note on how many of the items that got worse never came to an answer; None where none of them did."""
    before = {item.id: item.worth for item in baseline.items}
    regressed = [item for item in measured.items if item.worth < before[item.id]]
    count = sum(map(never_came, regressed))
    return f"of {len(regressed)} regressed items {count} never came to an answer (cut off, or inside their reasoning)" if count else None
