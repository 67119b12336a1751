"""One step of `git bisect run`: a pytest run → good, bad, or cannot tell; everything that is no verdict is the last of these.

pytest's own exit code will not do: a server that does not boot on one commit, or data that do not decide, would be "bad", and the bisection
would end at a commit that is innocent.
"""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from quantgate.errors import ConfigurationError
from quantgate.nightly.junit import Outcome, read_junit

GOOD, BAD, CANNOT_TELL, ABORT = 0, 1, 125, 128
"""As git bisect reads them: from 128 on it stops, instead of skipping commit after commit."""
WORDS = {GOOD: "good", BAD: "bad", CANNOT_TELL: "cannot tell"}
ASSERTION = ("AssertionError", "assert ")
"""How a plain test's failure begins (the kernel is another one)."""


def bisect_step(command: Sequence[str], first: str | None, say: Callable[[str], None]) -> int:
    """Run `first` (a line for the shell: what makes this commit's environment), then the command, in which pytest runs once.

    pytest is told by PYTEST_ADDOPTS to keep records in a folder that is gone afterwards, so that no commit goes on with another's
    answers. Raises ConfigurationError where the command cannot be started.
    """
    if first is not None and (code := subprocess.run(first, shell=True, check=False).returncode):  # noqa: S602 (the user's own line)
        say(f"cannot tell: `{first}` ended with exit code {code}")
        return CANNOT_TELL
    with tempfile.TemporaryDirectory(prefix="quantgate-bisect-") as folder:
        junit = Path(folder) / "junit.xml"
        told = shlex.join([f"--records={folder}/records", f"--junitxml={junit}"])
        env = os.environ | {"PYTEST_ADDOPTS": f"{os.environ.get('PYTEST_ADDOPTS', '')} {told}".strip()}
        try:
            code = subprocess.run(list(command), env=env, check=False).returncode
        except OSError as error:
            raise ConfigurationError(f"{command[0]} cannot be started: {error.strerror}; give the command behind --") from None
        answer, why = step_of(code, read_junit(junit))
    say(f"{WORDS[answer]}: {why.splitlines()[0]}")  # what to type next is for a person
    return answer


def step_of(code: int, outcomes: Sequence[Outcome] | None) -> tuple[int, str]:
    """The exit code for git, and why. A verdict of fail is bad, whatever else went wrong; good is only what was judged throughout."""
    if outcomes is None:
        return CANNOT_TELL, f"pytest ended with exit code {code} and left no report of its tests"
    said = [(word, line) for one in outcomes for word, line in one.lines]
    failed = [one for one in outcomes if one.ended == "failed"]
    lines = {word: [line for other, line in said if other == word] for word in ("fail", "error", "inconclusive", "pass", "not compared")}
    bad = lines["fail"] or [f"{one.parameters}: {one.why}" for one in failed if one.why.startswith(ASSERTION)]
    if bad:
        return BAD, bad[0]
    unclear = [*lines["error"], *(f"{one.parameters}: {one.why}" for one in failed)] + lines["inconclusive"]
    if not lines["pass"]:
        unclear += lines["not compared"]
    if code or not any(one.ended == "passed" for one in outcomes):
        unclear.append(f"pytest ended with exit code {code}, and {len(outcomes)} tests have nothing to say")
    if unclear:
        return CANNOT_TELL, unclear[0]
    return GOOD, lines["pass"][-1] if lines["pass"] else "every test passed"
