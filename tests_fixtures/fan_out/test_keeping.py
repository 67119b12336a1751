"""What comes back of a unit lies where it belongs: records, the log, baselines; and what a node is given of it."""

from pathlib import Path

import msgspec
import pytest

from quantgate.errors import RecordError
from quantgate.fan_out.keeping import Keeping, sign, tail_of
from quantgate.fan_out.wire import News, Piece
from quantgate.fan_out.work import Course
from quantgate.records import Shard, read_shard, write_shard
from tests_fixtures.doubles.fake_cluster import work

LIKE = Shard(
    index=1,
    count=1,
    matrix=[],
    mine=[],
    cut=[[]],
    models_sha256="m",
    device_class="",
    inconclusive="warn",
    must_run=False,
    host="driver",
    started="2026-01-01T00:00:00+00:00",
    ended="2026-01-01T01:00:00+00:00",
)


def course_of(folder: Path, name: str = "ada/fp8") -> Course:
    return Course(work=msgspec.structs.replace(work(name, suites=("text", "questions")), folder=folder / name.replace("/", "--")))


def baseline(folder: Path, family: str, content: bytes) -> None:
    place = folder / "cpu" / family / "bf16"
    place.mkdir(parents=True)
    (place / "text.json").write_bytes(content)
    (place.parent / "history.jsonl").write_bytes(b"a line")


def test_records_logs_and_baselines_go_where_they_belong(tmp_path: Path) -> None:
    keeping, course = Keeping(tmp_path, [], ["ada"], tmp_path / "own"), course_of(tmp_path)
    said = keeping.take(
        course,
        News(
            pieces=[
                Piece("records/ada/fp8/text.json", b"{}"),
                Piece("records/ada/fp8/text.verdict.json", b'{"verdict": "fail", "reason": "worse"}'),
                Piece("pytest.log", b"tests/test_it.py::test_it[ada/fp8:questions] "),
                Piece("baselines/cpu/ada/bf16/text.json", b"new"),
                Piece("elsewhere/x", b"never"),
            ]
        ),
    )
    assert said == ["ada/fp8 text: fail: worse"]
    assert (course.done, course.suite) == (1, "questions")
    assert (course.work.folder / "records" / "ada" / "fp8" / "text.json").read_bytes() == b"{}"
    for place in (tmp_path / "baselines", tmp_path / "own"):
        assert (place / "cpu" / "ada" / "bf16" / "text.json").read_bytes() == b"new"
    assert not list(tmp_path.rglob("elsewhere"))
    assert tail_of(course.work).endswith("[ada/fp8:questions] ")


def test_where_nothing_is_approved_the_projects_own_baselines_stay_as_they_are(tmp_path: Path) -> None:
    baseline(tmp_path / "own", "ada", b"old")
    keeping = Keeping(tmp_path / "out", [tmp_path / "own"], ["ada"], None)
    keeping.take(course_of(tmp_path), News(pieces=[Piece("baselines/cpu/ada/bf16/text.json", b"new")]))
    assert (tmp_path / "own" / "cpu" / "ada" / "bf16" / "text.json").read_bytes() == b"old"


@pytest.mark.parametrize("path", ["records/../../up", "baselines/../up", "records//etc/x"])
def test_a_node_writes_nowhere_else(tmp_path: Path, path: str) -> None:
    (tmp_path / "out").mkdir()
    keeping = Keeping(tmp_path / "out", [], ["ada"], None)
    course = course_of(tmp_path / "out")
    if path != "records//etc/x":
        with pytest.raises(RecordError, match="leads out of"):
            keeping.take(course, News(pieces=[Piece(path, b"x")]))
    else:
        keeping.take(course, News(pieces=[Piece(path, b"x")]))
    assert not (tmp_path / "up").exists()
    assert all(file.is_relative_to(tmp_path / "out") for file in tmp_path.rglob("*") if file.is_file())


def test_a_node_gets_what_was_measured_and_its_familys_baselines_alone(tmp_path: Path) -> None:
    baseline(tmp_path / "own", "ada", b"a")
    baseline(tmp_path / "own", "bell", b"b")
    keeping, course = Keeping(tmp_path / "out", [tmp_path / "own"], ["ada", "bell"], None), course_of(tmp_path)
    keeping.take(course, News(pieces=[Piece("records/ada/fp8/text.unfinished.jsonl", b"half"), Piece("pytest.log", b"so far")]))
    assert [(piece.path, piece.data) for piece in keeping.pieces(course.work)] == [
        ("records/ada/fp8/text.unfinished.jsonl", b"half"),
        ("pytest.log", b"so far"),
        ("baselines/cpu/ada/bf16/text.json", b"a"),
    ]


def test_of_a_chain_of_folders_the_first_has_the_last_word(tmp_path: Path) -> None:
    baseline(tmp_path / "first", "ada", b"first")
    baseline(tmp_path / "second", "ada", b"second")
    keeping = Keeping(tmp_path / "out", [tmp_path / "first", tmp_path / "second"], ["ada"], None)
    assert (keeping.baselines / "cpu" / "ada" / "bf16" / "text.json").read_bytes() == b"first"


def test_every_unit_is_signed_as_a_part_of_one_whole(tmp_path: Path) -> None:
    done, lost = course_of(tmp_path), course_of(tmp_path, "bell/fp8")
    done.state, done.codes, done.host, lost.state = "ended", [0, 1], "n1 abcdef", "lost"
    for course in (done, lost):
        (course.work.folder / "records").mkdir(parents=True)
    own = msgspec.structs.replace(LIKE, device_class="cpu", models_sha256="of the node", host="n1", mine=["ada/fp8:text"])
    write_shard(done.work.folder / "records", own)
    sign([done, lost], LIKE)
    first, second = (read_shard(course.work.folder / "records") for course in (done, lost))
    assert first is not None
    assert second is not None
    assert first.matrix == second.matrix == ["ada/fp8:text", "bell/fp8:questions", "bell/fp8:text"]  # a -m left the questions out
    assert (first.index, first.count, first.mine, first.exit_code) == (1, 2, ["ada/fp8:text"], 1)
    assert (first.device_class, first.host, first.models_sha256) == ("cpu", "n1", "of the node")
    assert (second.index, second.ended, second.exit_code) == (2, None, None)
