"""LiveBench's judgments: one model of many, turns, errors that are no zeros, endings from the answers beside."""

from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import MeasurementError
from tests_fixtures.doubles.adopted import judged, only, shown, write_lines


def judgment(question: str, score: Any, model: str = "m-bf16", **fields: Any) -> dict[str, Any]:
    return {
        "question_id": question,
        "task": "t",
        "model": model,
        "score": score,
        "tstamp": 1.5,
        "category": "math",
        "answer_id": "a",
        **fields,
    }


def given(question: str, *turns: str, tokens: int = 60, model: str = "m-bf16") -> dict[str, Any]:
    choices = [{"index": 0, "turns": list(turns)}]
    return {"question_id": question, "answer_id": "a", "model_id": model, "choices": choices, "total_output_tokens": tokens}


def test_one_model_s_scores_are_read_and_errors_are_none(tmp_path: Path) -> None:
    rows = [
        judgment("q1", 0.375, turn=1, category="instruction_following"),
        judgment("q2", 1),
        judgment("q2", -1, "M-NVFP4"),
        judgment("q3", 0, "M-NVFP4", eval_status="eval_error", error_msg="timeout"),
        judgment("q1", 0.5, "M-NVFP4"),
    ]
    path = write_lines(tmp_path / "ground_truth_judgment.jsonl", rows)
    run = only(path, model="m-bf16")
    assert [(one.id, one.worth, one.group) for one in run.items] == [("q1", 0.375, "instruction_following"), ("q2", 1.0, "math")]
    other = only(path, model="m-nvfp4")
    assert (other.model, shown(other), other.failed) == ("M-NVFP4", [("q1", 0.5)], {"q2": "score -1", "q3": "timeout"})
    with pytest.raises(MeasurementError, match=r"holds the models M-NVFP4, m-bf16: choose one a side, --model BASELINE --model CANDIDATE"):
        only(path)
    with pytest.raises(MeasurementError, match=r"holds no one model m-fp8; there is M-NVFP4, m-bf16"):
        only(path, model="m-fp8")


def test_the_last_judgment_of_an_answer_counts_and_turns_are_a_cluster(tmp_path: Path) -> None:
    rows = [
        judgment("q", 0.0, turn=1),
        judgment("q", 0.5, turn=2),
        judgment("q", 1.0, turn=1, tstamp=9.0),
        judgment("q", 0.1, turn=2, tstamp=1),
    ]
    run = only(write_lines(tmp_path / "a.jsonl", rows))
    assert [(one.id, one.worth, one.cluster) for one in run.items] == [("q", 1.0, "q"), ("q:2", 0.5, "q")]


def test_judgments_are_found_among_what_else_a_program_printed(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    said = "loading\nquestion: 00ab, turn: 1, model: m a, score: 0.25, \nGROUND TRUTH [] {}\nquestion: 00ac, model: m a, score: 1, \n"
    path.write_text(said + "question: 00ac, turn: 2, model: m a, score: -1, \n", encoding="utf-8")
    run = only(path)
    assert (run.model, shown(run), run.failed) == ("m a", [("00ab", 0.25), ("00ac", 1.0)], {"00ac:2": "score -1"})
    path.write_text(said + "question: 00ad, model: m a, score: None, \n", encoding="utf-8")
    with pytest.raises(MeasurementError, match="line 5: the metric score is 'None', and no number"):
        only(path)


def test_judgments_of_two_answers_are_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [judgment("q", 0.0), judgment("q", 1.0, answer_id="b")])
    with pytest.raises(MeasurementError, match=r"line 2: question 'q', turn 1, was judged .* 'b', and in line 1 of a.jsonl for 'a'"):
        only(path)


@pytest.mark.parametrize("beside", [True, False])
def test_the_answers_tell_thoughts_without_end_tokens_and_errors(tmp_path: Path, beside: bool) -> None:
    path = write_lines(tmp_path / "model_judgment" / "ground_truth_judgment.jsonl", [judgment(f"q{n}", 0) for n in range(3)])
    answers = [given("q0", "<think>\nlet me see", tokens=1024), given("q1", "<think>\nok</think>\n4"), given("q2", "$ERROR$", tokens=-1)]
    write_lines(tmp_path / "model_answer" / "m-bf16.jsonl", answers)
    run = only(path if beside else tmp_path)
    assert [(one.id, one.open_think, one.completion_tokens) for one in run.items] == [("q0", True, 1024), ("q1", False, 60)]
    assert run.failed == {"q2": "no answer ($ERROR$)"}


def test_answers_that_nobody_judged_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="answers that nobody judged"):
        only(write_lines(tmp_path / "m.jsonl", [given("q", "4")]))


def test_two_models_of_one_file_are_two_sides_and_a_cluster_of_one_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [judgment(f"q{n}", float(n % 5 != 0 and (side == "a" or n % 10 != 1)), side) for side in "ab" for n in range(100)]
    rows[0]["score"] = -1
    path = write_lines(tmp_path / "ground_truth_judgment.jsonl", rows)
    (found,) = judged(capsys, path, path, "--model=a", "--model=b")
    assert (found["suite"], found["checkpoint"], found["n"], found["clusters"]) == ("livebench", "b", 99, None)
    assert found["discordant"] == {"regressed": 10, "improved": 0}
    assert "left out on both sides: 1 of 100 requests failed of the baseline's (q0: score -1)" in found["reason"]


def test_questions_of_one_turn_compare_unpaired_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [judgment(f"{side}{n}", float(n % 5 != 0), side) for side in "ab" for n in range(100)]
    path = write_lines(tmp_path / "ground_truth_judgment.jsonl", rows)
    (found,) = judged(capsys, path, path, "--model=a", "--model=b", "--unpaired")
    assert (found["n"], found["drop"]) == (100, pytest.approx(0.0))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"question_id": "q", "model": "m", "score": None}, "line 2: the metric score is None, and no number"),
        ({"question_id": "q", "score": 1}, "line 2 is no judgment of LiveBench's: Object missing required field `model`"),
    ],
)
def test_a_broken_judgment_is_named(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    path = write_lines(tmp_path / "a.jsonl", [judgment("first", 1, "m"), row])
    with pytest.raises(MeasurementError) as refusal:
        only(path)
    assert said in str(refusal.value)
