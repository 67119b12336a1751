"""How answers ended: by themselves, cut off before there was one, or nobody wrote it down; and which of them are none.

Engines and harnesses have several words for one ending. An answer that was cut off, or ended inside its reasoning, mostly counts as
wrong, but says less of the model than of the room that it was given: that is told, and where one checkpoint needs more room than the
other, it is a finding of its own.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, TypeAlias

from quantgate import stats
from quantgate.records import Answer, Answers, Unanswered

BY_ITSELF = {"stop", "eos", "eos_token", "end_turn", "stop_sequence", "tool_calls", "tool_use", "function_call"}
CUT_OFF = {"length", "max_tokens", "max_output_tokens", "model_length"}
NOT_RECORDED = {"", "unknown", "none", "null", "not recorded", "not_recorded"}
KNOWN = BY_ITSELF | CUT_OFF | NOT_RECORDED
ALPHA = 0.025
CLOSE = "</think>"
Way: TypeAlias = Literal["in_reasoning", "cut_off", "empty", "unreadable"]
"""In which an answer is none, as records call it."""
SAID: dict[Way, str] = {
    "in_reasoning": "ended inside their reasoning",
    "cut_off": "cut off by length",
    "empty": "empty",
    "unreadable": "without an answer in them",
}


LONGEST_PERIOD, REPEATS, SHORTEST_TAIL = 100, 3, 60
"""An answer repeats itself whose last characters, SHORTEST_TAIL at least, are REPEATS times the same of up to LONGEST_PERIOD."""


@lru_cache
def _folded(finish_reason: str) -> str:
    """There are a dozen of them, and a hundred thousand answers are asked for theirs nine times."""
    return finish_reason.strip().lower()


def _ending(item: Answer) -> str:
    return _folded(item.finish_reason)


def never_came(item: Answer) -> bool:
    """Whether the answer was cut off, or ended inside its reasoning."""
    return item.open_think or _ending(item) in CUT_OFF


def repeats_itself(item: Answer) -> bool:
    """Whether it was cut off while it said the same over and over: no room would have been enough."""
    if not never_came(item):
        return False
    for period in range(1, LONGEST_PERIOD + 1):
        tail = item.answer[-max(REPEATS * period, SHORTEST_TAIL) :]
        if len(tail) > period * (REPEATS - 1) and len(tail) >= SHORTEST_TAIL and tail[period:] == tail[:-period]:
            return True
    return False


def way_of(item: Answer) -> Way | None:
    """The first way in which it is none, or None where it is an answer that can be graded."""
    if item.open_think:
        return "in_reasoning"
    if _ending(item) in CUT_OFF:
        return "cut_off"
    if item.parsed:
        return None
    return "unreadable" if item.answer.rpartition(CLOSE)[2].strip() else "empty"


def unanswered(items: Sequence[Answer]) -> Unanswered:
    """How many of the items are none, by the way."""
    ways = [way_of(item) for item in items]
    return Unanswered(**{way: ways.count(way) for way in SAID})


def unanswered_in_words(items: Sequence[Answer]) -> str:
    """`of 200: 10 cut off by length (q3 first), 2 empty (q9 first)`; where none is, `of 200: none is no answer`."""
    first: dict[Way, str] = {}
    for item in items:
        if (way := way_of(item)) is not None:
            first.setdefault(way, item.id)
    counts = unanswered(items)
    told = [f"{getattr(counts, way)} {said} ({first[way]} first)" for way, said in SAID.items() if way in first]
    return f"of {len(items)}: " + (", ".join(told) or "none is no answer")


def is_odd(item: Answer) -> bool:
    """Whether it ended neither by itself nor for want of room: an abort, a filter."""
    return _ending(item) not in KNOWN


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
