"""Files around the weights: tokenizer, chat template, generation settings, by what they mean; licence and model card."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from quantgate import fingerprint
from quantgate.checkpoint.findings import Finding, Severity
from quantgate.checkpoint.source import Source
from quantgate.errors import ConfigurationError
from quantgate.registry import MANIFEST, read_manifest

SLOW = ("tokenizer.model", "vocab.json", "merges.txt", "vocab.txt", "tekken.json", "tiktoken.model", "qwen.tiktoken")
"""What tokenizers consist of that have no tokenizer.json."""
END_TOKENS = ("eos_token_id", "bos_token_id", "pad_token_id")
ABOUT_THE_FILE = (
    "transformers_version", "_from_model_config", "use_cache", "output_attentions", "output_hidden_states", "output_scores",
    "output_logits", "return_dict", "return_dict_in_generate", "cache_implementation", "trust_remote_code",
)  # fmt: skip
"""Keys of generation_config.json that change nothing of what a server answers."""
DEFAULTS = {"do_sample": False, "temperature": 1.0, "top_p": 1.0, "top_k": 50, "repetition_penalty": 1.0, "num_beams": 1, "min_p": None}
"""transformers' own, which a file may spell out or leave out."""
UNLIMITED = 1e9
"""A model_max_length above this means "none": libraries write 10^30."""
PAPERS = {"licence": ("LICENSE*", "LICENCE*", "license*"), "model card": ("README.md",)}


def check_companions(source: Source, base: Source | None) -> Iterator[Finding]:
    """Against the base where there is one; alone only that the files are there and can be read."""
    yield from _papers(source.folder)
    if base is None:
        if not _has_tokenizer(source.folder):
            meaning = "an engine cannot turn text into tokens; copy the base's tokenizer files"
            yield _finding("warning", "tokenizer-missing", "tokenizer.json", "not there", meaning)
        return
    yield from _tokenizer(source, base)
    if (base.folder / "tokenizer_config.json").is_file():
        yield from _template(source, base)
        yield from _special(source, base)
    yield from _generation(source, base)


def _tokenizer(source: Source, base: Source) -> Iterator[Finding]:
    """By meaning where both have tokenizer.json, byte for byte where both have the same older file."""
    fast = [(one.folder / "tokenizer.json").is_file() for one in (source, base)]
    if _has_tokenizer(base.folder) and not _has_tokenizer(source.folder):
        yield _finding("error", "tokenizer-missing", "tokenizer.json", "not there, the base has one", "copy the base's tokenizer files")
    elif all(fast):
        meaning = "the same text becomes other tokens: copy the base's tokenizer files instead of saving them again"
        yield from _same(source, base, "tokenizer", "tokenizer.json", fingerprint.of_tokenizer, meaning)
    else:
        shared = [name for name in SLOW if (base.folder / name).is_file() and (source.folder / name).is_file()]
        for name in shared:
            if (source.folder / name).read_bytes() != (base.folder / name).read_bytes():
                yield _finding(
                    "error", "tokenizer", name, "another file than the base's", "the same text becomes other tokens: copy the base's"
                )
        if _has_tokenizer(base.folder) and not shared:
            forms = [next(name for name in ("tokenizer.json", *SLOW) if (one.folder / name).is_file()) for one in (source, base)]
            value = f"{forms[0]}, the base has {forms[1]}"
            yield _finding(
                "note", "tokenizer-not-compared", forms[0], value, "two forms of a tokenizer; whether they mean the same was not looked at"
            )


def check_manifest(source: Source) -> Iterator[Finding]:
    """Does the manifest of `quantgate quantize` speak of these weights? None is asked for."""
    told = read_manifest(source.folder)
    if told is None and (source.folder / MANIFEST).is_file():
        yield _finding("note", "manifest-unreadable", MANIFEST, "not as quantgate writes it", "nobody can tell how this was made")
    if told is not None and told.fingerprint != (now := fingerprint.of_checkpoint(source.folder)):
        value = f"fingerprint {now}, {told.fingerprint} when it was made"
        yield _finding("warning", "manifest-stale", MANIFEST, value, "weights or config.json were changed since quantgate made them")


def _papers(folder: Path) -> Iterator[Finding]:
    missing = [what for what, patterns in PAPERS.items() if not any(any(folder.glob(pattern)) for pattern in patterns)]
    if missing:
        yield _finding(
            "note", "papers-missing", folder.name, f"no {' and no '.join(missing)}", "add them before the checkpoint is published"
        )


