"""Does the sandbox hold on this machine? Asked before the first program: one that must run, and four whose deed must be refused.

What they did is looked at from outside, never believed from inside.
"""

import functools
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from quantgate.errors import ConfigurationError
from quantgate.sandbox.bubblewrap import NOBODY, UNSAFE, is_root
from quantgate.sandbox.interpreter import base_interpreter
from quantgate.sandbox.limits import Limits, Ran
from quantgate.sandbox.process import execute

LIMITS = Limits(wall_s=30.0)
REMEDY = (
    "user namespaces may be denied here, as in most containers (start it with --security-opt seccomp=unconfined --security-opt "
    "apparmor=unconfined, or run on the host) and on Ubuntu 24.04 (give bwrap an AppArmor profile, or set "
    "kernel.apparmor_restrict_unprivileged_userns=0 and user.max_user_namespaces above 0)"
)
MUST_RUN = "import hashlib, json, math, sqlite3, threading\nopen('here', 'w').write('x')\nassert open('here').read() == 'x'\n"


def probe() -> None:
    """Raise ConfigurationError, in one sentence, where the sandbox cannot be made or lets something through; asked once a process."""
    sentence = _sentence()
    if sentence:
        raise ConfigurationError(sentence)


@functools.cache
def _sentence() -> str:
    """What is wrong, or nothing: an exception would not be remembered."""
    ran = execute(MUST_RUN, LIMITS, unsafe=False)
    if ran.outcome != "passed":
        said = ran.output_tail.strip().splitlines()
        told = f"exit {ran.exit_code}: {said[-1][-300:]}" if said else f"exit {ran.exit_code}, no message"
        return f"bubblewrap could not run a first program here ({ran.outcome}, {told}); {REMEDY}, {UNSAFE}"
    done = [deed for deed, attempt in DEEDS.items() if attempt(functools.partial(execute, limits=LIMITS, unsafe=False))]
    if done:
        return f"bubblewrap runs programs here, and does not hold them: one could {' and '.join(done)}; use another machine, {UNSAFE}"
    return ""


def _reaches_network(run: Callable[[str], Ran]) -> bool:
    with socket.create_server(("127.0.0.1", 0)) as server:
        run(f"import socket\nsocket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 5)\n")
        return bool(select.select([server], [], [], 0)[0])


def _writes_outside(run: Callable[[str], Ran]) -> bool:
    with tempfile.TemporaryDirectory(prefix="quantgate-probe-") as folder:
        Path(folder).chmod(0o777)  # so that only the sandbox is in the way
        run(f"import os\nos.makedirs({folder!r}, exist_ok=True)\nopen({folder + '/written'!r}, 'w').write('x')\n")
        return any(Path(folder).iterdir())


def _kills(run: Callable[[str], Ran]) -> bool:
    # cat waits for its input, so it ends when this ends, and not before. It is the same user as the program, so that only the pid namespace
    # is in the way.
    cat = [shutil.which("cat") or "cat"]
    with subprocess.Popen(cat, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, user=NOBODY if is_root() else None) as bystander:
        run(f"import os, signal\nos.kill({bystander.pid}, signal.SIGKILL)\n")
        # A signal that was sent is there before the end of its input is: whoever is to die by it never reads that.
        bystander.communicate()
        return bystander.returncode == -signal.SIGKILL


def _reads_home(run: Callable[[str], Ran]) -> bool:
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where there is none
    if not home.is_dir() or not os.access(home, os.R_OK):
        return False
    python = base_interpreter()
    bound = (*python.folders, python.executable, *python.files)
    there = {path.name for path in home.iterdir()} - {path.relative_to(home).parts[0] for path in bound if path.is_relative_to(home)}
    ran = run(f"import os\nprint('seen:', sorted(set(os.listdir({str(home)!r})) & {there!r}))\n") if there else None
    return ran is not None and "seen: ['" in ran.output_tail


DEEDS: dict[str, Callable[[Callable[[str], Ran]], bool]] = {
    "reach the network": _reaches_network,
    "write outside of its folder": _writes_outside,
    "kill a process outside": _kills,
    "read the home folder": _reads_home,
}
