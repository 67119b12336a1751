"""What a program may use, and what became of it."""

from dataclasses import dataclass
from typing import Literal

from quantgate.errors import ConfigurationError

Outcome = Literal["passed", "failed", "timed_out", "too_much_output", "killed", "refused"]
MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Bounds of one program. Memory and CPU seconds count for each of its processes, as rlimits do; the others for all of them."""

    wall_s: float = 10.0
    cpu_s: int = 10
    memory_mib: int = 1024  # of address space, which an interpreter alone takes 20 of
    processes: int = 32  # and threads
    open_files: int = 64
    file_mib: int = 16  # the largest file
    folder_mib: int = 64  # the working folder, in memory; /dev/shm has as much again
    output_kib: int = 256  # stdout and stderr together

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < float("inf"):
                raise ConfigurationError(f"Limits({name}={value}): a program needs some of it; give a number above 0")


@dataclass(frozen=True)
class Ran:
    """One program's end.

    passed: it ran to its last line, checks included. failed: an exception, or an end before the last line, whatever the exit code.
    timed_out: wall clock or CPU seconds. too_much_output: ended for it. killed: a signal that we did not send. refused: never started.
    """

    outcome: Outcome
    exit_code: int  # as a shell shows it: 128 + N for signal N
    seconds: float  # wall clock
    output_tail: str  # the end of stdout and stderr, as they came
