"""evalscope's reviews, with the predictions that lie beside them."""

from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import MeasurementError
from quantgate.measure.adopt import Choice, adopt
from tests_fixtures.doubles.adopted import only, shown, write_lines


def review(index: int, value: dict[str, Any], group: int | None = None, main: str | None = None, found: str = "4") -> dict[str, Any]:
    score = {"value": value, "extracted_prediction": found, "prediction": found, "main_score_name": main}
    return {"index": index, "input": "2+2", "target": "4", "sample_score": {"score": score, "sample_id": index, "group_id": group}}


def prediction(index: int, stop: str, tokens: int = 9, error: str | None = None, text: str = "4") -> dict[str, Any]:
    choice = {"message": {"content": text, "role": "assistant", "tool_calls": None}, "stop_reason": stop}
    return {"index": index, "model_output": {"choices": [choice], "usage": {"output_tokens": tokens}, "error": error}}


def test_score_and_ending_are_joined_by_index_whatever_their_order(tmp_path: Path) -> None:
    reviews = [review(3, {"acc": 1.0}), review(0, {"acc": 0.0}, found=""), review(1, {"acc": 0.0})]
    predictions = [prediction(0, "max_tokens", 2048, text="<think>so"), prediction(1, "stop", error="refused"), prediction(3, "stop")]
    path = write_lines(tmp_path / "reviews" / "m-fp8" / "gsm8k_main.jsonl", reviews)
    write_lines(tmp_path / "predictions" / "m-fp8" / "gsm8k_main.jsonl", predictions)
    for run in (only(path), only(tmp_path)):
        assert (run.suite, run.model, run.figure) == ("gsm8k_main", "m-fp8", "metric acc")
        assert [(one.id, one.worth, one.finish_reason, one.open_think, one.parsed, one.completion_tokens) for one in run.items] == [
            ("3", 1.0, "stop", False, True, 9),
            ("0", 0.0, "max_tokens", True, False, 2048),
        ]
        assert run.failed == {"1": "refused"}


def test_without_predictions_the_ending_is_not_known(tmp_path: Path) -> None:
    (item,) = only(write_lines(tmp_path / "a.jsonl", [review(0, {"acc": 1.0})])).items
    assert (item.finish_reason, item.completion_tokens, item.answer) == ("", 0, "4")


def test_repeats_of_one_question_are_a_cluster(tmp_path: Path) -> None:
    rows = [review(9, {"acc": 0.0}, 1), review(8, {"acc": 1.0}, 1), review(2, {"acc": 1.0}, 2)]
    run = only(write_lines(tmp_path / "a.jsonl", rows))
    assert [(one.id, one.cluster) for one in run.items] == [("9", "1"), ("8", "1"), ("2", "2")]


def test_of_several_metrics_the_main_one_counts_or_one_is_chosen(tmp_path: Path) -> None:
    value = {"inst_level_strict": 0.5, "prompt_level_strict": 0, "prompt_level_loose": 1}
    path = write_lines(tmp_path / "a.jsonl", [review(3, value, main="prompt_level_strict")])
    assert shown(only(path)) == [("3", 0.0)]
    assert shown(only(path, metric="inst_level_strict")) == [("3", 0.5)]
    with pytest.raises(MeasurementError, match=r"line 1 has several metrics \(Pass@1, test_pass_fraction\): choose one with --metric"):
        only(write_lines(tmp_path / "b.jsonl", [review(2, {"Pass@1": 0.0, "test_pass_fraction": 0.25})]))


def test_predictions_alone_and_two_reviews_of_one_task_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="holds predictions that nobody scored"):
        only(write_lines(tmp_path / "p.jsonl", [prediction(0, "stop")]))
    for model in "xy":
        write_lines(tmp_path / "reviews" / model / "t.jsonl", [review(0, {"acc": 1.0})])
    with pytest.raises(MeasurementError, match="are both reviews of t: name the one file to compare"):
        adopt(tmp_path / "reviews", Choice())


def test_a_broken_review_is_named(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [review(0, {"acc": 1.0}), {"index": 1, "sample_score": {}}])
    with pytest.raises(MeasurementError, match=r"a.jsonl, line 2 is no review of evalscope's: Object missing required field `score`"):
        only(path)
