"""Every form that the other harnesses' published files have, as a small pair of our own, through `compare`: counts, or the sentence."""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests_fixtures.doubles.adopted import judged, refused, write_json, write_lines

MAY = "--unanswered=0.9"


def counts(found: dict[str, Any]) -> tuple[int, int, int]:
    """Items, regressed and improved."""
    return found["n"], found["discordant"]["regressed"], found["discordant"]["improved"]


def judgment(question: str, model: str, score: float, **fields: Any) -> dict[str, Any]:
    told = {"task": "algebra", "tstamp": 1.6, "category": "math", "answer_id": f"{model}-{question}"}
    return {"question_id": question, "model": model, "score": score, **told, **fields}


def test_livebench_1_all_models_in_one_file_with_errors_and_missing_items(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [judgment(f"q{n}", "m-bf16", 1, **({"turn": 1} if n % 2 else {})) for n in range(20)]
    rows += [judgment(f"q{n}", "M-NVFP4", -1 if n == 2 else float(n > 5), subtask="contest") for n in range(18)]
    rows[3] |= {"score": 0.375, "task": "sum_up", "category": "instruction_following"}
    rows[23] |= {"score": 0.375, "task": "sum_up", "category": "instruction_following"}
    path = write_lines(tmp_path / "ground_truth_judgment.jsonl", rows)
    models = ("--model=m-bf16", "--model=m-nvfp4")
    assert "item 'q18' is missing from the candidate" in refused(capsys, path, path, *models)
    (found,) = judged(capsys, path, path, *models, "--common")
    assert (found["checkpoint"], found["drop"]) == ("M-NVFP4", pytest.approx(100 * 4 / 17))  # 0, 1, 4, 5; 2 is an error, 3 is as it was
    assert "18 items that both sides have: 2 more are missing from the candidate, 0 from the baseline" in found["reason"]
    assert "1 of 18 requests failed here (q2: score -1)" in found["reason"]


def test_livebench_2_judged_again_in_turns_and_not_judged_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = []
    for model, second in (("m-bf16", 1.0), ("m-fp8", 0.0)):
        for n in range(20):
            rows += [judgment(f"q{n}", model, 0.0, turn=1, tstamp=10.0), judgment(f"q{n}", model, second if n < 4 else 1.0, turn=2)]
            rows += [judgment(f"q{n}", model, 1.0, turn=1, tstamp=99.0)]
        rows += [judgment("q20", model, 0, turn=1, eval_status="eval_error", error_msg="timeout")]
    path = write_lines(tmp_path / "ground_truth_judgment.jsonl", rows)
    models = ("--model=m-bf16", "--model=m-fp8")
    (found,) = judged(capsys, path, path, *models)
    assert (counts(found), found["clusters"]) == ((40, 4, 0), 20)
    assert "(q20: timeout)" in found["reason"]
    write_lines(path, [*rows, judgment("q1", "m-fp8", 1.0, turn=2, answer_id="other")])
    assert "question 'q1', turn 2, was judged for the answer 'other'" in refused(capsys, path, path, *models)


def test_livebench_3_the_answers_tell_what_was_cut_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [judgment(f"q{n}", model, float(n > 3)) for model in ("m-bf16", "m-fp8") for n in range(20)]
    path = write_lines(tmp_path / "model_judgment" / "ground_truth_judgment.jsonl", rows)
    said = {0: ("<think>\nlet me see", 1024), 1: ("$ERROR$", -1)}
    for model in ("m-bf16", "m-fp8"):
        answers = []
        for n in range(20):
            text, tokens = said.get(n, ("<think>\nok</think>\n4", 60)) if model == "m-fp8" else ("<think>\nok</think>\n4", 60)
            answers.append(
                {
                    "question_id": f"q{n}",
                    "answer_id": f"{model}-q{n}",
                    "model_id": model,
                    "choices": [{"index": 0, "turns": [text]}],
                    "total_output_tokens": tokens,
                    "api_info": {"provider": "local", "api_name": model, "api_kwargs": None},
                }
            )
        write_lines(tmp_path / "model_answer" / f"{model}.jsonl", answers)
    found, length = judged(capsys, path, path, "--model=m-bf16", "--model=m-fp8", MAY)
    assert counts(found) == (19, 0, 0)
    assert found["unanswered"]["in_reasoning"] == 1
    assert "1 of 20 requests failed here (q1: no answer ($ERROR$))" in found["reason"]
    assert (length["aspect"], length["n"]) == ("length", 19)
    answers_alone = tmp_path / "model_answer"
    assert "holds answers that nobody judged" in refused(capsys, answers_alone, answers_alone)


def test_livebench_4_judgments_among_log_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, wrong in (("bf16", 2), ("fp8", 5)):
        told = [f"question: 00{n:02}, {'turn: 1, ' if n % 2 else ''}model: {name}, score: {float(n >= wrong)}, " for n in range(20)]
        (tmp_path / f"{name}.log").write_text("\nGROUND TRUTH [] ... END OF OUTPUT\n".join(["start", *told]), encoding="utf-8")
    (found,) = judged(capsys, tmp_path / "bf16.log", tmp_path / "fp8.log")
    assert (found["checkpoint"], counts(found)) == ("fp8", (20, 3, 0))


def mmlu_pro(n: int, pred: str | None, text: str, name: str = "model_outputs", **fields: Any) -> dict[str, Any]:
    told = {"question": f"{n}+2?", "options": ["3", str(n + 2)], "answer": "B", "answer_index": 1, "category": "math", "src": "x"}
    return {"question_id": n, **told, "pred": pred, name: text, **fields}


def packed(path: Path, rows: Sequence[Any]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("m/results.json", json.dumps(rows))
    return path


def test_mmlu_pro_1_a_list_in_a_zip_with_nulls_and_two_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = [mmlu_pro(n, "B", "The answer is (B).", "generated_text") for n in range(30)]
    now = [mmlu_pro(n, *((None, "Let us see") if n == 0 else ("A", "answer is A") if n < 4 else ("B", "answer is B"))) for n in range(30)]
    (found,) = judged(capsys, packed(tmp_path / "bf16.zip", before), packed(tmp_path / "fp8.zip", now[::-1]))
    assert (found["suite"], counts(found), found["unanswered"]["unreadable"]) == ("mmlu_pro", (30, 4, 0), 1)


def test_mmlu_pro_2_a_guess_is_no_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = [mmlu_pro(n, "B", "The answer is (B).") for n in range(30)]
    now = [mmlu_pro(n, "B", "it takes more time to" if n < 2 else "The answer is (B).") for n in range(30)]
    (found,) = judged(capsys, write_json(tmp_path / "bf16.json", before), write_json(tmp_path / "fp8.json", now), MAY)
    assert counts(found) == (30, 2, 0)
    assert "2 letters that the text does not give were taken for guesses (here)" in found["reason"]


def test_mmlu_pro_3_the_same_id_with_another_question_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [mmlu_pro(n, "B", "answer is B") for n in range(3)]
    for field, value in (("question", "Where is it?"), ("answer", "A"), ("options", ["3", "x"])):
        sides = [write_json(tmp_path / "old.json", rows), write_json(tmp_path / "new.json", [*rows[:2], {**rows[2], field: value}])]
        assert refused(capsys, *sides).startswith("item '2' is another question on either side: ")


def test_wide_lines_have_both_sides_in_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {
            "question": f"{n}+2?",
            "ground_truth": f"A: {n + 2}",
            "small": {"is_correct": n % 3 > 0, "solution": f"A: {n}"},
            "large": {"is_correct": n % 4 > 0, "solution": f"A: {n}"},
        }
        for n in range(24)
    ]
    path = write_lines(tmp_path / "wide.jsonl", rows)
    columns = [f"--columns=question=question,correct={side}.is_correct,answer={side}.solution" for side in ("small", "large")]
    (found,) = judged(capsys, path, path, *columns)
    # large alone wrong: 4, 8, 16, 20; small alone: 3, 6, 9, 15, 18, 21
    assert (found["checkpoint"], counts(found)) == ("large", (24, 4, 6))
    assert "plain lines need --columns" in refused(capsys, path, path)
