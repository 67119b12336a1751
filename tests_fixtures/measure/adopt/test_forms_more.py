"""As test_forms.py: evalscope, Inspect, EvalPlus, and two forms that hold no score."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests_fixtures.doubles.adopted import judged, refused, write_json, write_lines
from tests_fixtures.measure.adopt.test_forms import MAY, counts


def review(index: int, value: dict[str, Any], main: str | None = None, group: int | None = None) -> dict[str, Any]:
    score = {"value": value, "extracted_prediction": "hi", "prediction": "hi", "main_score_name": main}
    told = {"score": score, "sample_id": index, "group_id": index if group is None else group}
    return {"index": index, "input": f"say {group if group is not None else index}", "target": "x", "sample_score": told}


def test_evalscope_1_reviews_and_predictions_in_their_own_orders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def side(model: str, lost: int) -> Path:
        reviews = [review(n, {"inst_level_strict": 0.5, "prompt_level_strict": int(n >= lost)}, "prompt_level_strict") for n in range(20)]
        predictions = [
            {
                "index": n,
                "model": "eval-model",
                "model_output": {
                    "choices": [{"message": {"content": "hi", "tool_calls": None}, "stop_reason": "max_tokens" if n < lost else "stop"}],
                    "usage": {"input_tokens": 9, "output_tokens": 2048 if n < lost else 3},
                    "error": None,
                },
            }
            for n in range(20)
        ]
        write_lines(tmp_path / model / "predictions" / model / "ifeval.jsonl", predictions)
        return write_lines(tmp_path / model / "reviews" / model / "ifeval.jsonl", reviews[::-1])

    (found, *_) = judged(capsys, side("bf16", 1), side("fp8", 4), MAY)
    assert (found["suite"], found["checkpoint"], counts(found)) == ("ifeval", "fp8", (20, 3, 0))
    assert found["unanswered"]["cut_off"] == 4
    alone = tmp_path / "fp8" / "predictions"
    assert refused(capsys, alone, alone).endswith("holds predictions that nobody scored: give evalscope's reviews")


def test_evalscope_2_eight_lines_a_problem_are_a_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def side(name: str, lost: int) -> Path:
        rows = [
            review(8 * group + n, {"acc": float(n > 1 and 8 * group + n >= lost)}, None, group) for group in range(20) for n in range(8)
        ]
        return write_lines(tmp_path / name / "aime.jsonl", rows[::-1])

    (found,) = judged(capsys, side("a", 0), side("b", 11))
    assert (counts(found), found["clusters"]) == ((160, 7, 0), 20)  # of the first eleven, four were wrong before
    rows = [review(n, {"Pass@1": float(n > 2), "test_pass_fraction": 0.25}, None) for n in range(20)]
    path = write_lines(tmp_path / "c.jsonl", rows)
    assert refused(capsys, path, path).endswith("line 1 has several metrics (Pass@1, test_pass_fraction): choose one with --metric")
    assert counts(judged(capsys, path, path, "--metric=Pass@1")[0]) == (20, 0, 0)


def sample(id_: int | str, epoch: int, worth: Any, **fields: Any) -> dict[str, Any]:
    scores = {} if worth is None else {"match": {"value": worth, "answer": "4"}, "grader": {"value": 0.5}}
    output = {"choices": [{"message": {"content": "4"}, "stop_reason": "stop"}], "usage": {"output_tokens": 2}}
    return {"id": id_, "epoch": epoch, "input": f"{id_}?", "target": ["4", "four"], "scores": scores, "output": output, **fields}


def inspect_samples(lost: int) -> list[dict[str, Any]]:
    """Twenty questions in two epochs, `lost` of them without an answer in the second; one that ended in an error."""
    cut = {"output": {"choices": [{"message": {"content": ""}, "stop_reason": "max_tokens"}], "usage": {"output_tokens": 512}}}
    rows = [sample(n, 1, "C" if n % 5 else "I") for n in range(1, 21)]
    rows += [sample(n, 2, "N", **cut, limit={"type": "token", "limit": 512}) if n <= lost else sample(n, 2, "C") for n in range(1, 21)]
    broken = sample("b", 1, None, error={"message": "connection reset"}, output={"choices": []})
    return [*rows, broken]


@pytest.mark.parametrize("is_zip", [True, False])
def test_inspect_epochs_letters_errors_and_limits(tmp_path: Path, is_zip: bool, capsys: pytest.CaptureFixture[str]) -> None:
    def side(name: str, lost: int) -> Path:
        told = {"eval": {"task": "suite/t", "model": name}, "plan": {"steps": []}}
        if not is_zip:
            return write_json(tmp_path / f"{name}.json", {"version": 2, **told, "samples": inspect_samples(lost)})
        with zipfile.ZipFile(tmp_path / f"{name}.eval", "w") as packed:
            packed.writestr("header.json", json.dumps(told))
            for one in inspect_samples(lost):
                packed.writestr(f"samples/{one['id']}_epoch_{one['epoch']}.json", json.dumps(one))
        return tmp_path / f"{name}.eval"

    sides = side("bf16", 1), side("fp8", 4)
    assert refused(capsys, *sides).endswith("has several metrics (match, grader): choose one with --metric")
    found, *_ = judged(capsys, *sides, "--metric=match", MAY)
    assert (found["suite"], found["checkpoint"], counts(found), found["clusters"]) == ("t", "fp8", (40, 3, 0), 20)
    assert found["unanswered"]["cut_off"] == 4
    assert "1 of 41 requests failed here (b: connection reset)" in found["reason"]
    assert judged(capsys, *sides, "--metric=grader", MAY)[0]["drop"] == 0


def test_evalplus_two_suites_repeats_and_empty_solutions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def side(name: str, lost: int) -> Path:
        held: dict[str, Any] = {}
        for n in range(20):
            status = "fail" if n < lost else "pass"
            one = {"task_id": f"Task/{n}", "solution": "" if n == 0 else "x", "base_status": status}
            held[f"Task/{n}"] = [{**one, "plus_status": "fail" if n < lost + 2 else status, "base_fail_tests": [], "plus_fail_tests": []}]
        held["Task/19"].append({"task_id": "Task/19", "solution": "b", "base_status": "timeout", "plus_status": "timeout"})
        return write_json(tmp_path / name / "eval_results.json", {"date": "2026-01-01", "hash": "h", "eval": held})

    found = judged(capsys, side("bf16", 1), side("fp8", 4), MAY)
    assert [(one["suite"], counts(one), one["clusters"]) for one in found] == [("task", (21, 3, 0), 20), ("task+", (21, 3, 0), 20)]
    assert [one["unanswered"]["empty"] for one in found] == [1, 1]


def test_chat_completions_that_nobody_graded_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = {"content": None, "tool_calls": [{"function": {"name": "add", "arguments": "{not json"}}]}
    rows = [{"id": f"t-{n}", "response": {"choices": [{"message": call, "finish_reason": "tool_calls"}]}} for n in range(3)]
    path = write_lines(tmp_path / "a.jsonl", rows)
    assert refused(capsys, path, path) == (
        f"{path}: these are chat completions that nobody graded: grade them first, or name the columns of graded lines with --columns"
    )


def test_counts_in_the_place_of_a_score_are_refused_and_an_id_that_stands_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"sentence": one, "predicted_persons": [], "tp": tp, "fp": fp, "fn": 1, "right": tp}
        for one, tp, fp in (("Ann met Bob.", 1, 0), ("It rained.", 0, 0), ("It rained.", 0, 1))
    ]
    path = write_lines(tmp_path / "a.jsonl", rows)
    assert refused(capsys, path, path) == (
        f"{path}: these are counts (tp, fp, fn) in the place of a score: a column for right or wrong, by --columns, can be compared"
    )
    twice = refused(capsys, path, path, "--columns=id=sentence,correct=right")
    assert twice == f"{path}, line 3: item 'It rained.' stands there again, first in line 2"
