"""Fingerprints of what a measurement depends on: over meaning, not over bytes, wherever a saving library adds keys."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quantgate.errors import ConfigurationError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WHOLE_BELOW_BYTES = 1 << 30
PROBE = "one two  three\n3.14 ünïcode"
CONVERSATION = [
    {"role": "user", "content": "What is two plus two?"},
    {"role": "assistant", "content": "Four."},
    {"role": "user", "content": "Why?"},
]


def of(value: Any) -> str:
    """The first 16 hex digits of SHA-256 over `value` as canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def of_tokenizer(folder: Path) -> str:
    """Vocabulary, merges, normalizer, pre-tokenizer and added tokens of tokenizer.json; not truncation, padding, version.

    The ids of a fixed text stand beside them: they show what a post-processor adds (a BOS), however that is written down.
    """
    raw = read_json(folder / "tokenizer.json")
    return of(
        [{key: raw.get(key) for key in ("model", "normalizer", "pre_tokenizer", "added_tokens")}, tokenizer(folder).encode(PROBE).ids]
    )


def tokenizer(folder: Path) -> "Tokenizer":
    """The tokenizer of tokenizer.json, without the truncation and padding that a saving library may have left in it.

    Raises ConfigurationError where there is none, or none that can be read.
    """
    from tokenizers import Tokenizer

    if not (folder / "tokenizer.json").is_file():
        raise ConfigurationError(f"{folder} holds no tokenizer.json; save the tokenizer there in its fast form")
    try:
        found = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # noqa: BLE001 (tokenizers raises nothing narrower)
        raise ConfigurationError(f"{folder / 'tokenizer.json'} is no tokenizer: {error}") from None
    found.no_truncation()
    found.no_padding()
    return found


def of_chat_template(folder: Path) -> str:
    """A fixed conversation as the template renders it; "none" where there is no template."""
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    config = read_json(folder / "tokenizer_config.json")
    file = folder / "chat_template.jinja"
    template = file.read_text(encoding="utf-8") if file.exists() else config.get("chat_template")
    if not template:
        return "none"
    tokens = {key: config.get(key) for key in ("bos_token", "eos_token", "pad_token")}
    try:
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        return of(environment.from_string(template).render(messages=CONVERSATION, add_generation_prompt=True, **tokens))
    except (TemplateError, TypeError):
        return of(template)  # a template that wants more than a conversation is compared as text


def of_checkpoint(folder: Path) -> str:
    """config.json and the weights: every byte below 1 GiB, above that each shard's header and size."""
    shards = sorted(folder.glob("*.safetensors"))
    whole = sum(shard.stat().st_size for shard in shards) < WHOLE_BELOW_BYTES
    parts: list[Any] = [read_json(folder / "config.json")]
    for shard in shards:
        with shard.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest() if whole else _header(file.read(8), file.read(1 << 26))
        parts.append([shard.name, shard.stat().st_size, content])
    return of(parts)


def _header(length: bytes, beginning: bytes) -> str:
    return hashlib.sha256(beginning[: int.from_bytes(length, "little")]).hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a checkpoint's folder; raises ConfigurationError that names the file."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ConfigurationError(f"{path.parent} is no checkpoint to measure: {path.name} is missing") from None
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{path} is no JSON object: {error}") from None
