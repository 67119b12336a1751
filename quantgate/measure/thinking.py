"""Where an answer's reasoning ends and the answer begins, and which answers never came out of it.

Reasoning stands between <think> and </think>, or the server takes it out of the text (a reasoning parser) and hands it over beside. Many
chat templates open the <think> themselves, at the end of the prompt: then an answer without </think> is all reasoning, though no tag
in it says so.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from quantgate.server import Serving

OPEN, CLOSE = "<think>", "</think>"
REASONING = ("reasoning", "reasoning_content")
"""The field of a chat message that the reasoning is in; the second is vLLM's before 0.12, and others'."""


class Said(NamedTuple):
    """An answer as a server gave it: its text, and the reasoning where that was handed over apart. `kept_back`: there was nothing but
    reasoning, and the server told none of it."""

    text: str
    reasoning: str = ""
    kept_back: bool = False

    @classmethod
    def of(cls, message: Any, finish_reason: str | None = None) -> "Said":
        """Of openai's chat message. No content at all (null), and all tokens spent, is reasoning that the server does not show; an
        empty text is not, since that is also what a checkpoint says that computes NaN."""
        extra = message.model_extra or {}
        reasoning = next((str(extra[name]) for name in REASONING if extra.get(name)), "")
        return cls(message.content or "", reasoning, message.content is None and not reasoning and finish_reason == "length")

    @property
    def whole(self) -> str:
        """The text; where there is none, the reasoning behind its tag, so that a record shows what there was."""
        return f"{OPEN}{self.reasoning}" if self.reasoning and not self.text.strip() else self.text

    def is_open(self, *, opened: bool) -> bool:
        """Whether it ended inside its reasoning; `opened`: the prompt had begun it."""
        if self.kept_back:
            return True
        if CLOSE in self.whole or OPEN in self.whole:
            return self.whole.rfind(OPEN) > self.whole.rfind(CLOSE)
        return opened and not self.reasoning

    def visible(self, *, opened: bool) -> str:
        """What stands behind the reasoning; "" where it never came out of it."""
        return "" if self.is_open(opened=opened) else self.whole.rpartition(CLOSE)[2]

    def thought(self, *, opened: bool) -> int | None:
        """Characters of the reasoning; None where there is none, or none is told."""
        if self.reasoning:
            return len(self.reasoning)
        if self.is_open(opened=opened):
            return None if self.kept_back else len(self.text.rpartition(OPEN)[2])
        before, closed, _ = self.text.rpartition(CLOSE)
        return len(before.partition(OPEN)[2] if OPEN in before else before) if closed else None

    @property
    def closes_what_it_did_not_open(self) -> bool:
        return CLOSE in self.text and OPEN not in self.text[: self.text.find(CLOSE)]


def opens_for_them(server: Serving, said: Sequence[Said]) -> bool:
    """Whether the prompt begins the reasoning: as the server renders it, or, where it cannot be asked, as most of the answers show."""
    told = prompt_opens(server)
    return told if told is not None else as_most_show(said)


def prompt_opens(server: Serving) -> bool | None:
    """Whether the prompt, as the server renders it, begins the reasoning; None where the server cannot be asked."""
    prompt = _rendered(server)
    return None if prompt is None else prompt.rfind(OPEN) > prompt.rfind(CLOSE)


def as_most_show(said: Sequence[Said]) -> bool:
    """Whether most answers close a reasoning that they did not begin."""
    return 2 * sum(one.closes_what_it_did_not_open for one in said) > len(said)


def _rendered(server: Serving) -> str | None:
    """A question as the model is given it, by the server's own template (vLLM's /tokenize); None from a server that does not say."""
    import httpx

    body = {
        "model": server.model,
        "messages": [{"role": "user", "content": "one"}],
        "add_generation_prompt": True,
        "return_token_strs": True,
    }
    try:
        with server.client() as client:
            answer = client.post("/tokenize", json=body)
        tokens = answer.json().get("token_strs") if answer.status_code == httpx.codes.OK else None
    except (httpx.HTTPError, ValueError, AttributeError):
        return None
    return "".join(map(str, tokens)) if tokens else None
