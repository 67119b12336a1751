"""Fingerprints of what a measurement depends on: over meaning, not over bytes, wherever a saving library adds keys."""

import hashlib
import json
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from quantgate.errors import ConfigurationError

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from tokenizers import Tokenizer

T = TypeVar("T")
WHOLE_BELOW_BYTES = 1 << 30
SETTLED_NS = 2_000_000_000
PROBE = "one two  three\n3.14 ünïcode"
SCRIPTS = """The quick brown fox doesn't  jump over 13 lazy dogs; I'LL say: "it's 1,234,567.89 €" (≈ 10⁻³)!? Crème brûlée,
Straße, İstanbul, ǅ.
\tdef f(x): return x**2  # `code`\r\n\n\n   if a != b && c <= 0x1F { s["k"] += 'v'; } <b>&amp;</b>
https://example.org/a_b?c=%20#d  user@example.org
Ελληνικά και πολυτονικόν: ᾧ. Русский язык, «кавычки» — ёж. Українська: ґ. Հայերեն. ქართული. עברית: שָׁלוֹם.
العربية: السَّلَامُ ١٢٣. فارسی: می\u200cخواهم ۴۵۶.
हिन्दी: क्षत्रिय ७८९। বাংলা: বিশ্ব। தமிழ்: வணக்கம். తెలుగు: నమస్కారం. ಕನ್ನಡ. മലയാളം. ਪੰਜਾਬੀ. ગુજરાતી. සිංහල.
ไทย: สวัสดีครับ ๑๒. ລາວ. မြန်မာ. ខ្មែរ. བོད་སྐད། አማርኛ። ᏣᎳᎩ. ᠮᠣᠩᠭᠣᠯ.
中文：繁體與简体，「引號」。日本語：ひらがなカタカナ漢字、ｶﾅ。한국어: 안녕하세요. Tiếng Việt: Nguyễn đường.
ﬁne ½ ① Ａｂ１２ ㎏ \u00c5 \u212b e\u0301 \u00e9 \u1e9b\u0323.
😀 👩\u200d👩\u200d👧 🇩🇪 👍🏽 ✈\ufe0f ∑∫√∞ ≠ ⟨x|y⟩ → ▁ Ġ \u00a0\u2003\u200b\u3000| \u00ad \ufeff 𝔘𝔫𝔦 𐌰𐌱 𓀀
\ue000 ---===___***... aaaaaaaaaaaa 7 77 777 7777 77777 CamelCaseHTTPServer snake_case LOUD
"""  # noqa: RUF001 (letters of other scripts are what it is for)
"""Every script that vocabularies know, spaces of all kinds, numbers of each length, letters in two normal forms, code.

No two spaces before a digit: transformers 5 builds some classes without their `Digits`, which shows there alone."""
CONVERSATION = [
    {"role": "user", "content": "What is two plus two?"},
    {"role": "assistant", "content": "Four."},
    {"role": "user", "content": "Why?"},
]


