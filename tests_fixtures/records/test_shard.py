"""shard.json: which part of a matrix a folder is."""

from pathlib import Path

import msgspec
import pytest

from quantgate.errors import RecordError
from quantgate.records import SHARD, Shard, read_shard, write_shard

MADE = Shard(
    index=2,
    count=3,
    matrix=["a/bf16:text", "b/bf16:text"],
    mine=["b/bf16:text"],
    cut=[["a"], ["b"], []],
    models_sha256="0" * 64,
    device_class="cpu",
    inconclusive="warn",
    must_run=False,
    host="here",
    started="2026-10-01T00:00:00+00:00",
    quantgate="0.1",
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    written = write_shard(tmp_path / "new", MADE)
    assert written == tmp_path / "new" / SHARD
    assert read_shard(tmp_path / "new") == MADE
    assert msgspec.json.decode(written.read_bytes())["ended"] is None


def test_a_folder_without_one_is_no_shard(tmp_path: Path) -> None:
    assert read_shard(tmp_path) is None


def test_keys_of_a_later_version_are_ignored(tmp_path: Path) -> None:
    (tmp_path / SHARD).write_bytes(msgspec.json.encode(msgspec.to_builtins(MADE) | {"later": 1}))
    assert read_shard(tmp_path) == MADE


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "says nothing of a shard"),
        (b'{"index": 1}', "says nothing of a shard"),
        (b"\xff", "says nothing of a shard"),
        (msgspec.json.encode(msgspec.structs.replace(MADE, index=4)), "says shard 4 of 3"),
        (msgspec.json.encode(msgspec.structs.replace(MADE, cut=[])), "a cut into 0"),
    ],
)
def test_a_file_that_is_none_is_told_in_a_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / SHARD).write_bytes(content)
    with pytest.raises(RecordError, match=said) as raised:
        read_shard(tmp_path)
    assert str(tmp_path / SHARD) in str(raised.value)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match="cannot be written"):
        write_shard(tmp_path / "file", MADE)
