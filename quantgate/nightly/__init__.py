"""The night's run: pytest driven family by family and phase by phase within a deadline, its history, its page, one exit code."""

from quantgate.nightly.asked import Asked
from quantgate.nightly.bisect import ABORT, BAD, CANNOT_TELL, bisect_step
from quantgate.nightly.night import run_night
from quantgate.nightly.outcome import Night
from quantgate.nightly.running import GRACE_SECONDS, Ended, interruptible, run_until
from quantgate.nightly.telling import MEANINGS, told

__all__ = [
    "ABORT",
    "BAD",
    "CANNOT_TELL",
    "GRACE_SECONDS",
    "MEANINGS",
    "Asked",
    "Ended",
    "Night",
    "bisect_step",
    "interruptible",
    "run_night",
    "run_until",
    "told",
]
