"""The environments of programs that must not be in this one: made by uv at first use, of what the program says of itself.

They lie in the cache ($QUANTGATE_CACHE, else $XDG_CACHE_HOME, else ~/.cache) under names that stand for what they were made of, so that
a newer quantgate makes another one. A mark comes last: an installation that was cut short has none, and starts over.
"""

import fcntl
import hashlib
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from quantgate import folders, uv
from quantgate.errors import ConfigurationError
from quantgate.programs import child
from quantgate.programs.progress import Tells

METADATA = re.compile(r"^# /// script$\n((?:^#(?: .*)?$\n)+?)^# ///$", re.MULTILINE)
MARK = "made"
WITH_TORCH = {"cpu": 2.5, "cuda": 7.0}
"""What an environment takes of the disk (GiB) with a torch in it, by the build of that."""


class Environment(NamedTuple):
    """`name`: of its folder, and for people; `script`: the program whose metadata (PEP 723) say what it needs; `more`: requirements
    besides; `gib`: what it takes of the disk, None where a torch is in it."""

    name: str
    script: Path
    more: tuple[str, ...] = ()
    gib: float | None = None

    @property
    def needs(self) -> list[str]:
        """What is asked of the index by name."""
        return [*metadata(self.script)["dependencies"], *self.more]


def metadata(script: Path) -> dict[str, Any]:
    """What a script says of the environment that it needs (inline script metadata, PEP 723)."""
    found = METADATA.search(script.read_text(encoding="utf-8"))
    assert found is not None
    return tomllib.loads("".join(line[2:] or "\n" for line in found[1].splitlines(keepends=True)))


def python(progress: Tells, wanted: Environment) -> Path:
    """The interpreter of the environment, made first where it is missing. Raises ConfigurationError, uv's own words above it."""
    flavour, whose = uv.detect_flavour(), f"{wanted.name}'s environment"
    made_of = repr((metadata(wanted.script), *([wanted.more] if wanted.more else []), flavour, sys.version_info[:2]))
    gib = WITH_TORCH[flavour] if wanted.gib is None else wanted.gib
    root = folders.private(folders.own_cache())
    folder = root / f"{wanted.name}-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"
    found = folder / "bin" / "python"
    if not (folder / MARK).exists():
        with _alone(folder.with_suffix(".lock"), whose, progress):
            if not (folder / MARK).exists():
                progress.say(f"making {whose}, first use only ({flavour}, {gib:g} GiB in {folder})")
                folders.require_free(root, gib, whose)
                with progress.phase(f"making {whose}"):
                    _make(wanted, folder, found, flavour, progress)
                (folder / MARK).write_text(made_of, encoding="utf-8")
    return found


@contextmanager
def _alone(lock: Path, whose: str, progress: Tells) -> Iterator[None]:
    """One installation at a time; the kernel drops the lock when its holder dies."""
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say(f"another process is making {whose}; waiting for it")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _make(wanted: Environment, folder: Path, interpreter: Path, flavour: str, progress: Tells) -> None:
    command, env, what = find_uv(), uv.environment(), f"{wanted.name}'s environment could not be made"
    run_uv([command, "venv", "--clear", "--python", sys.executable, str(folder)], env, what, progress)
    install = [command, "pip", "install", "--python", str(interpreter)]
    torch = next((pin for pin in wanted.needs if pin.startswith("torch=")), None)
    if flavour == "cpu" and torch is not None:
        # Alone and first, as make_env.py does and for the same reason.
        torch_env, backend = uv.torch_source(env)
        run_uv([*install, *backend, "--no-deps", torch], torch_env, what, progress)
    run_uv([*install, "--compile-bytecode", "--requirements", str(wanted.script), *wanted.more], env, what, progress)


def find_uv() -> str:
    """The project's own, which lies beside its Python, or else one on PATH."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise ConfigurationError(f"an environment of its own is made by uv, which is neither {beside} nor on PATH; pip install uv")
    return found


def run_uv(command: list[str], env: dict[str, str], what: str, progress: Tells) -> None:
    """Raises ConfigurationError where uv fails, its own words above it; `what`: what that means."""
    ended = child.run(command, env, progress.hear)
    if ended.code:
        progress.quote(ended.last)
        raise ConfigurationError(
            f"{what} (`{' '.join(command[1:3])}` ended with exit code {ended.code}, see above): "
            f"{uv.REMEDY}, PIP_FIND_LINKS a folder of wheels"
        )
