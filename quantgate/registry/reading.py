"""models.toml → families and checkpoints, every mistake in it one sentence.

Data only: what a checkpoint is, where it lies, how it is served, what it may lose. Nothing here opens a device.
"""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from quantgate.errors import ConfigurationError, nearest
from quantgate.registry import limits
from quantgate.registry.limits import refuse_senseless
from quantgate.registry.mistakes import in_words
from quantgate.registry.models import PICKLED, PRECISIONS, REFERENCE_PRECISION, Checkpoint, Family, Registry

HOTTEST = 2.0
"""The temperature above which no server of ours samples."""


def load(path: Path) -> Registry:
    """Read models.toml; raises ConfigurationError for anything in it that cannot be meant."""
    try:
        # Some editors begin a file with a byte order mark, which no TOML parser takes.
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(f"--models={path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is no TOML: {error}") from None
    _refuse_unknown_keys(raw, Registry, path)
    try:
        registry = msgspec.convert(raw, Registry)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{path}: {in_words(str(error), raw)}") from None
    if not registry.family:
        raise ConfigurationError(f"{path} has no family, so there is nothing to test; add a [[family]]")
    families = [_complete(family, path) for family in registry.family]
    _refuse_twice([family.name for family in families], "family", path)
    for precision, tolerance in registry.tolerance.items():
        _known_precision(precision, f"[tolerance] {precision}", path)
        refuse_senseless(tolerance, f"{path}: [tolerance] {precision}")
    _refuse_twice([one.name for one in registry.suite], "suite", path)
    for one in registry.suite:
        for name, value in (("n", one.n), ("max_tokens", one.max_tokens), ("repeats", one.repeats)):
            if value is not None and value < 1:
                raise ConfigurationError(f"{path}: suite {one.name}: {name} is {value}; it must be at least 1")
        if one.fewshot is not None and one.fewshot < 0:
            raise ConfigurationError(f"{path}: suite {one.name}: fewshot is {one.fewshot}; it must be 0 (no examples) or more")
        if one.temperature is not None and not 0 <= one.temperature <= HOTTEST:
            raise ConfigurationError(f"{path}: suite {one.name}: temperature is {one.temperature}; it must lie between 0 and {HOTTEST:g}")
        _refuse_bad_name(one.name, "a suite", path)
    return Registry(family=families, tolerance=registry.tolerance, suite=registry.suite)


def _complete(family: Family, file: Path) -> Family:
    _refuse_twice([one.name for one in family.checkpoint], f"checkpoint of {family.name}", file)
    for precision, tolerance in family.tolerance.items():
        _known_precision(precision, f"tolerance.{precision} of family {family.name}", file)
        refuse_senseless(tolerance, f"{file}: tolerance.{precision} of family {family.name}")
    _refuse_twice(family.suites, f"suite of {family.name}", file)
    for name, content in (("suites", family.suites), ("checkpoints", family.checkpoint)):
        if not content:
            raise ConfigurationError(f"{file}: family {family.name} has no {name}, so there is nothing to test; name some, or remove it")
    for one in family.checkpoint:
        limits.refuse_unservable(one, f"{file}: checkpoint {family.name}/{one.name}: serve")
        for device, why in one.skip.items():
            if device.lower() == "cpu" != device:
                raise ConfigurationError(f"{file}: checkpoint {family.name}/{one.name}: skip on {device}: the CPU is written cpu")
            if not why.strip():
                raise ConfigurationError(f"{file}: checkpoint {family.name}/{one.name}: skip on {device} gives no reason; say why")
    references = [one.name for one in family.checkpoint if one.precision == REFERENCE_PRECISION]
    if len(references) > 1:
        raise ConfigurationError(f"{file}: family {family.name}: {', '.join(references)} are all {REFERENCE_PRECISION}; keep one")
    for name in (family.name, *(one.name for one in family.checkpoint)):
        _refuse_bad_name(name, "a family or checkpoint", file)
    return msgspec.structs.replace(family, checkpoint=[_locate(one, family, file) for one in family.checkpoint])


def _refuse_bad_name(name: str, what: str, file: Path) -> None:
    """Names become folders and files."""
    if not re.fullmatch(r"[\w][\w.+-]*", name) or name == "all":
        allowed = "use letters, digits and '_', behind the first also '.', '-' and '+'; 'all' is taken"
        raise ConfigurationError(f"{file}: {name!r} is no name for {what}: {allowed}")


