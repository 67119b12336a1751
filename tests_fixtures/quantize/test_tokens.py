"""Texts for calibration: which rows, through which template, cut to what."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from quantgate.quantize import tokens
from tests_fixtures.doubles.fake_llmcompressor import rows

REFERENCE = Path(__file__).parents[2] / "fixtures" / "reference"
SUITES = Path(__file__).parents[2] / "quantgate" / "suites" / "reference"


class Letters:
    """A tokenizer of letters; its template puts a role's first letter in front, and takes users alone."""

    chat_template: str | None = "there is one"

    def __call__(self, text: str, *, add_special_tokens: bool = True) -> dict[str, list[int]]:
        return {"input_ids": [0] * add_special_tokens + [ord(letter) for letter in text]}

    def apply_chat_template(self, messages: list[dict[str, str]], *, tokenize: bool) -> str:
        from jinja2 import TemplateError

        assert not tokenize
        if any(message["role"] != "user" for message in messages):
            raise TemplateError("users alone")
        return "".join(f"{message['role'][0]}{message['content']}" for message in messages)


def task(files: list[Path], samples: int, max_length: int = 9, seed: int = 0) -> dict[str, Any]:
    return {"model": "m", "files": [str(file) for file in files], "samples": samples, "max_length": max_length, "seed": seed}


def spell(ids: list[int]) -> str:
    return "".join(chr(one) for one in ids[1:])


def test_all_rows_come_in_their_order_whatever_the_seed(tmp_path: Path) -> None:
    files = [rows(tmp_path, 3), rows(tmp_path, 2, "b.jsonl")]
    total, found, skipped = tokens.chosen(task(files, 5, seed=11), lambda _: Letters())
    assert (total, skipped) == (5, 0)
    assert [spell(ids) for ids in found] == ["0", "1", "2", "0", "1"]


def test_a_choice_depends_on_the_seed_alone(tmp_path: Path) -> None:
    file = rows(tmp_path, 40)
    drawn = [tokens.chosen(task([file], 7, seed=seed), lambda _: Letters())[1] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    wanted = sorted(random.Random(1).sample(range(40), 40)[:7])
    assert [spell(ids) for ids in drawn[0]] == [str(number) for number in wanted]


def test_rows_that_give_no_tokens_are_made_up_for_by_others(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    chats = [{"messages": [{"role": role, "content": str(number)}]} for number, role in enumerate(["user", "tool"] * 4)]
    file.write_text("".join(f"{json.dumps(chat)}\n" for chat in chats), encoding="utf-8")
    total, found, skipped = tokens.chosen(task([file], 4), lambda _: Letters())
    assert (total, ["".join(map(chr, ids)) for ids in found]) == (8, ["u0", "u2", "u4", "u6"])
    assert 0 < skipped <= 4
    with pytest.raises(
        tokens.RefusedError, match=r"has 8 rows, of which 4 give tokens \(.* the chat template says users alone\), and 5 are"
    ):
        tokens.chosen(task([file], 5), lambda _: Letters())


def test_a_text_is_encoded_as_a_prompt_and_a_chat_as_its_template_writes_it() -> None:
    assert tokens.encode({"text": "abc"}, Letters(), 3) == [0, ord("a"), ord("b")]
    chat = {"messages": [{"role": "user", "content": "abc"}], "text": "never"}
    assert tokens.encode(chat, Letters(), 3) == [ord("u"), ord("a"), ord("b")]


@pytest.mark.parametrize(
    ("content", "samples", "said"),
    [
        ('{"text": "a"}\n{"text": "b"}\n', 3, "has 2 rows, and 3 are asked for; say --samples 2"),
        ('{"question": "a", "answer": "b"}\n', 1, "has a row with neither `messages` nor `text`, but question, answer"),
        ('{"text": "a"}\nnonsense\n', 2, r"has a line that is no JSON: a.jsonl, row 2: "),
        ("[1]\n", 1, "has a line that is no JSON object: a.jsonl, row 1"),
    ],
)
def test_data_that_cannot_be_used_are_refused(content: str, samples: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(tokens.RefusedError, match=said):
        tokens.chosen(task([tmp_path / "a.jsonl"], samples), lambda _: Letters())


def test_chats_need_a_chat_template() -> None:
    silent = Letters()
    silent.chat_template = None
    with pytest.raises(tokens.RefusedError, match="holds chats, and the model has no chat template; take data with `text`"):
        tokens.encode({"messages": [{"role": "user", "content": "a"}]}, silent, 9)


def test_a_refusal_is_told_in_a_file_and_by_the_exit_code(tmp_path: Path) -> None:
    asked = {**task([rows(tmp_path, 1)], 2), "tokens": str(tmp_path / "ids"), "told": str(tmp_path / "told")}
    assert tokens.main(asked) == 1
    assert json.loads((tmp_path / "told").read_text(encoding="utf-8")) == {"refused": "has 1 rows, and 2 are asked for; say --samples 1"}
    assert not (tmp_path / "ids").exists()


@pytest.mark.thorough
def test_the_reference_s_chats_and_texts_come_out_as_its_own_tokenizer_has_them(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    file = tmp_path / "a.jsonl"
    text = json.loads((SUITES / "calibration.jsonl").read_text(encoding="utf-8").splitlines()[1])["text"]
    asked, answered = text.removeprefix("<|user|>").removesuffix("<|end|>").split("<|end|><|assistant|>")
    chat = {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]}
    file.write_text(f"{json.dumps({'text': text})}\n{json.dumps(chat)}\n", encoding="utf-8")
    made = {**task([file], 2, max_length=500), "model": str(REFERENCE / "bf16"), "tokens": str(tmp_path / "ids")}
    assert tokens.main({**made, "told": str(tmp_path / "told")}) == 0
    ids = Tokenizer.from_file(str(REFERENCE / "bf16" / "tokenizer.json")).encode(text, add_special_tokens=False).ids
    assert [json.loads(line) for line in (tmp_path / "ids").read_text(encoding="utf-8").splitlines()] == [ids, ids]
