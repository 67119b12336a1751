"""How the tests of a run ended, beside its records: of a boot that failed, or a test that was skipped, nothing else is left to tell."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec

from quantgate.records.files import write_whole

OUTCOMES = "outcomes.jsonl"
"""Below the folder of records; no name that ends as a record's."""
INSPECTION = "inspection.jsonl"
"""Beside a checkpoint's records: what was found in its files, one line; a number that is none is null."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One test's last end: `at` is UTC in ISO 8601; `family`, `checkpoint`, `suite` are "" for a test of something else; `why` in words, ""
    where it passed: the verdicts' sentences, where it failed for them."""

    at: str
    test: str
    outcome: Literal["passed", "failed", "skipped"]
    why: str = ""
    family: str = ""
    checkpoint: str = ""
    suite: str = ""


def read_outcomes(file: Path) -> list[Outcome]:
    """In the order of the file; lines that are none are left out, and a file that is not there has none."""
    if not file.is_file():
        return []
    found = []
    for line in file.read_bytes().splitlines():
        try:
            found.append(msgspec.json.decode(line, type=Outcome))
        except msgspec.DecodeError:
            continue  # of another version; how the test ends next time replaces it
    return found


def write_outcomes(file: Path, new: Iterable[Outcome]) -> None:
    """What is known of each test, by its id, is replaced by what is `new`; the file is written whole."""
    known = {one.test: one for one in [*read_outcomes(file), *new]}
    write_whole(file, b"".join(msgspec.json.encode(one) + b"\n" for one in known.values()))


def write_inspection(folder: Path, family: str, checkpoint: str, report: Any) -> None:
    """Keep what `inspect` found for the page; replaces what was found before."""
    write_whole(folder / family / checkpoint / INSPECTION, msgspec.json.encode(report) + b"\n")
