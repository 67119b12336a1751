"""Companions by meaning: what differs is named, another way of writing the same is not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quantgate.checkpoint.inspection import inspect_checkpoint
from tests_fixtures.doubles.made_checkpoints import configure, make_pair

Raw = dict[str, Any]


def exchange(raw: Raw) -> None:
    words = raw["model"]["vocab"]
    first, last = list(words)[0], list(words)[-1]  # noqa: RUF015 (both ends)
    words[first], words[last] = words[last], words[first]


EDITS: dict[str, tuple[str, Callable[[Raw], object]]] = {
    "tokenizer": ("tokenizer.json", exchange),
    "chat-template": ("tokenizer_config.json", lambda raw: raw.update(chat_template="{{ messages }}")),
    "tokenizer-eos_token": ("tokenizer_config.json", lambda raw: raw.update(eos_token="<|no|>")),  # noqa: S106 (no password)
    "tokenizer-model_max_length": ("tokenizer_config.json", lambda raw: raw.update(model_max_length=17)),
    "generation-eos_token_id": ("generation_config.json", lambda raw: raw.update(eos_token_id=[4, 5])),
    "generation-temperature": ("generation_config.json", lambda raw: raw.update(temperature=0.7)),
    "config-rope": ("config.json", lambda raw: raw.update(rope_theta=1e6)),
    "config-tie_word_embeddings": ("config.json", lambda raw: raw.update(tie_word_embeddings=False)),
    "config-rms_norm_eps": ("config.json", lambda raw: raw.update(rms_norm_eps=1e-2)),
}


@pytest.mark.parametrize("check", EDITS)
def test_a_companion_that_means_something_else_is_named(check: str, tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "bf16", layers=1)
    for one in (folder, base):
        configure(one, lambda raw: raw.update(rope_theta=10_000, rms_norm_eps=1e-6))
    name, edit = EDITS[check]
    if check == "chat-template":
        (folder / "chat_template.jinja").unlink()
    checks = [one.check for one in inspect_checkpoint(configure(folder, edit, name), base).findings]
    assert check in checks
    assert set(checks) <= {check, "output-layer-missing"}


SAME: dict[str, tuple[str, Callable[[Raw], object]]] = {
    "a truncation saved": (
        "tokenizer.json",
        lambda raw: raw.update(truncation={"direction": "Right", "max_length": 9, "strategy": "LongestFirst", "stride": 0}),
    ),
    "no limit": ("tokenizer_config.json", lambda raw: raw.update(model_max_length=10**30) if "model_max_length" not in raw else None),
    "one end token as a list": ("generation_config.json", lambda raw: raw.update(eos_token_id=[4])),
    "how a library returns": ("generation_config.json", lambda raw: raw.update(use_cache=True, output_attentions=False)),
    "defaults spelt out": ("generation_config.json", lambda raw: raw.update(do_sample=False, temperature=1.0)),
    "angles under the new name": (
        "config.json",
        lambda raw: raw.update(rope_parameters={"rope_theta": raw.pop("rope_theta"), "rope_type": "default"}),
    ),
    "a dtype's old name": ("config.json", lambda raw: raw.update(torch_dtype=raw.pop("dtype"), transformers_version="9")),
}


@pytest.mark.parametrize("way", SAME)
def test_another_way_of_writing_the_same_is_not_named(way: str, tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "bf16", layers=1)
    for one in (folder, base):
        configure(one, lambda raw: raw.update(rope_theta=10_000, dtype="bfloat16"))
    name, edit = SAME[way]
    assert inspect_checkpoint(configure(folder, edit, name), base).findings == []


def test_missing_papers_are_a_note_and_nothing_more(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "bf16", layers=1)
    (folder / "LICENSE").unlink()
    report = inspect_checkpoint(folder)
    assert [(one.severity, one.value) for one in report.findings] == [("note", "no licence")]
    assert report.verdict == "pass"
