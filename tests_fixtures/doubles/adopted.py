"""Small files as other harnesses write them, and what `compare` says of two of them."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from quantgate.cli import main
from quantgate.measure.adopt import Choice, Run, adopt


def write_lines(path: Path, rows: Sequence[Any]) -> Path:
    """Rows as JSON lines, packed where the name ends in .gz."""
    content = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def only(path: Path, **choice: Any) -> Run:
    """The one run in a file or folder."""
    (run,) = adopt(path, Choice(**choice)).values()
    return run


def shown(run: Run) -> list[tuple[str, float]]:
    """Each item's id and worth."""
    return [(item.id, item.worth) for item in run.items]


def judged(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[dict[str, Any]]:
    """The verdicts of `quantgate compare`."""
    main(["compare", *map(str, arguments), "--json"])
    captured = capsys.readouterr()
    assert captured.err == ""
    found: list[dict[str, Any]] = json.loads(captured.out)["verdicts"]
    return found


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one sentence of a comparison that could not be."""
    assert main(["compare", *map(str, arguments), "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err.removeprefix("quantgate compare: ").rstrip("\n")
