"""JSON lines, lists and tables with the caller's word for which column is what."""

from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import ConfigurationError, MeasurementError
from quantgate.measure.adopt import Choice, Run, adopt, columns_of
from tests_fixtures.doubles.adopted import judged, only, refused, shown, write_json, write_lines

TABLE = "no,ok,said,part\n7,true,B,math\n5,0,,math\n9,1.0,A,law\n"
COLUMNS = "id=no,correct=ok,answer=said,group=part"


def read(path: Path, columns: str, **choice: Any) -> Run:
    return only(path, columns=columns_of(columns), **choice)


@pytest.mark.parametrize(("name", "content"), [("a.csv", TABLE), ("a.tsv", TABLE.replace(",", "\t")), ("a.csv", "\ufeff" + TABLE)])
def test_a_table_is_read_by_its_columns(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    run = read(tmp_path / name, COLUMNS)
    assert [(one.id, one.correct, one.extracted, one.group, one.parsed) for one in run.items] == [
        ("7", True, "B", "math", True),
        ("5", False, "", "math", False),
        ("9", True, "A", "law", True),
    ]


@pytest.mark.parametrize("form", ["lines", "packed", "list"])
def test_lines_and_lists_are_read_alike(tmp_path: Path, form: str) -> None:
    rows = [{"name": "a", "f1": 0.25, "chat": 1, "why": "length", "n": 8}, {"name": "b", "f1": 1, "chat": 1, "why": "stop", "n": None}]
    names = {"lines": "a.jsonl", "packed": "a.jsonl.gz", "list": "a.json"}
    path = (write_json if form == "list" else write_lines)(tmp_path / names[form], rows)
    run = read(path, "id=name,score=f1,cluster=chat,finish_reason=why,tokens=n")
    assert [(one.id, one.worth, one.cluster, one.finish_reason, one.completion_tokens) for one in run.items] == [
        ("a", 0.25, "1", "length", 8),
        ("b", 1.0, "1", "stop", 0),
    ]


def test_all_systems_in_one_line_are_two_sides_and_an_id_is_the_question_s(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"question": f"{n}?", "small": {"is_correct": n % 5 != 0}, "large": {"is_correct": n % 5 != 0 and n % 10 != 1}} for n in range(100)
    ]
    path = write_lines(tmp_path / "a.jsonl", rows)
    sides = [f"--columns=question=question,correct={one}.is_correct" for one in ("small", "large")]
    (found,) = judged(capsys, path, path, *sides)
    assert (found["n"], found["discordant"], found["drop"]) == (100, {"regressed": 10, "improved": 0}, pytest.approx(10.0))
    assert (found["suite"], found["verdict"], found["checkpoint"]) == ("a", "fail", "large")


def test_a_column_with_a_dot_in_its_name_is_that_column(tmp_path: Path) -> None:
    run = read(write_lines(tmp_path / "a.jsonl", [{"id": 1, "a.b": True, "a": {"b": False}}]), "id=id,correct=a.b")
    assert shown(run) == [("1", 1.0)]


@pytest.mark.parametrize(("ending", "kept"), [("length", 300), ("", 100)])
def test_the_end_of_an_answer_is_kept_and_more_of_one_that_may_be_cut_off(tmp_path: Path, ending: str, kept: int) -> None:
    row = {"id": 1, "ok": True, "said": "a" * 200 + "b" * 200, "why": ending}
    (item,) = read(write_lines(tmp_path / "a.jsonl", [row]), "id=id,correct=ok,answer=said,finish_reason=why").items
    assert item.answer == ("a" * 200 + "b" * 200)[-kept:]


def test_two_columns_of_one_table_are_two_sides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{n},{int(n % 5 > 0)},{int(n % 5 > 1)}" for n in range(100)]
    (tmp_path / "a.csv").write_text("\n".join(["id,old,new", *lines]), encoding="utf-8")
    sides = [f"--columns=id=id,correct={one}" for one in ("old", "new")]
    (found,) = judged(capsys, tmp_path / "a.csv", tmp_path / "a.csv", *sides)
    assert (found["checkpoint"], found["discordant"]) == ("a (candidate)", {"regressed": 20, "improved": 0})