def _has_tokenizer(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("tokenizer.json", *SLOW) if name != "merges.txt")


def _same(source: Source, base: Source, check: str, where: str, mark: Callable[[Path], str], meaning: str) -> Iterator[Finding]:
    original = mark(base.folder)
    try:
        own = mark(source.folder)
    except ConfigurationError as error:
        yield _finding("error", f"{check}-unreadable", where, str(error), meaning)
        return
    if own != original:
        yield _finding("error", check, where, f"fingerprint {own}, the base's {original}", meaning)


def _template(source: Source, base: Source) -> Iterator[Finding]:
    if not (source.folder / "tokenizer_config.json").is_file():
        yield _finding(
            "error", "tokenizer-config-missing", "tokenizer_config.json", "not there, the base has one", "copy the base's tokenizer files"
        )
        return
    meaning = "chats are rendered otherwise than in training: copy the base's template"
    yield from _same(source, base, "chat-template", "chat_template.jinja", fingerprint.of_chat_template, meaning)


def _special(source: Source, base: Source) -> Iterator[Finding]:
    """Tokens by name. What stands before and after a text is part of the tokenizer's fingerprint.

    An answer ends at eos_token; the others show in ids and in the rendered chat, which are compared. Quantizers set a pad_token
    for their own batches, and newer versions write out what a class has by itself.
    """
    now, before = (fingerprint.named_tokens(one.folder) for one in (source, base))
    for key in now:
        new, old = now[key], before[key]
        if new == old:
            continue
        value = f"{key} {new!r}, the base's {old!r}"
        if key == "eos_token" and old is not None:
            meaning = "answers end too early or never: copy the base's tokenizer_config.json"
            yield _finding("error", f"tokenizer-{key}", "tokenizer_config.json", value, meaning)
        elif None in (new, old):
            yield _finding("note", f"tokenizer-{key}", "tokenizer_config.json", value, "one of the two leaves it to the tokenizer's class")
        else:
            meaning = "a special token that the base does not have: copy the base's tokenizer_config.json"
            severity: Severity = "error" if key == "bos_token" else "warning"
            yield _finding(severity, f"tokenizer-{key}", "tokenizer_config.json", value, meaning)
    lengths = [_length(_read(one.folder / "tokenizer_config.json").get("model_max_length")) for one in (source, base)]
    if lengths[0] != lengths[1]:
        value = f"model_max_length {lengths[0] or 'unset'}, the base's {lengths[1] or 'unset'}"
        meaning = "texts are cut off elsewhere than with the base: copy its tokenizer_config.json"
        severity = "note" if lengths[0] is None else "warning"
        yield _finding(severity, "tokenizer-model_max_length", "tokenizer_config.json", value, meaning)


def _length(value: Any) -> Any:
    """A length that means "none" as None."""
    return None if isinstance(value, int | float) and value > UNLIMITED else value


def _generation(source: Source, base: Source) -> Iterator[Finding]:
    """What a server takes for granted: generation_config.json over the tokens that config.json names."""
    now, before = _effective(source), _effective(base)
    for key in sorted(now.keys() | before.keys()):
        new, old = now.get(key), before.get(key)
        if new == old:
            continue
        value = f"{key} {'unset' if new is None else new}, the base's {'unset' if old is None else old}"
        if key in END_TOKENS:
            yield _finding(
                "error", f"generation-{key}", "generation_config.json", value, "answers end too early or never: copy the base's file"
            )
        else:
            meaning = "other sampling for whoever sends none of their own: copy the base's file"
            yield _finding("warning", f"generation-{key}", "generation_config.json", value, meaning)


def _effective(source: Source) -> dict[str, Any]:
    given = _read(source.folder / "generation_config.json")
    stated = {key: source.setting(key) for key in END_TOKENS} | {key: value for key, value in given.items() if key not in ABOUT_THE_FILE}
    return {
        key: _tokens(value) if key in END_TOKENS else value
        for key, value in stated.items()
        if value is not None and (key not in DEFAULTS or value != DEFAULTS[key])
    }


def _tokens(value: Any) -> Any:
    """One id or several: [4] means what 4 does, and their order nothing."""
    return sorted(set(value)) if isinstance(value, list) else [value]


def _read(file: Path) -> dict[str, Any]:
    return fingerprint.read_json(file) if file.is_file() else {}


def _finding(severity: Severity, check: str, where: str, value: str, meaning: str) -> Finding:
    return Finding(severity=severity, area="companions", check=check, where=where, value=value, meaning=meaning)
