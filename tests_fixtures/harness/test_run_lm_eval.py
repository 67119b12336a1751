"""What lm-eval's model of ours writes down of each answer, and how that finds its document again."""

import json
from pathlib import Path
from typing import Any

import pytest

from quantgate.harness.inside import run_lm_eval
from quantgate.harness.lm_eval import with_endings
from quantgate.records import Answer


def completion(text: str | None, reason: str, tokens: int, **message: str) -> dict[str, Any]:
    return {"choices": [{"message": {"content": text, **message}, "finish_reason": reason}], "usage": {"completion_tokens": tokens}}


def noted(file: Path, *answers: tuple[str, dict[str, Any]]) -> Path:
    with file.open("a", encoding="utf-8") as opened:
        for prompt, outputs in answers:
            token = run_lm_eval.PROMPT.set(run_lm_eval.key_of(prompt))
            text = outputs["choices"][0]["message"]["content"]
            opened.write(json.dumps(run_lm_eval.ending_of(outputs, [text])) + "\n")
            run_lm_eval.PROMPT.reset(token)
    return file


def samples(file: Path, *rows: tuple[int, str, list[Any]], filters: tuple[str, ...] = ("none",)) -> Path:
    lines = [
        {"doc_id": number, "arguments": {"gen_args_0": {"arg_0": [prompt], "arg_1": {}}}, "resps": resps, "filter": name}
        for name in filters
        for number, prompt, resps in rows
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


def test_an_ending_finds_its_document_by_prompt_and_text(tmp_path: Path) -> None:
    long = completion("x" * 400, "length", 24)
    endings = noted(tmp_path / "e.jsonl", ("b", completion("two", "stop", 2)), ("a", completion("two", "stop", 3)), ("c", long))
    with endings.open("a", encoding="utf-8") as killed:
        killed.write('{"prompt": "half')  # a run that was killed
    rows = [(0, "a", [["two"]]), (1, "b", [["two"]]), (2, "c", [["x" * 400]]), (3, "d", [["nobody noted it"]])]
    file = samples(tmp_path / "samples_sums_2026-11-27T20-00-00.1.jsonl", *rows, filters=("strict", "flexible"))
    found = run_lm_eval.ended([file], endings)
    assert [(one["task"], one["doc"], one["place"], one["finish_reason"], one["tokens"], len(one["tail"])) for one in found] == [
        ("sums", "0", 0, "stop", 3, 3),
        ("sums", "1", 0, "stop", 2, 3),
        ("sums", "2", 0, "length", 24, 300),
    ]


def test_answers_to_one_prompt_asked_several_times_keep_their_own(tmp_path: Path) -> None:
    endings = noted(
        tmp_path / "e.jsonl", *[("a", completion("same", "stop", tokens)) for tokens in (4, 5)], ("a", completion("other", "length", 9))
    )
    file = samples(tmp_path / "samples_sums_2026-11-27T20-00-00.1.jsonl", (0, "a", [["same", "other", "same"]]))
    assert [(one["place"], one["tokens"]) for one in run_lm_eval.ended([file], endings)] == [(0, 4), (1, 9), (2, 5)]


def test_without_endings_there_are_none(tmp_path: Path) -> None:
    file = samples(tmp_path / "samples_sums_2026-11-27T20-00-00.1.jsonl", (0, "a", [["x"]]))
    assert run_lm_eval.ended([file], tmp_path / "none.jsonl") == []


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_alone_is_no_answer_yet(tmp_path: Path, name: str) -> None:
    endings = noted(tmp_path / "e.jsonl", ("a", completion(None, "length", 24, **{name: "40 and 2"})))
    file = samples(tmp_path / "samples_sums_2026-11-27T20-00-00.1.jsonl", (0, "a", [[""]]))
    (found,) = with_endings([answer("0")], run_lm_eval.ended([file], endings))
    assert (found.open_think, found.reasoning_characters, found.finish_reason, found.completion_tokens) == (True, 8, "length", 24)


def answer(name: str, text: str = "") -> Answer:
    return Answer(
        id=name, group="", correct=False, answer=text, extracted="", strict=False, flexible=False, parsed=False, open_think=False,
        finish_reason="", completion_tokens=0,
    )  # fmt: skip


def test_items_are_found_by_document_task_and_place() -> None:
    how = {"finish_reason": "stop", "tail": "t", "reasoning": 0}
    endings = [{"task": "x", "doc": "0", "place": place, "tokens": 10 + place, **how} for place in (0, 1)]
    endings += [{"task": "y", "doc": "0", "place": 0, "tokens": 20, **how}]
    found = with_endings([answer("x:0:1"), answer("x:0:2"), answer("y:0"), answer("z:0", "said")], endings)
    assert [(one.completion_tokens, one.finish_reason) for one in found] == [(10, "stop"), (11, "stop"), (20, "stop"), (0, "")]
    assert found[-1].answer == "said"
