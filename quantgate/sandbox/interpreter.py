"""What of this machine a Python program needs: an interpreter, its standard library, and the shared libraries that both load."""

import functools
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from quantgate.errors import ConfigurationError

# -s -S: no packages but the standard library; -P: the program's folder is not searched for modules; -B: nothing is compiled into files.
# Not -I, which would ignore PYTHONHASHSEED: with one seed, a program that depends on the order of a set ends the same way every time.
FLAGS = ("-s", "-S", "-P", "-B")
ENVIRONMENT = {"PATH": "/nonexistent", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "PYTHONUTF8": "1"}


@dataclass(frozen=True)
class Interpreter:
    """The Python that this environment was made from; paths as they must appear inside."""

    executable: Path
    prefix: Path
    folders: tuple[Path, ...]  # of the standard library
    hidden: tuple[Path, ...]  # folders in these with other people's packages
    files: tuple[Path, ...]  # shared libraries, the loader and its cache


@functools.cache
def base_interpreter() -> Interpreter:
    """Find it out once. Raises ConfigurationError where `ldd` does not say which libraries there are."""
    executable = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    scheme = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix, "installed_base": sys.base_prefix}
    folders = sorted({Path(sysconfig.get_path(key, vars=scheme)) for key in ("stdlib", "platstdlib")})
    hidden = [folder / name for folder in folders for name in ("site-packages", "dist-packages") if (folder / name).is_dir()]
    extensions = [str(path) for folder in folders for path in (folder / "lib-dynload").glob("*.so")]
    files = [*_libraries(str(executable), *extensions), Path("/etc/ld.so.cache")]
    return Interpreter(executable, Path(sys.base_prefix), tuple(folders), tuple(hidden), tuple(file for file in files if file.exists()))


def _libraries(*binaries: str) -> list[Path]:
    ldd = shutil.which("ldd")
    if ldd is None:
        raise ConfigurationError(
            "no ldd on this machine, which names the libraries that Python loads: install libc-bin (Fedora: glibc-common)"
        )
    told = subprocess.run([ldd, *binaries], capture_output=True, text=True, check=False)
    # "libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x…)", "/lib64/ld-linux-x86-64.so.2 (0x…)"; what has no path is the kernel's own
    words = [line.split(" (0x")[0].split("=>")[-1].strip() for line in told.stdout.splitlines() if " (0x" in line]
    found = sorted({Path(word) for word in words if word.startswith("/")})
    if not found and told.returncode:
        raise ConfigurationError(f"ldd {binaries[0]} failed ({told.stderr.strip()[-200:]!r}): the sandbox binds only what that names")
    return found
