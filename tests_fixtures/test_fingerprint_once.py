"""A folder's fingerprints are made once, and anew as soon as a file of it is another one."""

import os
import time
from pathlib import Path

import pytest

from quantgate import fingerprint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"\x02" + bytes(7) + b"{}" + b"weights")
    return tmp_path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files of which JSON was read."""
    seen: list[str] = []
    read = fingerprint.read_json

    def watched(path: Path) -> dict[str, object]:
        seen.append(path.name)
        return read(path)

    monkeypatch.setattr(fingerprint, "read_json", watched)
    return seen


def settle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is so far on that whatever lies there was written long ago."""
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + 10 * fingerprint.SETTLED_NS)


def test_a_folder_that_lies_still_is_read_once(folder: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    settle(monkeypatch)
    first = fingerprint.of_checkpoint(folder)
    assert fingerprint.of_checkpoint(folder) == first
    assert reads == ["config.json"]


def test_a_folder_that_was_just_written_is_read_again(folder: Path, reads: list[str]) -> None:
    fingerprint.of_checkpoint(folder)
    fingerprint.of_checkpoint(folder)
    assert reads == ["config.json"] * 2


@pytest.mark.parametrize("change", ["weights", "config", "another shard", "put back with its old time"])
def test_a_change_is_seen(folder: Path, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(monkeypatch)
    before = fingerprint.of_checkpoint(folder)
    weights = folder / "model.safetensors"
    if change == "weights":
        weights.write_bytes(weights.read_bytes() + b"more")
    elif change == "config":
        (folder / "config.json").write_text('{"a": 1}', encoding="utf-8")
    elif change == "another shard":
        (folder / "other.safetensors").write_bytes(weights.read_bytes())
    else:
        seen = weights.stat()
        another = folder / "written.beside"
        another.write_bytes(weights.read_bytes().replace(b"weights", b"WEIGHTS"))
        os.utime(another, ns=(seen.st_atime_ns, seen.st_mtime_ns))
        another.replace(weights)
    assert fingerprint.of_checkpoint(folder) != before


def test_two_folders_are_two(folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(monkeypatch)
    other = tmp_path_factory.mktemp("other")
    (other / "config.json").write_text('{"a": 1}', encoding="utf-8")
    (other / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    assert fingerprint.of_checkpoint(folder) != fingerprint.of_checkpoint(other)
