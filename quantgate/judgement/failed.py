"""Items whose requests failed for good: no answers, and no wrong ones; they are left out on both sides, and could hide a loss."""

import msgspec

from quantgate.judgement.rule import Bearing, Bears
from quantgate.records import Answers
from quantgate.stats import Estimate

NAMED = 2


def without_failed(measured: Answers, baseline: Answers) -> tuple[Answers, Answers]:
    """Both sides, each without the items that failed on the other."""
    one, other = (
        msgspec.structs.replace(side, items=[item for item in side.items if item.id not in lacks]) if lacks else side
        for side, lacks in ((measured, baseline.failed), (baseline, measured.failed))
    )
    return one, other


def named(measured: Answers, baseline: Answers) -> str | None:
    """A note on what was left out, or None."""
    told = [_told(side, whose) for side, whose in ((measured, "here"), (baseline, "of the baseline's")) if side.failed]
    return f"left out on both sides: {'; '.join(told)}" if told else None


def may_hide(measured: Answers, baseline: Answers, found: Estimate, tolerance: float) -> list[Bearing]:
    """Forbids a pass that would be none if every item that failed were one that BF16 gets right and the checkpoint does not.

    `found` and `tolerance` in percentage points.
    """
    count = len(measured.failed.keys() | baseline.failed.keys())
    if not count or found.interval[1] + 100 * count / found.n <= tolerance:
        return []
    said = f"{count} requests failed, and with as many answers lost the loss could be above {tolerance:g} points: measure again"
    return [Bearing(Bears.FORBIDS_CLEARING, said)]


def unfit(measured: Answers) -> str | None:
    """Why a record with items that failed can be no baseline, or None."""
    return f"{_told(measured, 'in it')}: a baseline has every item; measure again" if measured.failed else None


def _told(side: Answers, whose: str) -> str:
    shown = ", ".join(f"{name}: {why}" for name, why in list(side.failed.items())[:NAMED])
    more = ", …" if len(side.failed) > NAMED else ""
    return f"{len(side.failed)} of {len(side.items) + len(side.failed):,} requests failed {whose} ({shown}{more})"
