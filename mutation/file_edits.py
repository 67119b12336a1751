"""What goes wrong around the weights: tokenizer, chat template, end tokens, and keys of config.json."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mutation.mutant import Damage, settings

TEMPLATE = "chat_template.jinja"
KV_CACHE_FP8 = {"num_bits": 8, "type": "float", "strategy": "tensor", "dynamic": False, "symmetric": True}


def configure(**keys: Any) -> Damage:
    """Keys of config.json set; `quantization_config__x` sets x inside quantization_config."""

    def edit(raw: dict[str, Any]) -> None:
        for key, value in keys.items():
            outer, _, inner = key.partition("__")
            target = raw[outer] if inner else raw
            target[inner or outer] = value

    return settings("config.json", edit)


def rope_theta(theta: float) -> Damage:
    """The base of the rotary angles, under the name that transformers 5 reads and under the one that 4 does."""

    def edit(raw: dict[str, Any]) -> None:
        raw["rope_parameters"]["rope_theta"] = theta
        raw["rope_theta"] = theta

    return settings("config.json", edit)


def generate_with(**keys: Any) -> Damage:
    """Keys of generation_config.json set."""
    return settings("generation_config.json", lambda raw: raw.update(keys))


def tokenize_with(**keys: Any) -> Damage:
    """Keys of tokenizer_config.json set."""
    return settings("tokenizer_config.json", lambda raw: raw.update(keys))


def tokenizer(edit: Callable[[dict[str, Any]], object]) -> Damage:
    return settings("tokenizer.json", edit)


def exchange(*pairs: tuple[str, str]) -> Damage:
    """Two tokens with each other's ids, pair by pair."""

    def edit(raw: dict[str, Any]) -> None:
        vocabulary = raw["model"]["vocab"]
        for one, other in pairs:
            vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]

    return tokenizer(edit)


def shift_ids(tokens: Sequence[str]) -> Damage:
    """Each of the tokens with the id of the next, the last with that of the first."""

    def edit(raw: dict[str, Any]) -> None:
        vocabulary = raw["model"]["vocab"]
        ids = [vocabulary[token] for token in tokens]
        vocabulary.update(zip(tokens, [*ids[1:], ids[0]], strict=True))

    return tokenizer(edit)


def forget_special(raw: dict[str, Any]) -> None:
    """Special tokens are text like any other."""
    raw["added_tokens"] = []


def begin_with(token: str, number: int) -> Damage:
    """A post-processor that puts `token` before every text that is encoded with special tokens."""

    def edit(raw: dict[str, Any]) -> None:
        first = {"SpecialToken": {"id": token, "type_id": 0}}
        raw["post_processor"]["single"].insert(0, first)
        raw["post_processor"]["special_tokens"][token] = {"id": token, "ids": [number], "tokens": [token]}

    return tokenizer(edit)


def template(change: Callable[[str], str]) -> Damage:
    """Another chat template."""

    def damage(folder: Path) -> None:
        file = folder / TEMPLATE
        file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8")

    return damage
