"""Whether a mathematical answer is the right one, however it is written: by math-verify, in a process that may be lost.

What a model writes is given to a computer algebra system, and 9^{9^{9^9}} would keep that busy until the machine has no memory left.
`math_child.py` bounds a pair's CPU time and memory by dying; then the answer is wrong, and another child goes on with the next pair.
"""

import json
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from quantgate.errors import MeasurementError
from quantgate.measure.math_child import READY

CHILD = Path(__file__).with_name("math_child.py")
PAIR_CPU_SECONDS = 5.0
"""A thousand times what a usual pair takes."""
PATIENCE_SECONDS = 120.0
"""For one pair: a child that sleeps uses no CPU time, and would never end."""
TAIL = 2000
"""Characters from the end of an answer without a box in which its result is looked for."""
LAST_BOXES = 20
"""So many are looked at, from the last on, for one that closes: a model in a loop opens thousands."""
BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
SPACES = re.compile(r"\\[,;:! ]|\\q?quad|~|\s+|\\left(?![a-z])|\\right(?![a-z])|\$")
FRACTION = re.compile(r"\\[dt]frac")
STATED = re.compile(r"^.*\banswer\b[\s*]*(?:is\b[\s*:]*|:[\s*]*)((?:\\\$|[^$])+?)[\s*.]*$", re.IGNORECASE)
"""A last line that states the answer without marking it as mathematics, which math-verify looks for."""
WORDS = re.compile(r"\\(?:text|textbf|mathrm|mathbf|operatorname)\{([^{}]*)\}")


class Read(NamedTuple):
    """What an answer is taken to say: `boxed` where that stood in a box, "" where nothing was found; `equal`: whether it is right."""

    extracted: str
    boxed: bool
    equal: bool


def require() -> None:
    """Raises MeasurementError where nothing could be compared, so that it is known before an hour of questions."""
    with _children() as child:
        child.asked("$1$", "1")


def read_all(pairs: Sequence[tuple[str, str]]) -> list[Read]:
    """Of (what was said, the right answer): the last box counts, and where there is none, what math-verify takes for the result."""
    with _children() as child:
        return [_read(child, said, answer) for said, answer in pairs]


def last_box(text: str) -> str | None:
    """What stands in the last \\boxed{}, braces within it counted; None where there is none, or it never closes."""
    for begin in reversed(list(BOX.finditer(text))[-LAST_BOXES:]):
        depth = 1
        for place in range(begin.end(), len(text)):
            depth += {"{": 1, "}": -1}.get(text[place], 0) if text[place - 1] != "\\" else 0
            if not depth:
                return text[begin.end() : place].strip()
    return None


def _read(child: "_Child", said: str, answer: str) -> Read:
    box = last_box(said)
    if box is not None and _plain(box) == _plain(answer):
        return Read(box, True, True)
    if box == "" or not said:
        return Read("", False, False)
    stated = STATED.match(said.rstrip().rpartition("\n")[2][-TAIL:]) if box is None else None
    result = stated[1] if stated is not None and "\\(" not in stated[1] and "\\[" not in stated[1] else box
    found, equal = child.asked(said[-TAIL:] if result is None else f"$\\boxed{{{result}}}$", answer)
    return Read(box or found, box is not None, equal)


def _plain(text: str) -> str:
    """Without what does not change it: spaces, dollars, the size of brackets and fractions, the face of letters."""
    return WORDS.sub(r"\1", SPACES.sub("", FRACTION.sub(r"\\frac", text)))


class _Child:
    """One that runs, or is started when something is asked."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None

    def asked(self, said: str, answer: str) -> tuple[str, bool]:
        """("", False) where it died of the question. One that was killed for another reason is asked once more: that says nothing."""
        line = self._answer(said, answer)
        if not line and self.end() != -signal.SIGPROF:
            line = self._answer(said, answer)
        if not line:
            self.end()
            return "", False
        found, equal = json.loads(line)
        return str(found), bool(equal)

    def _answer(self, said: str, answer: str) -> str:
        process = self.process = self.process or _started()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps([said, answer]) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            return ""
        return _line(process)

    def end(self) -> int | None:
        """What it ended with, where it had ended; killed else."""
        process, self.process = self.process, None
        if process is None:
            return None
        process.kill()
        process.communicate()
        return process.returncode


def _started() -> subprocess.Popen[str]:
    """Raises MeasurementError where it does not come up: an answer would be wrong for no fault of its own."""
    with TemporaryFile("w+", encoding="utf-8") as told:
        process = subprocess.Popen(
            [sys.executable, "-P", str(CHILD), str(PAIR_CPU_SECONDS)],  # not from beside CHILD, where code.py lies; from PYTHONPATH
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=told, text=True, encoding="utf-8",
        )  # fmt: skip
        if _line(process).strip() == READY:
            return process
        process.kill()
        process.communicate()
        told.seek(0)
        why = (told.read().strip().splitlines() or [f"exit code {process.returncode}"])[-1]
    raise MeasurementError(f"math-verify, which compares mathematical answers, does not start ({why}); pip install 'quantgate[suite]'")


def _line(process: "subprocess.Popen[str]") -> str:
    """What it says next; "" where it ends instead, or is silent."""
    assert process.stdout is not None
    return process.stdout.readline() if select.select([process.stdout], [], [], PATIENCE_SECONDS)[0] else ""


@contextmanager
def _children() -> Iterator[_Child]:
    child = _Child()
    try:
        yield child
    finally:
        child.end()