def of(value: Any) -> str:
    """The first 16 hex digits of SHA-256 over `value` as canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def _once(read: Callable[[Path], T]) -> Callable[[Path], T]:
    """A folder is read again only when one of its files has another name, size, place on the disk or time of change.

    A folder that was written to just now is not kept: a file system's clock may not tell the next change from that one.
    """
    kept: dict[Path, tuple[object, T]] = {}

    @wraps(read)
    def read_or_kept(folder: Path) -> T:
        files = [(file.name, file.stat()) for file in sorted(folder.iterdir()) if file.is_file()] if folder.is_dir() else []
        state = [(name, seen.st_size, seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns) for name, seen in files]
        if folder in kept and kept[folder][0] == state:
            return kept[folder][1]
        value = read(folder)
        if all(time.time_ns() - seen.st_ctime_ns > SETTLED_NS for _, seen in files):
            kept[folder] = state, value
        return value

    return read_or_kept


@_once
def of_tokenizer(folder: Path) -> str:
    """What a text becomes: vocabulary, merges, added tokens, and the ids of a fixed text; not truncation, padding, version.

    Libraries write one tokenizer in several ways (merges as pairs or strings, a normalizer or a pre-tokenizer that does the
    same, defaults or none), so normalizer and pre-tokenizer count by the ids of a text in every script. Where a vocabulary
    holds whole words alone, a text shows nothing of them, and they count as they are written. What a post-processor adds
    (a BOS) stands in the ids; `add_bos_token` of tokenizer_config.json is read by no transformers 5 that finds tokenizer.json.
    """
    raw, found = read_json(folder / "tokenizer.json"), tokenizer(folder)
    if _holds_whole_words(raw["model"]):
        written = {key: raw.get(key) for key in ("model", "normalizer", "pre_tokenizer", "added_tokens")}
        return of([written, list(found.encode(PROBE).ids)])
    merges = [merge.split(" ", 1) if isinstance(merge, str) else merge for merge in raw["model"].get("merges") or ()]
    scores = raw["model"]["vocab"] if isinstance(raw["model"]["vocab"], list) else None
    added = [
        [number, one.content, one.special, one.normalized, one.lstrip, one.rstrip, one.single_word]
        for number, one in sorted(found.get_added_tokens_decoder().items())
    ]
    return of([found.get_vocab(), merges, scores, bool(raw["model"].get("ignore_merges")), added, list(found.encode(SCRIPTS).ids)])


def _holds_whole_words(model: dict[str, Any]) -> bool:
    """Nothing is put together from parts: a table of words, or merges that there are none of."""
    return model.get("type") == "WordLevel" or (model.get("type") == "BPE" and not model.get("merges"))


def named_tokens(folder: Path) -> dict[str, str | None]:
    """bos_token, eos_token, pad_token and unk_token as text, from tokenizer_config.json, else from special_tokens_map.json."""
    files = [folder / name for name in ("special_tokens_map.json", "tokenizer_config.json")]
    told: dict[str, Any] = {}
    for file in files:
        told |= {key: value for key, value in (read_json(file) if file.is_file() else {}).items() if value is not None}
    plain = {key: value.get("content") if isinstance(value, dict) else value for key, value in told.items()}
    return {key: plain.get(key) for key in ("bos_token", "eos_token", "pad_token", "unk_token")}


@_once
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

    template = _template(folder)
    if not template:
        return "none"
    tokens = {key: value for key, value in named_tokens(folder).items() if key != "unk_token"}
    for extensions in ((), ("jinja2.ext.loopcontrols",)):
        try:
            return of(_environment(extensions).from_string(template).render(messages=CONVERSATION, add_generation_prompt=True, **tokens))
        except (TemplateError, TypeError):
            continue
    return of(template)  # a template that wants more than a conversation is compared as text


def _environment(extensions: tuple[str, ...]) -> "ImmutableSandboxedEnvironment":
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=extensions)


def _template(folder: Path) -> str:
    """From chat_template.jinja, chat_template.json or tokenizer_config.json; of several, the one named default."""
    if (file := folder / "chat_template.jinja").is_file():
        return file.read_text(encoding="utf-8")
    beside = folder / "chat_template.json"
    told = (read_json(beside) if beside.is_file() else read_json(folder / "tokenizer_config.json")).get("chat_template")
    if isinstance(told, list):
        told = {one.get("name"): one.get("template") for one in told if isinstance(one, dict)}.get("default")
    return told if isinstance(told, str) else ""


@_once
def of_checkpoint(folder: Path) -> str:
    """config.json and the weights: every byte below 1 GiB, above that each shard's header and size."""
    shards = sorted(folder.glob("*.safetensors"))
    whole = sum(shard.stat().st_size for shard in shards) < WHOLE_BELOW_BYTES
    parts: list[Any] = [read_json(folder / "config.json")]
    for shard in shards:
        with shard.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest() if whole else _header(file)
        parts.append([shard.name, shard.stat().st_size, content])
    return of(parts)


def _header(shard: BinaryIO) -> str:
    return hashlib.sha256(shard.read(min(int.from_bytes(shard.read(8), "little"), 1 << 26))).hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a checkpoint's folder; raises ConfigurationError that names the file."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ConfigurationError(f"{path.parent} is no checkpoint to measure: {path.name} is missing") from None
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{path} is no JSON object: {error}") from None
