"""Public questions: what is asked of each row, the same from the hub's files and from people's own, and rows that cannot be meant."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import errors

from quantgate.errors import ConfigurationError
from quantgate.measure.scoring import score
from quantgate.suites import SUITES, QuestionSuite, public
from quantgate.suites.public import AIME24, GPQA, MATH500, MMLU_PRO, PublicData

ROWS: dict[str, tuple[PublicData, list[dict[str, Any]]]] = {
    "math500": (
        MATH500,
        [
            {
                "problem": "Half of 1?", "solution": "…", "answer": "\\frac{1}{2}", "subject": "Algebra", "level": 1,
                "unique_id": "test/algebra/24.json",
            },
            {
                "problem": "2 + 2?", "solution": "…", "answer": "4", "subject": "Prealgebra", "level": 2,
                "unique_id": "test/prealgebra/24.json",
            },
        ],
    ),
    "aime24": (
        AIME24,
        [
            {"id": 60, "problem": "What is m + n?", "solution": "…", "answer": "073", "url": "https://…", "year": "2024"},
            {"id": 61, "problem": "And m - n?", "solution": "…", "answer": "204", "url": "https://…", "year": "2024"},
        ],
    ),
    "mmlu_pro": (
        MMLU_PRO,
        [
            {
                "question_id": 70, "question": "Which is last?", "options": [f"the {n}th" for n in range(10)], "answer": "J",
                "answer_index": 9, "cot_content": "", "category": "business", "src": "x",
            },
            {
                "question_id": 71, "question": "Which is first?", "options": ["this", "that", "none"], "answer": "A",
                "answer_index": 0, "cot_content": "", "category": "law", "src": "x",
            },
        ],
    ),
    "gpqa": (
        GPQA,
        [
            {
                "Record ID": f"rec{number}", "High-level domain": domain, "Question": f"Which is {number}?\n", "Correct Answer": " right ",
                "Incorrect Answer 1": "left\n", "Incorrect Answer 2": "up", "Incorrect Answer 3": "NA", "Subdomain": "any",
            }
            for number, domain in enumerate(["Physics", "Chemistry", "Biology", "Physics", "Physics", "Physics"])
        ],
    ),
}  # fmt: skip
"""Suite → its data, and rows of their shape, made here."""
ASKED_FORM: dict[str, Callable[[str], str]] = {
    "math": lambda answer: f"First this, then that.\n\n\\[ \\boxed{{{answer}}} \\]",
    "choice": lambda answer: f"A is not it, nor is B.\nAnswer: {answer}",
}


def kept(folder: Path, suite: str, rows: list[dict[str, Any]] | None = None) -> Path:
    """A --data-dir with these rows in it, as JSON lines."""
    source, made = ROWS[suite]
    (folder / source.local).parent.mkdir(exist_ok=True)
    (folder / source.local).write_text("".join(json.dumps(row) + "\n" for row in rows or made), encoding="utf-8")
    return folder


def load(suite: str, data: Path | None) -> QuestionSuite:
    found = SUITES[suite][1](data)
    assert isinstance(found, QuestionSuite)
    return found


@pytest.mark.parametrize("suite", ROWS)
def test_the_hub_s_files_give_the_same_suite(suite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets import Dataset

    source, rows = ROWS[suite]
    file = tmp_path / "snapshot" / source.pattern.replace("*", "00000-of-00001")
    file.parent.mkdir(parents=True)
    write = {".parquet": Dataset.to_parquet, ".csv": Dataset.to_csv, ".jsonl": Dataset.to_json}[file.suffix]
    write(Dataset.from_list(rows), file)
    asked: list[Any] = []

    def fetch(*given: Any, **named: Any) -> Path:
        asked.append((given[:2], named))
        return tmp_path / "snapshot"

    monkeypatch.setattr(public, "fetch", fetch)
    assert load(suite, None).fingerprint == load(suite, kept(tmp_path, suite)).fingerprint
    assert asked == [((source.hub, source.revision), {"kind": "dataset", "only": [source.pattern]})]


@pytest.mark.parametrize("suite", ROWS)
def test_the_right_answer_in_the_form_asked_for_is_right_and_every_other_is_not(suite: str, tmp_path: Path) -> None:
    found = load(suite, kept(tmp_path, suite))
    assert len(found.questions) == len(ROWS[suite][1])
    form = ASKED_FORM[found.scorer]
    for one in found.questions:
        scored = score(found.scorer, form(one.answer), one.answer)
        assert (scored.strict, scored.flexible, scored.correct) == (True, True, True)
        other = chr(ord(one.answer) + 1) if found.scorer == "choice" else f"{one.answer} + 1"
        assert not score(found.scorer, form(other), one.answer).correct


def test_a_problem_of_math_is_named_by_its_place_and_grouped_by_its_subject(tmp_path: Path) -> None:
    one, other = load("math500", kept(tmp_path, "math500")).questions
    assert (one.id, one.group, one.answer) == ("math500-algebra-24", "Algebra", "\\frac{1}{2}")
    assert one.prompt == "Half of 1?\n\nReason step by step, and put your final answer within \\boxed{}."
    assert other.id == "math500-prealgebra-24"


def test_aime_s_answers_are_integers_whatever_their_zeros(tmp_path: Path) -> None:
    found = load("aime24", kept(tmp_path, "aime24"))
    assert [(one.id, one.answer) for one in found.questions] == [("aime24-60", "73"), ("aime24-61", "204")]
    assert all(score("math", f"\\boxed{{{said}}}", "73").correct for said in ("073", "73"))
    assert found.max_tokens == 32768


def test_options_are_lettered_and_the_category_is_the_group(tmp_path: Path) -> None:
    one, other = load("mmlu_pro", kept(tmp_path, "mmlu_pro")).questions
    assert (one.id, one.group, one.answer, other.answer) == ("mmlu-pro-70", "business", "J", "A")
    assert one.prompt.startswith("Which is last?\n\nA) the 0th\nB) the 1th\n")
    assert "\nJ) the 9th\n\nThink it through" in one.prompt
    assert "C) none\n\nThink it through" in other.prompt


def test_gpqa_s_options_stand_in_an_order_that_their_record_decides(tmp_path: Path) -> None:
    rows = ROWS["gpqa"][1]
    there = {one.id: one for one in load("gpqa", kept(tmp_path, "gpqa")).questions}
    back = {one.id: one for one in load("gpqa", kept(tmp_path, "gpqa", rows[::-1])).questions}
    assert there == back
    assert len({one.answer for one in there.values()}) > 1
    for one in there.values():
        lettered = dict(line.split(") ", 1) for line in one.prompt.splitlines() if line[1:3] == ") ")
        assert lettered[one.answer] == "right"
        assert sorted(lettered.values()) == ["NA", "left", "right", "up"]
        assert list(lettered) == ["A", "B", "C", "D"]


def test_gpqa_s_order_stands_or_every_baseline_of_it_is_void(tmp_path: Path) -> None:
    found = load("gpqa", kept(tmp_path, "gpqa"))
    assert "".join(one.answer for one in found.questions) == "DACACD"
    assert found.fingerprint == "bab44f65538bbddd"


WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "no column": ("math500", {"answer": None}, "row 1 has no answer; it has problem, solution, subject, level, unique_id: is it Huggin"),
    "no question": ("gpqa", {"Question": ""}, "row 1 has no Question; it has Record ID, "),
    "no options": ("mmlu_pro", {"options": []}, "row 1 has no options; it has "),
    "too large": ("aime24", {"answer": "1000"}, "problem 60 has the answer '1000', and AIME's are integers from 000 to 999"),
    "no integer": ("aime24", {"answer": "7.5"}, "problem 60 has the answer '7.5', and AIME's"),
    "no such letter": ("mmlu_pro", {"answer": "K"}, "question 70 has the answer 'K' and 10 options: it is no letter of theirs"),
    "beyond": ("mmlu_pro", {"options": ["a", "b"]}, "question 70 has the answer 'J' and 2 options"),
    "eleven": ("mmlu_pro", {"options": list("abcdefghijk")}, "question 70 has the answer 'J' and 11 options"),
    "twice": ("math500", {"unique_id": "test/prealgebra/24.json"}, "its data have the question math500-prealgebra-24 twice; fetch them"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_row_that_cannot_be_meant_is_one_sentence(wrong: str, tmp_path: Path) -> None:
    suite, changed, said = WRONG[wrong]
    first, *others = ROWS[suite][1]
    with pytest.raises(ConfigurationError) as error:
        load(suite, kept(tmp_path, suite, [first | changed, *others]))
    assert said in str(error.value)
    assert f"suite {suite}" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_gated_data_set_says_where_to_ask_and_how_to_log_in(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    refusal: Any = SimpleNamespace(headers={}, request=None, status_code=401, text="")

    def refuse(*_: Any, **__: Any) -> None:
        raise errors.GatedRepoError("401 Client Error", response=refusal)

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", refuse)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(ConfigurationError) as error:
        load("gpqa", None)
    page = f"{huggingface_hub.constants.ENDPOINT}/datasets/Idavidrein/gpqa"
    assert str(error.value) == f"suite gpqa (Idavidrein/gpqa) is gated: ask for access on {page}, then log in (hf auth login, or HF_TOKEN)"
