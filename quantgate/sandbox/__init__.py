"""Generated code under lock and key: Python programs in bubblewrap, whether they passed their checks, and how tasks become programs."""

from quantgate.sandbox.extraction import completion_of
from quantgate.sandbox.limits import Limits, Outcome, Ran
from quantgate.sandbox.probe import probe
from quantgate.sandbox.running import run_all, run_program
from quantgate.sandbox.tasks import mbpp_program_of, program_of, verify_humaneval, verify_mbpp

__all__ = [
    "Limits",
    "Outcome",
    "Ran",
    "completion_of",
    "mbpp_program_of",
    "probe",
    "program_of",
    "run_all",
    "run_program",
    "verify_humaneval",
    "verify_mbpp",
]
