"""What changes a fingerprint: meaning does, what a saving library adds does not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quantgate import fingerprint
from quantgate.errors import ConfigurationError

BF16 = Path(__file__).parents[1] / "fixtures" / "reference" / "bf16"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(BF16 / name, tmp_path)
    return tmp_path


def edit(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    change(content)
    file.write_text(json.dumps(content), encoding="utf-8")


def test_a_truncation_left_in_it_is_no_part_of_a_tokenizer(folder: Path) -> None:
    def saved_again(content: dict[str, Any]) -> None:
        content["truncation"] = {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}

    edit(folder / "tokenizer.json", saved_again)
    assert fingerprint.of_tokenizer(folder) == fingerprint.of_tokenizer(BF16)
    assert len(fingerprint.tokenizer(folder).encode("add 1 2 add 1 2").ids) > 2


def test_a_bos_that_the_post_processor_adds_changes_a_tokenizer(folder: Path) -> None:
    def adds_bos(content: dict[str, Any]) -> None:
        token, number = next(iter(content["model"]["vocab"].items()))
        content["post_processor"] = {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {token: {"id": token, "ids": [number], "tokens": [token]}},
        }

    edit(folder / "tokenizer.json", adds_bos)
    assert fingerprint.of_tokenizer(folder) != fingerprint.of_tokenizer(BF16)


def test_two_ids_exchanged_change_a_tokenizer(folder: Path) -> None:
    def exchanged(content: dict[str, Any]) -> None:
        vocabulary = content["model"]["vocab"]
        first, second = list(vocabulary)[-2:]
        vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]

    edit(folder / "tokenizer.json", exchanged)
    assert fingerprint.of_tokenizer(folder) != fingerprint.of_tokenizer(BF16)


def test_a_template_is_what_it_renders(folder: Path) -> None:
    template = folder / "chat_template.jinja"
    before = template.read_text(encoding="utf-8")
    template.write_text("{# a remark #}" + before, encoding="utf-8")
    assert fingerprint.of_chat_template(folder) == fingerprint.of_chat_template(BF16)
    template.write_text("be brief " + before, encoding="utf-8")
    assert fingerprint.of_chat_template(folder) != fingerprint.of_chat_template(BF16)


@pytest.mark.parametrize("content", ["", '{"model": {}}'])
def test_what_is_no_tokenizer_is_named(folder: Path, content: str) -> None:
    (folder / "tokenizer.json").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"tokenizer\.json is no (tokenizer|JSON object)"):
        fingerprint.of_tokenizer(folder)
