"""One tokenizer in the forms that versions of tokenizers and transformers give it: one fingerprint; another tokenizer: another."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from quantgate import fingerprint

REPOSITORY = Path(__file__).parents[1]
SHIPPED = {"fixtures/reference/bf16": "30452b5e7c03e5a1", "fixtures/shapes/qwen3-32b/bf16": "844df9835cf7a586"}
SPLIT = r"(?i:'s|'t|'re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+(?!\S)|\s+"
Raw = dict[str, Any]
Edit = Callable[[Raw], object]


@pytest.mark.parametrize("folder", SHIPPED)
def test_tokenizers_that_baselines_were_approved_with_keep_their_fingerprints(folder: str) -> None:
    assert fingerprint.of_tokenizer(REPOSITORY / folder) == SHIPPED[folder]


def _trained(tokenizer: Tokenizer, **settings: Any) -> Tokenizer:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8") + " 77 777 77 777 123 1234 12 café naïve"
    tokenizer.train_from_iterator([text] * 2, trainers.BpeTrainer(vocab_size=700, show_progress=False, **settings))
    return tokenizer


def byte_level() -> Tokenizer:
    """As Qwen's and Llama 3's."""
    found = Tokenizer(models.BPE())
    found.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(SPLIT), "isolated")
    found.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    found.decoder = decoders.ByteLevel()
    _trained(found, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    found.add_special_tokens(["<|begin|>", "<|end|>"])
    return found


def metaspace() -> Tokenizer:
    """As Llama 2's."""
    pieces = Tokenizer(models.BPE(unk_token="<unk>"))  # noqa: S106 (no password)
    pieces.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="always")
    alphabet = [f"<0x{octet:02X}>" for octet in range(256)]
    model = json.loads(_trained(pieces, special_tokens=["<unk>", "<s>", "</s>", *alphabet]).to_str())["model"]
    merges = [tuple(pair) for pair in model["merges"]]
    found = Tokenizer(models.BPE(vocab=model["vocab"], merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))  # noqa: S106
    found.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    found.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in ("<unk>", "<s>", "</s>")])
    return found


def save(folder: Path, tokenizer: Tokenizer, **config: Any) -> Path:
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"bos_token": "<|begin|>", "eos_token": "<|end|>", **config}), encoding="utf-8"
    )
    return folder


def edited(folder: Path, edit: Edit, name: str = "tokenizer.json") -> Path:
    copy = folder.with_name("edited")
    shutil.copytree(folder, copy)
    raw = json.loads((copy / name).read_text(encoding="utf-8"))
    edit(raw)
    (copy / name).write_text(json.dumps(raw), encoding="utf-8")
    return copy


def frame(raw: Raw, token: str | None, number: int = 0) -> None:
    """A post-processor with that token before the text."""
    pieces: list[Raw] = [{"Sequence": {"id": "A", "type_id": 0}}]
    special = {}
    if token is not None:
        pieces.insert(0, {"SpecialToken": {"id": token, "type_id": 0}})
        special = {token: {"id": token, "ids": [number], "tokens": [token]}}
    pair = [*pieces, {"Sequence": {"id": "B", "type_id": 1}}]
    raw["post_processor"] = {"type": "TemplateProcessing", "single": pieces, "pair": pair, "special_tokens": special}


SAME: dict[str, Edit] = {
    "merges as strings": lambda raw: raw["model"].update(merges=[" ".join(pair) for pair in raw["model"]["merges"]]),
    "defaults left out": lambda raw: [raw["model"].pop(key) for key in ("ignore_merges", "byte_fallback", "fuse_unk", "dropout")],
    "empty for none": lambda raw: raw["model"].update(continuing_subword_prefix="", end_of_word_suffix=""),
    "a sequence of one": lambda raw: raw.update(normalizer={"type": "Sequence", "normalizers": [raw["normalizer"]]}),
    "a post-processor that adds nothing": lambda raw: frame(raw, None),
    "another version": lambda raw: raw.update(version="1.0", truncation=None, padding=None),
    "the vocabulary in another order": lambda raw: raw["model"].update(vocab=dict(sorted(raw["model"]["vocab"].items()))),
}


@pytest.mark.parametrize("way", SAME)
def test_another_form_of_a_tokenizer_has_its_fingerprint(way: str, tmp_path: Path) -> None:
    folder = save(tmp_path / "one", byte_level())
    assert fingerprint.of_tokenizer(edited(folder, SAME[way])) == fingerprint.of_tokenizer(folder)


