"""Makes .venv when it is missing or stale: ``python3 make_env.py [cpu|cuda]``; ``make_env.py lock`` resolves the constraints anew.

Standard library only, and no syntax newer than Python 3.7, so that an old python3 gets a sentence and not a traceback.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from quantgate import uv

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "made-from.sha256"
UV = VENV / "bin" / "uv"
PYTHONS = ("3.11", "3.12")


def fail(message: str) -> NoReturn:
    sys.exit("make_env.py: " + message)


def run(command: list[str], remedy: str, env: dict[str, str] | None = None, text: str | None = None) -> None:
    """Run a command; where it fails, its own words stand above our sentence."""
    # The lock is handed on (close_fds): an installer that outlives us still holds it, and nobody builds on top of it.
    code = subprocess.run(command, cwd=ROOT, env=env, input=text, text=True, close_fds=False, check=False).returncode
    if code:
        fail(f"`{' '.join(command)}` ended with exit code {code}, see above: {remedy}")


def find_interpreter() -> str:
    """Return the interpreter that .venv is made with: the one that runs this, or else one on PATH, in our range."""
    # An activated .venv must not be asked to rebuild itself, hence the interpreter behind it.
    mine = os.path.realpath(sys.executable) if sys.prefix != sys.base_prefix else sys.executable
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    for path in [mine, *filter(None, map(shutil.which, ("python3.12", "python3.11")))]:
        # Asked, not guessed from the name: version managers put names on PATH that run nothing.
        said = subprocess.run([path, "-c", ask], capture_output=True, text=True, check=False)
        if said.stdout.strip() in PYTHONS:
            return path
    seen = f"{sys.executable} is {sys.version.split()[0]}, and neither python3.12 nor python3.11 on PATH runs"
    fail(f"quantgate needs Python 3.11 or 3.12, but {seen}: install one, or name it with `make PYTHON=/path/to/python3.12`")


def pins(flavour: str) -> str:
    return f"constraints/{flavour}.txt"


def overrides(flavour: str) -> list[str]:
    return ["constraints/cpu-overrides.txt"] if flavour == "cpu" else []


def checksum(flavour: str) -> str:
    """Return what .venv depends on; the folder belongs to it, because a copied .venv still points at the old one."""
    parts = [str(ROOT).encode(), flavour.encode()]
    parts += [
        (ROOT / name).read_bytes() for name in ("make_env.py", "quantgate/uv.py", "pyproject.toml", pins(flavour), *overrides(flavour))
    ]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def is_fresh(flavour: str) -> bool:
    return (VENV / "bin" / "python").exists() and STAMP.exists() and STAMP.read_text() == checksum(flavour)


def bootstrap(flavour: str) -> None:
    """Make a bare .venv with uv in it, at the version that the constraints name."""
    python = find_interpreter()
    # The stamp goes first and comes last: an installation cut short at any point has none.
    if STAMP.exists():
        STAMP.unlink()
    run([python, "-m", "venv", "--clear", str(VENV)], "Debian and Ubuntu keep venv in a package of its own, python3-venv")
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--constraint", pins(flavour), "uv"]
    run(pip, "is the package index within reach? PIP_INDEX_URL names another, PIP_CERT its certificate")


def build(flavour: str) -> None:
    print(f"make_env.py: making {VENV} ({flavour}); this takes a minute or a few", flush=True)
    made_from = checksum(flavour)  # now, lest an edit during the installation pass for installed
    bootstrap(flavour)
    env = uv.environment()
    install = [str(UV), "pip", "install", f"--python={VENV / 'bin' / 'python'}", f"--constraints={pins(flavour)}"]
    if flavour == "cpu":
        # Alone and first: the backend would send uv to PyTorch's index for triton as well, and the rest is on the main one.
        torch_env, backend = uv.torch_source(env)
        run([*install, *backend, "--no-deps", "torch"], "is there a CPU wheel of torch for this Python? " + uv.REMEDY, torch_env)
    # CUDA takes no backend and no folder: vLLM's wheel is compiled against the torch of the main index. `--torch-backend=auto`
    # goes by the driver and may bring a torch of another CUDA version; a folder may hold the CPU build, which sorts above it.
    # Compiled now, because every server boot would pay for it where PYTHONDONTWRITEBYTECODE is set.
    install += ["--compile-bytecode", f"--build-constraints={pins(flavour)}", *(f"--overrides={name}" for name in overrides(flavour))]
    run([*install, "--editable", f".[suite,{flavour},dev]"], uv.REMEDY, env)
    STAMP.write_text(made_from)


def lock(flavour: str, upgrade: bool) -> None:
    """Resolve the project for both Pythons and write one pin a line; pins that still hold are kept unless ``upgrade``."""
    if not UV.exists():
        bootstrap(flavour)
    remedy = "do any versions satisfy pyproject.toml, and is the package index within reach?"
    env = uv.environment()
    torch_env, backend = uv.torch_source(env) if flavour == "cpu" else (env, [])
    # What the build of the editable install needs is to be the same everywhere too.
    wanted = ["--extra=suite", f"--extra={flavour}", "--extra=ray", "--extra=dev", "pyproject.toml", "-"]
    build_needs = "hatchling\neditables\n"
    target = ROOT / pins(flavour)
    with tempfile.TemporaryDirectory() as folder:
        every = Path(folder, "every.txt")
        if target.exists() and not upgrade:
            shutil.copy(target, every)  # uv keeps the pins that it finds in its output file
        resolve = [str(UV), "pip", "compile", "--quiet", "--no-annotate", "--no-header"]
        universal = ["--universal", f"--python-version={PYTHONS[0]}", *backend, *(f"--overrides={name}" for name in overrides(flavour))]
        run([*resolve, *universal, f"--output-file={every}", *wanted], remedy, torch_env, build_needs)
        # `torch==2.13.0` accepts 2.13.0+cpu, and it exists for each Python wherever this runs.
        every.write_text(every.read_text().replace("+cpu", ""))
        held = {}
        for python in PYTHONS:
            # A universal answer covers Windows and PyPy as well; put to uv once more, it shrinks to what Linux installs.
            one = Path(folder, python)
            linux = ["--no-deps", f"--python-version={python}", "--python-platform=x86_64-manylinux_2_28"]
            run([*resolve, *linux, f"--output-file={one}", str(every)], remedy, env)
            held[python] = set(one.read_text().split())
    lines = ["# Made by `make lock` from pyproject.toml; do not edit."]
    for pin in sorted(set.union(*held.values())):
        where = [python for python in PYTHONS if pin in held[python]]
        lines.append(pin if len(where) == len(PYTHONS) else f"{pin} ; python_version == '{where[0]}'")
    target.write_text("\n".join(lines) + "\n")
    print(f"make_env.py: {pins(flavour)} has {len(lines) - 1} pins")


def main() -> None:
    parser = argparse.ArgumentParser(description="Make .venv where it is missing or stale, or resolve its constraints anew.")
    parser.add_argument("what", nargs="?", choices=("cpu", "cuda", "lock"), help="the flavour of vLLM (default: by the devices), or lock")
    parser.add_argument("--upgrade", action="store_true", help="with lock: the newest versions instead of those already pinned")
    args = parser.parse_args()
    flavour = args.what or uv.detect_flavour()
    if flavour != "lock" and is_fresh(flavour):
        return
    # "a" because NFS locks only files opened for writing; nothing is written.
    with Path(__file__).open("a") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"make_env.py: another process is making {VENV}; waiting for it", flush=True)
            fcntl.flock(guard, fcntl.LOCK_EX)
        os.set_inheritable(guard.fileno(), True)
        if flavour == "lock":
            lock("cpu", args.upgrade)
            lock("cuda", args.upgrade)
        elif not is_fresh(flavour):
            build(flavour)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        fail("interrupted; the next `make` starts over")
