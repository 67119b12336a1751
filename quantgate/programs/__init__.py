"""Programs that run beside this one, in environments of their own: made by uv at first use, listened to, ended with us."""

from quantgate.programs.child import Ended, StoppedError, run, stoppable
from quantgate.programs.environment import Environment, find_uv, metadata, python, run_uv
from quantgate.programs.progress import WHO, Progress, Tells

__all__ = [
    "WHO",
    "Ended",
    "Environment",
    "Progress",
    "StoppedError",
    "Tells",
    "find_uv",
    "metadata",
    "python",
    "run",
    "run_uv",
    "stoppable",
]
