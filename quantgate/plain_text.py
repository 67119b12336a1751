"""Text from elsewhere, shown as text: what a model answered, what a server said. Nothing in it may steer a terminal, turn a line around,
or tell a secret."""

import os
import re
from collections.abc import Mapping

SECRETS = (
    *("QUANTGATE_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN", "OPENAI_API_KEY", "VLLM_API_KEY"),
    *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "FSSPEC_S3_SECRET", "FSSPEC_S3_TOKEN"),
)
"""Variables whose values nobody may read in what is shown."""
SHORTEST_SECRET = 6
"""Characters; a shorter value is a placeholder like "none", which would black out half a page."""
HIDDEN = "(secret)"
AUTHORIZED = re.compile(r"(authorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic|token)?\s*)[^\s\"'<>&,;]+", re.IGNORECASE)
TOKENS = re.compile(r"\b(?:hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{20,})")
IN_A_URL = re.compile(
    r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user:password@
    r"|(?<=[?&])[^=&\s]*(?:key|secret|token|sig|signature|password|credential)[^=&\s]*=[^&\s#'\"<>]+",
    re.IGNORECASE,
)
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")
PICTURES = 0x2400
"""Where Unicode has pictures of the control characters: ESC is ␛."""


def shown(text: str, most: int | None = None) -> str:
    """The text with every control character as a picture (`␛`) or a number (`⟨U+202E⟩`), tabs and line ends kept; cut behind `most`
    characters, with a note. A lone half of a surrogate pair, which no file can hold, gets its number too."""
    if most is not None and len(text) > most:
        text = f"{text[:most]} … ({len(text) - most:,} more characters are in the record)"
    return STEERS.sub(_pictured, text.replace("\r\n", "\n"))


def _pictured(found: re.Match[str]) -> str:
    code = ord(found[0])
    return chr(PICTURES + code) if code < 0x20 else "␡" if code == 0x7F else f"⟨U+{code:04X}⟩"


def in_a_line(text: str, most: int | None = None) -> str:
    """As `shown`, its white space one blank each."""
    return " ".join(shown(text, most).split())


def without_credentials(text: str) -> str:
    """With what URLs hold of users and passwords, and of keys in their queries, hidden."""
    return IN_A_URL.sub(HIDDEN, text)


def without_secrets(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Without the values of SECRETS, what stands behind an Authorization, what looks like a token of a hub, and credentials in URLs."""
    for name in SECRETS:
        value = environment.get(name, "").strip()
        if len(value) >= SHORTEST_SECRET:
            text = text.replace(value, HIDDEN)
    return without_credentials(TOKENS.sub(HIDDEN, AUTHORIZED.sub(rf"\1{HIDDEN}", text)))
