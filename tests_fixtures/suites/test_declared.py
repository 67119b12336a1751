"""Suites of a team's own: parts of known ones and local files, and every mistake in them one sentence."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quantgate.errors import ConfigurationError
from quantgate.registry import DeclaredSuite
from quantgate.suites import SUITES, CodeSuite, QuestionSuite, Suite, TextSuite, catalogue
from quantgate.suites.declared import scorer_for

MODELS = "models.toml"


def declared(**said: Any) -> DeclaredSuite:
    return msgspec.convert({"name": "mine", **said}, DeclaredSuite)


def load(one: DeclaredSuite, folder: Path, data: Path | None = None) -> Suite:
    return catalogue([one], folder / MODELS)[one.name][1](data)


def lines(file: Path, *rows: object) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_a_part_of_a_known_suite_is_drawn_by_its_seed_and_keeps_its_order(tmp_path: Path) -> None:
    whole = SUITES["reference-questions"][1](None)
    one = load(declared(**{"from": "reference-questions"}, n=50, max_tokens=32), tmp_path)
    again = load(declared(**{"from": "reference-questions"}, n=50, max_tokens=32, seed=1), tmp_path)
    assert isinstance(one, QuestionSuite)
    assert isinstance(again, QuestionSuite)
    assert isinstance(whole, QuestionSuite)
    assert (one.name, len(one.questions), one.max_tokens) == ("mine", 50, 32)
    places = [whole.questions.index(question) for question in one.questions]
    assert places == sorted(set(places))
    assert {one.fingerprint, again.fingerprint, whole.fingerprint} == {one.fingerprint} | {again.fingerprint, whole.fingerprint}
    assert len({one.fingerprint, again.fingerprint, whole.fingerprint}) == 3


def test_thinking_is_part_of_the_suite(tmp_path: Path) -> None:
    on, off = (load(declared(**{"from": "reference-questions"}, thinking=value), tmp_path) for value in (True, False))
    assert len({on.fingerprint, off.fingerprint, SUITES["reference-questions"][1](None).fingerprint}) == 3


def test_a_file_of_texts_is_json_lines_or_paragraphs(tmp_path: Path) -> None:
    lines(tmp_path / "a.jsonl", {"id": "x", "text": "One.", "cluster": "c"}, {"text": "Two."})
    (tmp_path / "b.txt").write_text("One\nstill one.\n\n  \nTwo.\n", encoding="utf-8")
    rows = load(declared(**{"from": "file:a.jsonl"}, kind="text"), tmp_path)
    plain = load(declared(**{"from": "file:b.txt"}, kind="text"), tmp_path)
    assert isinstance(rows, TextSuite)
    assert isinstance(plain, TextSuite)
    assert [tuple(one) for one in rows.documents] == [("x", "One.", "c"), ("row-2", "Two.", None)]
    assert [one.text for one in plain.documents] == ["One\nstill one.", "Two."]


def test_a_file_of_questions_is_read_by_what_its_answers_are(tmp_path: Path) -> None:
    lines(tmp_path / "q.jsonl", {"question": "1+1?", "answer": 2, "group": "sums"}, {"question": "1.5*2?", "answer": "3.0"})
    found = load(declared(**{"from": "file:q.jsonl"}, kind="answers", max_tokens=64, thinking=False), tmp_path)
    assert isinstance(found, QuestionSuite)
    assert [tuple(one) for one in found.questions] == [("row-1", "sums", "1+1?", "2"), ("row-2", "all", "1.5*2?", "3.0")]
    assert (found.scorer, found.max_tokens, found.thinking) == ("number", 64, False)


TASK = {
    "task_id": "own/1",
    "prompt": 'def double(x):\n    """Twice."""\n',
    "entry_point": "double",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
}


def test_a_file_of_tasks_is_asked_as_humaneval_is(tmp_path: Path) -> None:
    lines(tmp_path / "c.jsonl", TASK, TASK | {"task_id": 2, "canonical_solution": "    return 2 * x\n"})
    found = load(declared(**{"from": "file:c.jsonl"}, kind="code", max_tokens=64, n=2), tmp_path)
    assert isinstance(found, CodeSuite)
    assert (found.name, found.shape, found.max_tokens, [one.id for one in found.tasks]) == ("mine", "humaneval", 64, ["own/1", "2"])
    assert found.tasks[0].prompt.endswith('```python\ndef double(x):\n    """Twice."""\n```')
    assert found.tasks[0].row == TASK


def test_repeats_and_temperature_are_part_of_the_suite_where_they_are_used(tmp_path: Path) -> None:
    source = {"from": "reference-questions"}
    said: list[dict[str, Any]] = [
        {},
        {"repeats": 4},
        {"temperature": 0.6},
        {"repeats": 4, "temperature": 0.6},
        {"repeats": 5, "temperature": 0.6},
    ]
    prints = [load(declared(**source, **one), tmp_path).fingerprint for one in said]
    assert len(set(prints)) == 5
    plain = SUITES["reference-questions"][1](None).fingerprint
    assert prints[0] == plain == load(declared(**source, repeats=1, temperature=0), tmp_path).fingerprint == "ca0d37052f328932"
    found = load(declared(**source, repeats=4, temperature=0.6), tmp_path)
    assert isinstance(found, QuestionSuite)
    assert (found.repeats, found.temperature, len(found.questions)) == (4, 0.6, 1200)


@pytest.mark.parametrize(
    ("answers", "scorer"), [(["1", "-2"], "integer"), (["1", "2.5"], "number"), (["A", "D"], "choice"), (["A", "Paris"], "exact")]
)
def test_the_scorer_follows_the_answers(answers: list[str], scorer: str) -> None:
    assert scorer_for(answers) == scorer


def test_paths_lie_below_the_data_or_beside_models_toml(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "b.txt").write_text("There.", encoding="utf-8")
    (tmp_path / "b.txt").write_text("Here.", encoding="utf-8")
    one = declared(**{"from": "file:b.txt"}, kind="text")
    here, there = load(one, tmp_path), load(one, tmp_path, tmp_path / "data")
    assert isinstance(here, TextSuite)
    assert isinstance(there, TextSuite)
    assert [here.documents[0].text, there.documents[0].text] == ["Here.", "There."]


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "a taken name": ({"name": "wikitext2", "from": "gsm8k"}, "suite wikitext2 has the name of a suite that there is"),
    "no such suite": (
        {"from": "gsm9k"},
        "from = 'gsm9k' is no suite (did you mean gsm8k?); name file:PATH, a task as lm-eval:TASK, inspect:TASK, ",
    ),
    "a load": ({"from": "decode-16x64"}, "is a load, which has no part"),
    "no kind": ({"from": "file:a.jsonl"}, 'a file may hold anything; write kind = "text", kind = "answers" or kind = "code"'),
    "another kind": ({"from": "gsm8k", "kind": "text"}, "kind is 'text', and gsm8k is none"),
    "tokens of a text": ({"from": "wikitext2", "max_tokens": 5}, "max_tokens and thinking are for answers"),
    "repeats of a text": ({"from": "wikitext2", "repeats": 2}, "repeats and temperature are for questions, and it has none"),
    "temperature of code": ({"from": "humaneval", "temperature": 0.5}, "repeats and temperature are for questions, and it has none"),
    "no test": ({"from": "file:c.jsonl", "kind": "code"}, "c.jsonl, row 2 has no test; it has task_id, prompt, entry_point"),
    "no name": ({"from": "file:e.jsonl", "kind": "code"}, "e.jsonl, row 1 has the entry_point 'two words', which is no name of a function"),
    "no check": ({"from": "file:f.jsonl", "kind": "code"}, "f.jsonl, row 1 has a test that defines no check(candidate), which is what is"),
    "no Python": ({"from": "file:g.jsonl", "kind": "code"}, "g.jsonl, row 1 has a test that is no Python ("),
    "no solution": ({"from": "file:h.jsonl", "kind": "code"}, "h.jsonl, row 1 has a canonical_solution that is no text: 7"),
    "no prompt": ({"from": "file:p.jsonl", "kind": "code"}, "p.jsonl, row 1 has no prompt that is a text; it has task_id, prompt"),
    "one task twice": ({"from": "file:d.jsonl", "kind": "code"}, "d.jsonl has the id own/1 twice; items are paired by it"),
    "no file": (
        {"from": "file:none.txt", "kind": "text"},
        "none.txt cannot be read: No such file or directory; paths lie below",
    ),
    "too many": ({"from": "reference-text", "n": 300}, "n is 300, and reference-text has 256; ask for fewer, or leave n out"),
    "no JSON": ({"from": "file:bad.jsonl", "kind": "text"}, "bad.jsonl, line 2: no JSON ("),
    "no object": ({"from": "file:list.jsonl", "kind": "text"}, "list.jsonl, line 1: a row is an object with keys, and this is [1]"),
    "no text": ({"from": "file:q.jsonl", "kind": "text"}, "q.jsonl, row 1 has no text; it has question, answer"),
    "no answer": ({"from": "file:t.jsonl", "kind": "answers"}, "t.jsonl, row 1 has no question; it has text, id"),
    "a number": ({"from": "file:n.jsonl", "kind": "text"}, "n.jsonl, row 1 has no text that is a text; it has text"),
    "twice": ({"from": "file:t.jsonl", "kind": "text"}, "t.jsonl has the id x twice; items are paired by it"),
    "empty": ({"from": "file:empty.jsonl", "kind": "text"}, "empty.jsonl is empty; there is nothing to ask"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence(mistake: str, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"text": "a"}\n{', encoding="utf-8")
    lines(tmp_path / "list.jsonl", [1])
    lines(tmp_path / "q.jsonl", {"question": "1?", "answer": "1"})
    lines(tmp_path / "t.jsonl", {"text": "a", "id": "x"}, {"text": "b", "id": "x"})
    lines(tmp_path / "n.jsonl", {"text": 3})
    lines(tmp_path / "c.jsonl", TASK, {key: TASK[key] for key in ("task_id", "prompt", "entry_point")})
    lines(tmp_path / "d.jsonl", TASK, TASK)
    lines(tmp_path / "e.jsonl", TASK | {"entry_point": "two words"})
    lines(tmp_path / "f.jsonl", TASK | {"test": "assert double(2) == 4"})
    lines(tmp_path / "g.jsonl", TASK | {"test": "def check("})
    lines(tmp_path / "h.jsonl", TASK | {"canonical_solution": 7})
    lines(tmp_path / "p.jsonl", TASK | {"prompt": ["def"]})
    (tmp_path / "empty.jsonl").touch()
    said, message = MISTAKES[mistake]
    with pytest.raises(ConfigurationError) as error:
        load(declared(**said), tmp_path)
    assert message in str(error.value)
    assert "mine" in str(error.value) or "wikitext2" in str(error.value)
