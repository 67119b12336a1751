"""Texts for calibration: which rows, through which template, cut to what; and where they come from."""

import json
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.errors import ConfigurationError
from fixtures.quantize import calibration, tokens

REFERENCE = Path(__file__).parents[1] / "fixtures" / "reference"


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


def rows(folder: Path, count: int, name: str = "a.jsonl") -> Path:
    file = folder / name
    file.write_text("".join(f'{{"text": "{number}"}}\n' for number in range(count)), encoding="utf-8")
    return file


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
    text = json.loads((REFERENCE / "suites" / "calibration.jsonl").read_text(encoding="utf-8").splitlines()[1])["text"]
    asked, answered = text.removeprefix("<|user|>").removesuffix("<|end|>").split("<|end|><|assistant|>")
    chat = {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]}
    file.write_text(f"{json.dumps({'text': text})}\n{json.dumps(chat)}\n", encoding="utf-8")
    made = {**task([file], 2, max_length=500), "model": str(REFERENCE / "bf16"), "tokens": str(tmp_path / "ids")}
    assert tokens.main({**made, "told": str(tmp_path / "told")}) == 0
    ids = Tokenizer.from_file(str(REFERENCE / "bf16" / "tokenizer.json")).encode(text, add_special_tokens=False).ids
    assert [json.loads(line) for line in (tmp_path / "ids").read_text(encoding="utf-8").splitlines()] == [ids, ids]


def test_the_files_of_the_split_are_taken_where_names_tell_it_else_all(tmp_path: Path) -> None:
    folder = tmp_path / "ultrachat" / "data"
    folder.mkdir(parents=True)
    for name in ("train_sft-1.parquet", "train_sft-0.parquet", "test_sft-0.parquet", "train_gen-0.parquet", "README.md"):
        (folder / name).touch()
    found = calibration.choose("ultrachat", tmp_path, 1, 1, 0)
    assert found is not None
    assert [file.name for file in found.files or []] == ["train_sft-0.parquet", "train_sft-1.parquet"]
    (tmp_path / "own").mkdir()
    rows(tmp_path / "own", 1)
    alone = calibration.choose(None, tmp_path / "own", 1, 1, 0)
    assert alone is not None
    assert (alone.source, alone.files) == (str(tmp_path / "own"), [tmp_path / "own" / "a.jsonl"])


def test_a_data_folder_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=rf"^--data-dir: there is no \*.jsonl or \*.parquet in {tmp_path}/gone$"):
        calibration.choose("gone", tmp_path, 1, 1, 0)


def test_the_hub_is_asked_for_the_split_alone_and_its_commit_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = tmp_path / ("c" * 40)
    (commit / "data").mkdir(parents=True)
    (commit / "data" / "train_sft-0.parquet").touch()
    asked: list[Any] = []

    def fetch(*given: Any, **named: Any) -> Path:
        asked.extend([given, named])
        return commit

    monkeypatch.setattr("fixtures.hub.fetch", fetch)
    wanted = calibration.choose("ultrachat", None, 1, 1, 0)
    assert wanted is not None
    found = calibration.fetched(wanted)
    assert found.source == f"HuggingFaceH4/ultrachat_200k at {'c' * 12}"
    assert found.files == [commit / "data" / "train_sft-0.parquet"]
    assert asked[0] == ("HuggingFaceH4/ultrachat_200k", None, "--calibrate ultrachat (HuggingFaceH4/ultrachat_200k)")
    assert asked[1]["kind"] == "dataset"
    assert "*/train_sft-*.parquet" in asked[1]["only"]


def test_a_length_within_the_model_s_is_left_as_it_is() -> None:
    wanted = calibration.Wanted("reference", 1, 100, 0, [])
    model: Any = SimpleNamespace(name="m", longest=100)
    assert calibration.fitted(wanted, model) == (wanted, None)
