"""An OpenAI-compatible server that answers each question as its name says: `right 3` rightly, `empty 0` with nothing at all."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from quantgate.suites import Question
from tests_fixtures.doubles.little_vllm import LittleVllm, running

THOUGHT = "40 and 2, which makes 42"
SAID: dict[str, tuple[dict[str, Any], str]] = {
    "right": ({"content": "So it is.\n#### 42"}, "stop"),
    "right behind </think>": ({"content": f"{THOUGHT}, or 43?</think>\n#### 42"}, "stop"),
    "right behind <think>": ({"content": f"<think>{THOUGHT}</think>\n#### 42"}, "stop"),
    "right beside reasoning": ({"content": "#### 42", "reasoning": THOUGHT}, "stop"),
    "right beside reasoning_content": ({"content": "#### 42", "reasoning_content": THOUGHT}, "stop"),
    "wrong": ({"content": "#### 41"}, "stop"),
    "cut off": ({"content": "First, 40 and"}, "length"),
    "never closed": ({"content": f"<think>{THOUGHT}"}, "length"),
    "reasoning alone": ({"content": None, "reasoning": THOUGHT}, "length"),
    "reasoning_content alone": ({"content": None, "reasoning_content": THOUGHT}, "stop"),
    "null, all tokens spent": ({"content": None}, "length"),
    "null": ({"content": None}, "stop"),
    "empty": ({"content": ""}, "stop"),
    "unreadable": ({"content": "I would rather not."}, "stop"),
}
"""Kind of answer to a question whose answer is 42 → message, and why it ended."""
MALFORMED: dict[str, tuple[int, str]] = {
    "no choices": (200, json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": []})),
    "no JSON": (200, "not JSON at all"),
    "HTTP 500": (500, json.dumps({"error": {"message": "the engine is dead", "code": 500}})),
}
"""Kind of what is no answer → HTTP status and body."""


class Scripted:
    """`url`; `bodies` of the chats that were asked; `instead`: a kind → the kind that it is answered as; `named_by`:
    which question a prompt holds, where a harness has put more around it."""

    def __init__(self, little: LittleVllm) -> None:
        self.little, self.url = little, little.url
        self.bodies, self.instead = list[dict[str, Any]](), dict[str, str]()
        self.named_by: Callable[[str], str] = lambda prompt: prompt

    def answer(self, sent: bytes) -> tuple[int, str]:
        body = json.loads(sent)
        self.bodies.append(body)
        kind = self.named_by(body["messages"][-1]["content"]).rpartition(" ")[0]
        kind = self.instead.get(kind, kind)
        return MALFORMED[kind] if kind in MALFORMED else (200, completion(kind))


def questions(counts: Mapping[str, int]) -> list[Question]:
    """So many of each kind."""
    return [Question(f"{kind} {number}", "all", f"{kind} {number}", "42") for kind, count in counts.items() for number in range(count)]


def completion(kind: str) -> str:
    """A chat completion, as a server writes it."""
    message, finish_reason = SAID[kind]
    choice = {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", **message}}
    usage = {"prompt_tokens": 9, "completion_tokens": 24, "total_tokens": 33}
    return json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage})


@contextmanager
def scripted_server(*models: str) -> Iterator[Scripted]:
    """One that serves these models."""
    with running() as little:
        little.models = [(model, "x") for model in models]
        found, otherwise = Scripted(little), little.answer

        def answer(path: str, key: str | None, body: bytes) -> tuple[int, str]:
            return found.answer(body) if path == "/v1/chat/completions" else otherwise(path, key, body)

        little.answer = answer  # type: ignore[method-assign]  # of this one alone
        yield found
