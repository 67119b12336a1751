"""A project of one's own: checkpoints looked at, and the files that quantgate needs to gate them, written into a folder."""

import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from quantgate.checkpoint import UNKNOWN, formats_of, precisions_of
from quantgate.errors import ConfigurationError
from quantgate.fingerprint import read_json
from quantgate.registry import REFERENCE_PRECISION, fetch

TEMPLATES = Path(__file__).parent / "project"
FILES = {
    "pytest.ini": "pytest.ini",
    ".gitignore": "gitignore",
    ".gitattributes": "gitattributes",
    ".github/workflows/quantgate.yml": "quantgate.yml",
}
"""Where each is written → the file that it is made of."""
SUITES = ("prose-48", "decode-16x256")
"""Those that any machine has; a comment names the public ones."""
PERPLEXITY_RATIOS = {"bf16": 1.01, "fp8": 1.02, "int8": 1.02, "nvfp4": 1.05, "mxfp4": 1.05, "int4": 1.05}
LOWEST_FIRST = ("nvfp4", "mxfp4", "int4", "int8", "fp8", "bf16")
"""What a checkpoint with linears in several precisions is filed under: its lowest."""
LONGEST = 4096
"""Tokens: enough for every suite that there is, and little to reserve memory for."""
SAYS_NOTHING = {"bf16", "fp16", "base", "original", "model", "weights", "hf"}
"""Names of folders that name no model: the folder above does."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint as it was found; `path` as TOML writes it."""

    name: str
    precision: str
    formats: str
    path: str
    revision: str | None
    max_model_len: int


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """`written` and `kept` (it was there before) are files below `folder`."""

    folder: str
    family: str
    checkpoints: list[Seen]
    written: list[str]
    kept: list[str]

    @property
    def has_reference(self) -> bool:
        return any(one.precision == REFERENCE_PRECISION for one in self.checkpoints)


def make_project(folder: Path, named: Sequence[str], family: str | None = None) -> Project:
    """Write models.toml for the checkpoints `named` (folders, or hub ids, of which only JSON is fetched), and what stands in FILES.

    Raises ConfigurationError, before anything is written, where a checkpoint is none, its precision cannot be told, two are BF16, or
    models.toml is there already.
    """
    models = folder / "models.toml"
    if models.exists():
        raise ConfigurationError(f"{models} is there already; add to it, or name another folder")
    seen = [_look(one, folder) for one in dict.fromkeys(named)]
    references = [where for where, precision, *_ in seen if precision == REFERENCE_PRECISION]
    if len(references) > 1:
        raise ConfigurationError(
            f"{' and '.join(references)} are both BF16; a family has one original: name the other in a project of its own"
        )
    family = family or _family(references or [where for where, *_ in seen])
    checkpoints = [
        Seen(
            name=name,
            precision=precision,
            formats=formats,
            path=json.dumps(path, ensure_ascii=False),
            revision=revision,
            max_model_len=length,
        )
        for name, (_, precision, formats, path, revision, length) in zip(_names(seen, family), seen, strict=True)
    ]
    written, kept = [_write(models, _models(family, checkpoints))], []
    for target, source in FILES.items():
        file = folder / target
        content = (TEMPLATES / source).read_text(encoding="utf-8")
        if file.name.startswith(".git") and file.exists():
            content = _with_lines(file.read_text(encoding="utf-8"), content.splitlines())
        elif file.exists():
            kept.append(str(file))
            continue
        written.append(_write(file, content))
    return Project(folder=str(folder), family=family, checkpoints=checkpoints, written=written, kept=kept)


Look = tuple[str, str, str, str, str | None, int]
"""Where, precision, formats, path for models.toml, revision, max_model_len."""


def _look(name: str, project: Path) -> Look:
    place, revision, path = Path(name).expanduser(), None, name
    if place.is_dir():
        place = place.resolve()
        inside = place.is_relative_to(project.resolve())
        path = os.path.relpath(place, project.resolve()) if inside else str(place)
    elif name.count("/") == 1 and not name.startswith((".", "/", "~")):
        place, revision = fetch(name, None, name, only=["*.json"]), "main"
    else:
        raise ConfigurationError(f"{name}: there is no such folder, and a hub id looks like org/name")
    found = precisions_of(place)
    if found == {UNKNOWN}:
        raise ConfigurationError(
            f"{name}: its quantization ({formats_of(place)}) tells no precision; write this checkpoint into models.toml by hand"
        )
    precision = next(one for one in LOWEST_FIRST if one in found)
    config = read_json(place / "config.json")
    inner = config.get("text_config")
    longest = (inner if isinstance(inner, dict) else config).get("max_position_embeddings")
    return name, precision, formats_of(place), path, revision, min(LONGEST, longest) if isinstance(longest, int) else LONGEST


def _family(named: Sequence[str]) -> str:
    """By the original's folder, or what the names have in common."""
    parts = [part for part in Path(named[0]).expanduser().resolve().parts if part.lower() not in SAYS_NOTHING]
    common = parts[-1] if len(named) == 1 else os.path.commonprefix([Path(one).name for one in named])  # noqa: RUF071 (letters are meant)
    return _slug(common) or "my-model"


def _names(seen: Iterable[Look], family: str) -> list[str]:
    """A checkpoint's name is its precision, and what its folder says besides where two have one."""
    names: list[str] = []
    counts = [precision for _, precision, *_ in seen]
    for where, precision, *_ in seen:
        rest = _slug(re.sub(re.escape(precision), "", _slug(Path(where).name).removeprefix(family), flags=re.IGNORECASE))
        name = precision if counts.count(precision) == 1 else "-".join(filter(None, (precision, rest)))
        names.append(name if name not in names else f"{name}-{len(names)}")
    return names


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")


def _models(family: str, checkpoints: Sequence[Seen]) -> str:
    import jinja2

    used = {REFERENCE_PRECISION, *(one.precision for one in checkpoints)}
    template = jinja2.Environment(trim_blocks=False, autoescape=False).from_string(  # noqa: S701 (it makes TOML, and no page)
        (TEMPLATES / "models.toml.jinja").read_text(encoding="utf-8")
    )
    precisions = [one for one in PERPLEXITY_RATIOS if one in used]
    return template.render(family=family, checkpoints=checkpoints, precisions=precisions, ratios=PERPLEXITY_RATIOS, suites=SUITES) + "\n"


def _with_lines(text: str, lines: Sequence[str]) -> str:
    missing = [line for line in lines if line not in text.splitlines()]
    return text + ("" if text.endswith("\n") or not text else "\n") + "".join(f"{line}\n" for line in missing)


def _write(file: Path, content: str) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
    return str(file)
