"""A load on an OpenAI-compatible server, and what came of it: who asks, what is asked, what arrived when, what it cost us."""

from quantgate.measure.load.client import run_job
from quantgate.measure.load.figures import itl_ms, seconds, tpot_ms, ttft_ms
from quantgate.measure.load.outcome import Answered, FailedRequestsError, FailureCount
from quantgate.measure.load.plan import Load, job
from quantgate.measure.load.prompts import Prompts
from quantgate.measure.load.session import LoadRound, LoadSession, Summary, summarize
from quantgate.measure.load.target import Target, parse_target
from quantgate.measure.load.trust import CPU_SHARE_LIMIT

__all__ = [
    "CPU_SHARE_LIMIT",
    "Answered",
    "FailedRequestsError",
    "FailureCount",
    "Load",
    "LoadRound",
    "LoadSession",
    "Prompts",
    "Summary",
    "Target",
    "itl_ms",
    "job",
    "parse_target",
    "run_job",
    "seconds",
    "summarize",
    "tpot_ms",
    "ttft_ms",
]
