"""EvalPlus's results, and the lists of MMLU-Pro's own scripts."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import MeasurementError
from quantgate.measure.adopt import Choice, adopt
from tests_fixtures.doubles.adopted import judged, only, refused, shown, write_json, write_lines

RESULTS = {
    "HumanEval/5": [{"task_id": "HumanEval/5", "solution": "x", "base_status": "pass", "plus_status": "fail"}],
    "HumanEval/0": [{"task_id": "HumanEval/0", "solution": "", "base_status": "fail", "plus_status": "fail"}],
    "HumanEval/1": [
        {"task_id": "HumanEval/1", "solution": "a", "base_status": "pass", "plus_status": "pass"},
        {"task_id": "HumanEval/1", "solution": "b", "base_status": "timeout", "plus_status": "pass"},
    ],
}


def evalplus(path: Path, results: dict[str, Any]) -> Path:
    return write_json(path, {"date": "2026-01-01", "hash": "h", "eval": results})


def test_base_and_plus_are_two_suites_and_plus_is_both(tmp_path: Path) -> None:
    found = adopt(evalplus(tmp_path / "a.json", RESULTS), Choice())
    assert shown(found["humaneval"]) == [("HumanEval/5", 1.0), ("HumanEval/0", 0.0), ("HumanEval/1", 1.0), ("HumanEval/1:2", 0.0)]
    assert shown(found["humaneval+"]) == [("HumanEval/5", 0.0), ("HumanEval/0", 0.0), ("HumanEval/1", 1.0), ("HumanEval/1:2", 0.0)]
    items = found["humaneval"].items
    assert [(one.parsed, one.cluster) for one in items[1:]] == [(False, "HumanEval/0"), (True, "HumanEval/1"), (True, "HumanEval/1")]


def test_results_without_plus_are_one_suite(tmp_path: Path) -> None:
    results = {name: [{"solution": "x", "base_status": "pass"}] for name in ("Mbpp/1", "Mbpp/2")}
    path = evalplus(tmp_path / "a.json", results)
    assert list(adopt(path, Choice())) == ["mbpp"]
    with pytest.raises(MeasurementError, match="has no metric plus; there is base, and no plus was run"):
        adopt(path, Choice(metric="plus"))


def test_evalplus_is_judged_suite_by_suite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def side(name: str, lost: int) -> Path:
        statuses = {n: "pass" if n % 5 and not (n % 10 == 1 and n < lost) else "fail" for n in range(160)}
        results = {f"HumanEval/{n}": [{"solution": "x", "base_status": one, "plus_status": one}] for n, one in statuses.items()}
        return evalplus(tmp_path / name / "eval_results.json", results)

    found = judged(capsys, side("bf16", 0), side("fp8", 160))
    assert [(one["suite"], one["n"], one["discordant"]["regressed"]) for one in found] == [("humaneval", 160, 16), ("humaneval+", 160, 16)]
    assert {one["checkpoint"] for one in found} == {"fp8"}


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        ({"solution": "x", "base_status": "crash"}, "A/1 has the status 'crash'; it must be pass, fail or timeout"),
        ({"base_status": "pass"}, r"is no results file of EvalPlus's: Object missing required field `solution`"),
    ],
)
def test_a_status_that_is_none_is_refused(tmp_path: Path, sample: dict[str, Any], said: str) -> None:
    with pytest.raises(MeasurementError, match=said):
        adopt(evalplus(tmp_path / "a.json", {"A/1": [sample]}), Choice())


def row(number: int, pred: str | None, text: str | None, answer: str = "B", **fields: Any) -> dict[str, Any]:
    asked = {"question_id": number, "question": f"{number}?", "options": ["3", "4"], "answer": answer, "category": "math"}
    return {**asked, "pred": pred, "generated_text": text, **fields}


ROWS = [
    row(7, "B", "The answer is (B)."),
    row(5, None, None, model_outputs="Let us see"),
    row(9, "B", None, model_outputs="answer is B", category="law"),
    row(8, "H", "We take the answer is B"),
    row(6, "B", "We cannot say"),
    row(4, "B", None),
]


@pytest.mark.parametrize("form", ["list", "zip", "lines", "folder"])
def test_a_letter_that_the_text_does_not_give_is_a_guess(tmp_path: Path, form: str) -> None:
    path = tmp_path / "one"
    if form == "zip":
        with zipfile.ZipFile(path := tmp_path / "a.zip", "w") as packed:
            packed.writestr("results/a.json", json.dumps(ROWS))
    elif form == "lines":
        path = write_lines(tmp_path / "a.jsonl", ROWS)
    elif form == "list":
        path = write_json(tmp_path / "a.json", ROWS)
    else:
        for number in range(2):
            write_json(path / f"{number}_result.json", ROWS[3 * number : 3 * number + 3])
    run = only(path)
    assert (run.suite, run.remark) == ("mmlu_pro", "2 letters that the text does not give were taken for guesses")
    assert [(one.id, one.correct, one.parsed, one.group) for one in run.items] == [
        ("7", True, True, "math"),
        ("5", False, False, "math"),
        ("9", True, True, "law"),
        ("8", False, False, "math"),
        ("6", False, False, "math"),
        ("4", True, True, "math"),
    ]


def test_a_question_that_was_revised_under_its_id_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = write_json(tmp_path / "old.json", [row(3, "B", "answer is B"), row(4, "B", "answer is B")])
    new = write_json(tmp_path / "new.json", [row(4, "B", "answer is B"), row(3, "B", "answer is B", question="Where is it?")])
    said = refused(capsys, old, new)
    assert f"3? ['3', '4'] B\" ({old}, item 1)" in said
    assert f"Where is it? ['3', '4'] B\" ({new}, item 2)" in said


def test_a_pred_that_is_no_letter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match=r"a.json, item 1: pred is 'K'; it must be a letter from A to J, or null"):
        only(write_json(tmp_path / "a.json", [row(1, "K", "K")]))


def test_several_harnesses_in_one_folder_are_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", [row(1, "B", "answer is B")])
    evalplus(tmp_path / "b.json", RESULTS)
    with pytest.raises(MeasurementError, match=r"files of several harnesses \(MMLU-Pro: a.json, EvalPlus: b.json\)"):
        adopt(tmp_path, Choice())