def _locate(checkpoint: Checkpoint, family: Family, file: Path) -> Checkpoint:
    """The checkpoint with its family's name and an absolute path; a hub id ("org/name", no such folder) stays as it is."""
    name = f"checkpoint {family.name}/{checkpoint.name}"
    _known_precision(checkpoint.precision, name, file)
    checkpoint = msgspec.structs.replace(checkpoint, written=checkpoint.path)
    folder = Path(file.parent, checkpoint.path).resolve()
    command = _command(checkpoint, folder, f"{file}: {name}: quantize")
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ConfigurationError(f"{file}: {name}: path {checkpoint.path} is no checkpoint: it holds no config.json")
        pickled = sorted(one.name for ending in PICKLED for one in folder.glob(ending))
        if pickled and not any(folder.glob("*.safetensors")):
            why = f"its weights ({pickled[0]}) are pickles, which run code when they are loaded; convert them to safetensors"
            raise ConfigurationError(f"{file}: {name}: path {checkpoint.path}: {why}")
        return msgspec.structs.replace(checkpoint, family=family.name, path=str(folder), command=command)
    if command is not None:  # made when it is needed, and whoever needs it is told how
        return msgspec.structs.replace(checkpoint, family=family.name, path=str(folder), command=command)
    if checkpoint.revision is None or checkpoint.path.count("/") != 1:
        raise ConfigurationError(
            f"{file}: {name}: path {checkpoint.path} is no checkpoint: there is no folder {folder} "
            '(a hub id needs revision = "…" beside it)'
        )
    return msgspec.structs.replace(checkpoint, family=family.name)


def _command(checkpoint: Checkpoint, folder: Path, where: str) -> str | None:
    """The line that makes a checkpoint of ours; None for one that is found as it is."""
    if checkpoint.quantize is None:
        return None
    if checkpoint.revision is not None:
        raise ConfigurationError(f"{where} says how it is made here, and revision that it is fetched; remove one of them")
    try:
        arguments = shlex.split(checkpoint.quantize)
    except ValueError as error:
        raise ConfigurationError(f"{where} is {checkpoint.quantize!r}, which no shell reads: {error}") from None
    if not arguments or arguments[0].startswith("-"):
        raise ConfigurationError(f"{where} is {checkpoint.quantize!r}; begin with the model, then --scheme and what else there is")
    return shlex.join(["quantgate", "quantize", *arguments, "-o", str(folder)])


def _known_precision(precision: str, where: str, file: Path) -> None:
    if precision not in PRECISIONS:
        raise ConfigurationError(
            f"{file}: {where}: unknown precision {precision}{nearest(precision, PRECISIONS)}; there are {', '.join(PRECISIONS)}"
        )


def _refuse_twice(names: list[str], what: str, file: Path) -> None:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigurationError(f"{file}: {what} {twice} stands there twice; give one another name")


def _refuse_unknown_keys(raw: Any, wanted: Any, file: Path) -> None:
    for key, fields, where in _unknown_keys(raw, wanted, ""):
        raise ConfigurationError(f"{file}: unknown key {key}{where}{nearest(key, fields)}; known are {', '.join(fields)}")


def _unknown_keys(raw: Any, wanted: Any, where: str) -> Iterator[tuple[str, list[str], str]]:
    """Keys that no field of the struct `wanted` has, wherever they stand in the parsed file."""
    if get_origin(wanted) is list and isinstance(raw, list):
        for part in raw:
            yield from _unknown_keys(part, get_args(wanted)[0], where)
    elif get_origin(wanted) is dict and isinstance(raw, dict):
        for key, part in raw.items():
            yield from _unknown_keys(part, get_args(wanted)[1], f" in {key}")
    elif isinstance(wanted, type) and issubclass(wanted, msgspec.Struct) and isinstance(raw, dict):
        own = {"family", "command", "written"} if wanted is Checkpoint else set()  # filled in by us, never written in the file
        hints = get_type_hints(wanted)
        types = {one.encode_name: hints[one.name] for one in msgspec.structs.fields(wanted) if one.name not in own}
        within = f" in {wanted.__name__.lower().removeprefix('declared')}" + (f" {raw['name']}" if "name" in raw else "")
        for key, part in raw.items():
            if key not in types:
                yield key, sorted(types), "" if wanted is Registry else within
            else:
                yield from _unknown_keys(part, types[key], within)
