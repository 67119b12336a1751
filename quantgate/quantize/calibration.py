"""What a quantizer is shown: which data set, how much of it, and what came of it."""

import json
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from quantgate import fingerprint
from quantgate.errors import ConfigurationError
from quantgate.quantize.base import Model
from quantgate.registry import Calibration, fetch
from quantgate.suites import REFERENCE

SAMPLES, MAX_LENGTH = 512, 2048
KNOWN = {"ultrachat": ("HuggingFaceH4/ultrachat_200k", "train_sft-*")}
"""Our name → hub id, and the files of the split that is meant."""
TRAINING = "*train*"
ENDINGS = (".jsonl", ".parquet")


class Wanted(NamedTuple):
    """`source`: for people; `files`: None where they have to be fetched from the hub, as `repository` and `pattern` say."""

    source: str
    samples: int
    max_length: int
    seed: int
    files: list[Path] | None
    repository: str = ""
    pattern: str = ""


def choose(named: str | None, data_dir: Path | None, samples: int, max_length: int, seed: int) -> Wanted | None:
    """None where no data are asked for. Raises ConfigurationError where they cannot be had from the disk."""
    if named is None and data_dir is None:
        return None
    for option, number in (("--samples", samples), ("--max-length", max_length)):
        if number < 1:
            raise ConfigurationError(f"{option} {number}: at least 1 is needed")
    repository, pattern = KNOWN.get(named or "", (named or "", TRAINING))
    if data_dir is not None:
        folder = (data_dir / (named or "")).resolve()
        return Wanted(str(folder), samples, max_length, seed, _files(folder, pattern, "--data-dir"))
    if named == "reference":
        return Wanted("reference", samples, max_length, seed, [REFERENCE / "calibration.jsonl"])
    if repository.count("/") != 1:
        known = ", ".join([*KNOWN, "reference"])
        raise ConfigurationError(f"--calibrate {named}: no data set; name {known}, a hub id (org/name), or a folder in --data-dir")
    return Wanted(named or "", samples, max_length, seed, None, repository, pattern)


def _files(folder: Path, pattern: str, option: str) -> list[Path]:
    """Those of the split where file names tell it, else all."""
    every = sorted(file for file in folder.rglob("*") if file.suffix in ENDINGS and file.is_file())
    if not every:
        raise ConfigurationError(f"{option}: there is no {' or '.join(f'*{ending}' for ending in ENDINGS)} in {folder}")
    return [file for file in every if fnmatch(file.name, pattern)] or every


def fetched(wanted: Wanted) -> Wanted:
    """With its files on the disk. Raises ConfigurationError where the hub does not give them."""
    if wanted.files is not None:
        return wanted
    only = [f"{wanted.pattern}{ending}" for ending in ENDINGS]
    also = f" ({wanted.repository})" if wanted.source != wanted.repository else ""
    what = f"--calibrate {wanted.source}{also}"
    folder = fetch(wanted.repository, None, what, kind="dataset", only=[*only, *(f"*/{one}" for one in only)])
    files = _files(folder, wanted.pattern, what)
    return wanted._replace(source=f"{wanted.repository} at {folder.name[:12]}", files=files)


def fitted(wanted: Wanted, model: Model) -> tuple[Wanted, str | None]:
    """No longer than the model reads, and the line that says so."""
    if model.longest is None or wanted.max_length <= model.longest:
        return wanted, None
    line = f"--max-length {wanted.max_length} is more than {model.name} reads at once; texts are cut to {model.longest} tokens"
    return wanted._replace(max_length=model.longest), line


def told(wanted: Wanted, tokens: Path, skipped: int) -> Calibration:
    """What was made of it, for the manifest."""
    rows = [json.loads(line) for line in tokens.read_text(encoding="utf-8").splitlines()]
    return Calibration(
        source=wanted.source,
        samples=len(rows),
        max_length=wanted.max_length,
        seed=wanted.seed,
        tokens=sum(map(len, rows)),
        fingerprint=fingerprint.of(rows),
        skipped=skipped,
    )
