"""A folder kept alike on another machine: whole files, what grows, what goes, and names that lead out of it."""

from pathlib import Path

import pytest

from quantgate.errors import RecordError
from quantgate.fan_out import mirror, wire
from quantgate.fan_out.mirror import Mirror, put
from quantgate.fan_out.wire import Piece
from quantgate.records import write_whole


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


@pytest.fixture
def there(tmp_path: Path) -> Path:
    (tmp_path / "there").mkdir()
    return tmp_path / "there"


def carry(mirrored: Mirror, there: Path) -> list[Piece]:
    pieces = list(mirrored.changes())
    for piece in pieces:
        put(there, piece)
    return pieces


def content(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_what_is_written_appears_and_is_told_once(here: Path, there: Path) -> None:
    mirrored = Mirror(here)
    write_whole(here / "fam" / "fp8" / "text.json", b"{}")
    (here / "empty.log").touch()
    assert len(carry(mirrored, there)) == 2
    assert content(there) == {"fam/fp8/text.json": b"{}", "empty.log": b""}
    assert carry(mirrored, there) == []


def test_a_log_sends_what_it_grew_by_alone(here: Path, there: Path) -> None:
    mirrored, log = Mirror(here), here / "server.log"
    for text in (b"one\n", b"two\n", b"three\n"):
        with log.open("ab") as file:
            file.write(text)
        assert [piece.data for piece in carry(mirrored, there)] == [text]
    assert content(there) == {"server.log": b"one\ntwo\nthree\n"}


def test_a_file_that_was_written_anew_is_sent_whole(here: Path, there: Path) -> None:
    mirrored = Mirror(here)
    write_whole(here / "outcomes.jsonl", b"aaaa\n")
    carry(mirrored, there)
    write_whole(here / "outcomes.jsonl", b"bbbb\ncc\n")
    carry(mirrored, there)
    assert content(there) == content(here)


def test_what_goes_goes_there_too_behind_what_takes_its_place(here: Path, there: Path) -> None:
    mirrored = Mirror(here)
    write_whole(here / "a.unfinished.jsonl", b"half")
    carry(mirrored, there)
    (here / "a.unfinished.jsonl").unlink()
    write_whole(here / "z.json", b"whole")
    assert [(piece.path, piece.is_gone) for piece in carry(mirrored, there)] == [("z.json", False), ("a.unfinished.jsonl", True)]
    assert content(there) == {"z.json": b"whole"}


def test_a_large_log_comes_in_pieces_and_a_large_record_in_one(here: Path, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "CHUNK_BYTES", 10)
    (here / "long.log").write_bytes(b"0123456789" * 3 + b"x")
    (here / "long.json").write_bytes(b"0123456789" * 3)
    pieces = carry(Mirror(here), there)
    assert [len(piece.data) for piece in pieces] == [30, 10, 10, 10, 1]
    assert content(there) == content(here)


def test_what_is_known_there_ends_where_the_piece_ends(there: Path) -> None:
    (there / "a.log").write_bytes(b"0123456789")
    put(there, Piece("a.log", b"xy", 4))
    assert content(there) == {"a.log": b"0123xy"}


def test_neither_locks_nor_what_is_half_written_is_sent(here: Path) -> None:
    (here / ".lock").write_bytes(b"me")
    (here / ".text.json.abc").write_bytes(b"half")
    (here / "link").symlink_to("/etc/passwd")
    assert list(Mirror(here).changes()) == []


def test_what_was_told_before_is_known(here: Path) -> None:
    (here / "known.json").write_bytes(b"1")
    mirrored = Mirror(here, told=True)
    (here / "new.json").write_bytes(b"2")
    assert [piece.path for piece in mirrored.changes()] == ["new.json"]


@pytest.mark.parametrize("name", ["/etc/passwd", "../up.json", "a/../../up.json", ""])
def test_a_name_that_leads_out_is_refused(there: Path, name: str) -> None:
    with pytest.raises(RecordError, match="leads out of"):
        put(there, Piece(name, b"x"))
    assert content(there) == {}


def test_frames_survive_a_pipe_and_half_a_frame_is_none() -> None:
    import os

    reading, writing = os.pipe()
    news = wire.News(kind="ended", host="n", pieces=[Piece("a", b"\x00\xff", 3)], codes=[-9], was_stopped=True)
    wire.write_all(writing, wire.pack(news) + wire.pack(wire.News(host="next"))[:-1])
    os.close(writing)
    assert [wire.unpack_news(content) for content in wire.frames(reading)] == [news]
    os.close(reading)