def test_an_error_is_no_zero(tmp_path: Path) -> None:
    rows = [{"id": 1, "ok": True, "error": None}, {"id": 2, "ok": False, "error": "connection reset"}]
    run = read(write_lines(tmp_path / "a.jsonl", rows), "id=id,correct=ok,error=error")
    assert (shown(run), run.failed) == ([("1", 1.0)], {"2": "connection reset"})


def test_of_several_models_one_is_chosen(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"id": 1, "ok": 1, "who": "x"}, {"id": 1, "ok": 0, "who": "y"}])
    columns = "id=id,correct=ok,model=who"
    run = read(path, columns, model="y")
    assert (run.model, shown(run)) == ("y", [("1", 0.0)])
    with pytest.raises(MeasurementError, match="no line of the model z"):
        read(path, columns, model="z")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"id": 1, "ok": 2}', "line 1: correct is 2; it must be true or false, 1 or 0"),
        ('{"id": 1, "ok": null}', "line 1: correct is None; it must be true or false"),
        ('{"id": 1, "okay": true}', "line 1 has no column 'ok'; there is id, okay (did you mean okay?)"),
        ('{"id": 1, "ok": true}\n\n{"id": 1, "ok": true}', "line 3: item '1' stands there again, first in line 1"),
        ('{"id": 1, "ok": true}\n[1]', "line 2 is no object: Expected `object`, got `array`"),
        ("", "holds no item that was answered"),
    ],
)
def test_a_malformed_line_is_one_sentence_with_its_place(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(MeasurementError) as refusal:
        read(path, "id=id,correct=ok")
    assert str(refusal.value).startswith(str(path))
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id,ok\n1,1\n2\n", "line 3: it has not the columns of the first line"),
        ("id,ok\n1,1,1\n", "line 2: it has not the columns"),
        ("id,ok\n1,maybe\n", "line 2: correct is 'maybe'"),
    ],
)
def test_a_malformed_table_is_one_sentence_with_its_place(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "a.csv").write_text(content, encoding="utf-8")
    with pytest.raises(MeasurementError) as refusal:
        read(tmp_path / "a.csv", "id=id,correct=ok")
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("id=a,corect=b", "'corect=b' is no FIELD=COLUMN; the fields are id, correct, .* \\(did you mean correct\\?\\)"),
        ("id", "'id' is no FIELD=COLUMN"),
        ("id=a,answer=b", "it needs id or question, and correct or score"),
        ("correct=a", "it needs id or question, and correct or score"),
    ],
)
def test_columns_that_are_none_are_refused(columns: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        columns_of(columns)


def test_lines_of_no_known_harness_ask_for_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unknown = write_lines(tmp_path / "a.jsonl", [{"sentence": "It rained.", "tp": 0, "fp": 0}])
    said = refused(capsys, unknown, unknown)
    assert said.startswith(f"{unknown} holds nothing that a reader knows (lm-eval, ")
    assert said.endswith("plain lines need --columns")


def test_an_option_that_counts_for_a_side_stands_there_twice_at_most(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"id": 1, "ok": True}])
    said = refused(capsys, path, path, "--model=a", "--model=b", "--model=c")
    assert said.startswith("--model stands there 3 times; give it once for both sides, or twice")


def test_two_files_that_are_to_be_one_suite_do_not_hide_one_another(tmp_path: Path) -> None:
    for name in ("algebra", "geometry"):
        (tmp_path / f"{name}.csv").write_text(TABLE, encoding="utf-8")
    assert {run.suite for run in adopt(tmp_path, Choice(columns=columns_of(COLUMNS))).values()} == {"algebra", "geometry"}
    with pytest.raises(MeasurementError) as error:
        adopt(tmp_path, Choice(columns=columns_of(COLUMNS), suite="math"))
    assert str(error.value) == f"{tmp_path} holds two runs of the suite 'math' (algebra.csv, geometry.csv): name one file"