def exchange(raw: Raw, first: int, second: int) -> None:
    merges = raw["model"]["merges"]
    merges[first], merges[second] = merges[second], merges[first]


OTHERS: dict[str, Edit] = {
    "two merges exchanged": lambda raw: exchange(raw, 30, 31),
    "the last merge lost": lambda raw: raw["model"]["merges"].pop(),
    "no normal form": lambda raw: raw.update(normalizer=None),
    "lower case": lambda raw: raw.update(normalizer={"type": "Lowercase"}),
    "digits one by one": lambda raw: raw["pre_tokenizer"]["pretokenizers"].insert(0, {"type": "Digits", "individual_digits": True}),
    "a space before the text": lambda raw: raw["pre_tokenizer"]["pretokenizers"][1].update(add_prefix_space=True),
    "words not split": lambda raw: raw["pre_tokenizer"]["pretokenizers"].pop(0),
    "whole words first": lambda raw: raw["model"].update(ignore_merges=True),
    "a special token lost": lambda raw: raw["added_tokens"].pop(),
    "an added token that takes its spaces": lambda raw: raw["added_tokens"][0].update(lstrip=True),
    "a token before the text": lambda raw: frame(raw, "<|begin|>", 700),
}


@pytest.mark.parametrize("way", OTHERS)
def test_another_tokenizer_has_another_fingerprint(way: str, tmp_path: Path) -> None:
    folder = save(tmp_path / "one", byte_level())
    assert fingerprint.of_tokenizer(edited(folder, OTHERS[way])) != fingerprint.of_tokenizer(folder)


def test_a_normalizer_and_a_pre_tokenizer_that_do_the_same_are_the_same(tmp_path: Path) -> None:
    def as_version_5_writes_it(raw: Raw) -> None:
        raw.update(normalizer=None, pre_tokenizer={"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": False})
        raw["model"].update(unk_token=None)

    folder = save(tmp_path / "one", metaspace())
    assert fingerprint.of_tokenizer(edited(folder, as_version_5_writes_it)) == fingerprint.of_tokenizer(folder)


@pytest.mark.parametrize("key", ["add_bos_token", "add_eos_token"])
def test_keys_that_the_library_does_not_read_beside_tokenizer_json_are_no_part_of_it(key: str, tmp_path: Path) -> None:
    folder = save(tmp_path / "one", byte_level())
    for value in (True, False):
        asked = save(tmp_path / f"{value}", byte_level(), **{key: value})
        assert fingerprint.of_tokenizer(asked) == fingerprint.of_tokenizer(folder)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("make", "config"),
    [
        (byte_level, {"tokenizer_class": "PreTrainedTokenizerFast"}),
        (byte_level, {"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": True}),
        (metaspace, {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "bos_token": "<s>", "eos_token": "</s>", "legacy": True}),
        (metaspace, {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "legacy": False}),
    ],
)
def test_what_transformers_saves_again_has_the_fingerprint_of_what_it_read(
    make: Callable[[], Tokenizer], config: Raw, tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers")
    folder = save(tmp_path / "one", make(), **config)
    transformers.AutoTokenizer.from_pretrained(str(folder)).save_pretrained(str(tmp_path / "again"))
    assert fingerprint.of_tokenizer(tmp_path / "again") == fingerprint.of_tokenizer(folder)


def test_a_template_is_rendered_with_tokens_as_text_wherever_they_stand(tmp_path: Path) -> None:
    folder = save(tmp_path / "one", byte_level(), chat_template="{{ bos_token }}{{ messages[0].content }}")
    before = fingerprint.of_chat_template(folder)
    told = {"bos_token": {"content": "<|begin|>", "special": True}}
    assert fingerprint.of_chat_template(edited(folder, lambda raw: raw.update(told), "tokenizer_config.json")) == before
    shutil.rmtree(folder.with_name("edited"))
    moved = edited(folder, lambda raw: raw.pop("bos_token"), "tokenizer_config.json")
    (moved / "special_tokens_map.json").write_text(json.dumps(told), encoding="utf-8")
    assert fingerprint.of_chat_template(moved) == before


def test_of_several_templates_the_default_one_counts(tmp_path: Path) -> None:
    one, other = "{{ messages[0].content }}", "{{ tools }}"
    folder = save(tmp_path / "one", byte_level(), chat_template=one)
    named = [{"name": "tool_use", "template": other}, {"name": "default", "template": one}]
    several = edited(folder, lambda raw: raw.update(chat_template=named), "tokenizer_config.json")
    assert fingerprint.of_chat_template(several) == fingerprint.of_chat_template(folder)
