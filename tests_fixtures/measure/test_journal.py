"""What is kept of a measurement that has not come to its end: what is read again, and when it is of no use."""

import re
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from quantgate.measure.chats import Reply
from quantgate.measure.journal import Journal
from quantgate.measure.thinking import Said

CONDITIONS = {"checkpoint_fingerprint": "c1", "sampling": {"max_tokens": 64}, "serve.max_model_len": None}
REPLY = Reply(Said('<think>six\u2028seven</think>\n"42"', "beside"), "stop", 24)


Open = Callable[..., Journal[Reply]]


@pytest.fixture
def told() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def journal(told: list[tuple[str, str]]) -> Iterator[Open]:
    """Opens one; `told` has what it says."""
    opened: list[Journal[Reply]] = []

    def journal(file: Path, conditions: dict[str, Any] = CONDITIONS) -> Journal[Reply]:
        told.clear()
        opened.append(Journal(file, "small/fp8 gsm8k", conditions, Reply, tell=lambda *one: told.append(one)))
        return opened[-1]

    yield journal
    for one in opened:
        one.close()


@pytest.fixture
def file(tmp_path: Path, journal: Open) -> Path:
    """With two items of a first sitting, one of the second round."""
    found = tmp_path / "small" / "fp8" / "gsm8k.unfinished.jsonl"
    first = journal(found)
    first.add("first", "q1", REPLY)
    first.add("again", "q1", REPLY._replace(completion_tokens=25))
    first.close()
    return found


def test_what_was_kept_is_there_again_as_it_was(file: Path, journal: Open, told: list[tuple[str, str]]) -> None:
    again = journal(file)
    assert again.known("first") == {"q1": REPLY}
    assert again.known("again") == {"q1": REPLY._replace(completion_tokens=25)}
    assert again.known("never") == {}
    assert told == [("server", f"small/fp8 gsm8k: goes on with 2 answers that were kept of {again.started}")]


def test_more_is_added_behind_it(file: Path, journal: Open) -> None:
    second = journal(file)
    second.add("first", "q2", REPLY)
    second.close()
    third = journal(file)
    assert set(third.known("first")) == {"q1", "q2"}
    assert third.started == second.started


def test_it_began_when_its_first_sitting_did(file: Path, journal: Open) -> None:
    began = journal(file).started
    file.write_bytes(file.read_bytes().replace(began.encode(), b"2026-01-02T03:04:05+00:00", 1))
    assert journal(file).started == "2026-01-02T03:04:05+00:00"


def test_the_seconds_of_all_sittings_add_up(file: Path, journal: Open) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    lines[-1] = re.sub(rb'"seconds":[0-9.e-]+', b'"seconds":1234.5', lines[-1])
    file.write_bytes(b"".join(lines))
    third = journal(file)
    assert 1234.5 <= third.seconds() < 1300


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_half_a_line_is_dropped_and_the_next_one_does_not_hang_on_to_it(file: Path, journal: Open, cut: int) -> None:
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size - cut)
    second = journal(file)
    assert (len(second), set(second.known("first"))) == (1, {"q1"})
    second.add("first", "q2", REPLY)
    second.close()
    assert set(journal(file).known("first")) == {"q1", "q2"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"checkpoint_fingerprint": "c2"}, "checkpoint fingerprint was c1 and is c2"),
        ({"sampling": {"max_tokens": 65}}, "sampling was {'max_tokens': 64} and is {'max_tokens': 65}"),
        ({"serve.max_model_len": 2048}, "serve.max model len was not there and is 2048"),
        ({"endpoint": "http://x"}, "endpoint was not there and is http://x"),
    ],
)
def test_under_other_conditions_it_begins_anew_and_says_why(
    file: Path, journal: Open, told: list[tuple[str, str]], changed: dict[str, Any], said: str
) -> None:
    second = journal(file, CONDITIONS | changed)
    assert len(second) == 0
    ((word, line),) = told
    assert word == "warning"
    assert line.startswith("small/fp8 gsm8k: begins anew, without 2 answers that were kept of 2")
    assert line.endswith(f": {said}")
    second.add("first", "q9", REPLY)
    second.close()
    third = journal(file, CONDITIONS | changed)
    assert (len(third), set(third.known("first"))) == (1, {"q9"})


@pytest.mark.parametrize("content", [b"", b"not JSON\n", b'{"format": 1}\n', b"\xff\xfe"])
def test_a_file_of_something_else_is_begun_anew(file: Path, journal: Open, told: list[tuple[str, str]], content: bytes) -> None:
    file.write_bytes(content)
    assert len(journal(file)) == 0
    assert told == [("warning", f"small/fp8 gsm8k: begins anew, since {file} is no list of kept answers")]


def test_of_another_form_it_is_not_read(file: Path, journal: Open, told: list[tuple[str, str]]) -> None:
    file.write_bytes(file.read_bytes().replace(b'{"format":1', b'{"format":9', 1))
    assert len(journal(file)) == 0
    assert told[0][1].endswith("they are written in form 9, and this is form 1")


def test_an_early_end_says_what_is_kept_where(file: Path, journal: Open) -> None:
    assert journal(file).kept() == f"small/fp8 gsm8k: 2 answers are kept in {file}; the same command goes on from there"
    assert Journal.of_nothing("x").kept() is None


def test_a_disk_that_is_full_is_told_of_once_and_stops_nothing(file: Path, journal: Open, told: list[tuple[str, str]]) -> None:
    full = journal(file)
    full.close()
    told.clear()
    full._file = FileIO("/dev/full", "w")
    full.add("first", "q2", REPLY)
    full.add("first", "q3", REPLY)
    assert set(full.known("first")) == {"q1", "q2", "q3"}
    assert full.kept() is None
    ((word, line),) = told
    assert word == "warning"
    assert line.endswith(f"{file} cannot be written (No space left on device): if this run ends early, it begins anew")


def test_nor_does_a_folder_that_cannot_be_made(tmp_path: Path, journal: Open, told: list[tuple[str, str]]) -> None:
    (tmp_path / "small").write_text("a file")
    none = journal(tmp_path / "small" / "fp8" / "gsm8k.unfinished.jsonl")
    none.add("first", "q1", REPLY)
    assert set(none.known("first")) == {"q1"}
    assert [word for word, _ in told] == ["warning"]
