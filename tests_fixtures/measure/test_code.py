"""pass@1 against a server that writes what it was told to: each answer counted as what its checks say."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import ConfigurationError
from quantgate.measure import code, turns
from quantgate.measure.code import measure_code
from quantgate.registry import Checkpoint
from quantgate.server.endpoint import Endpoint
from quantgate.suites import CodeSuite, Task
from tests_fixtures.doubles.little_vllm import LittleVllm, running

REFERENCE = Path(__file__).parents[2] / "fixtures" / "reference" / "bf16"
PROMPT = 'def double(x):\n    """Twice x."""\n'
ROW = {"prompt": PROMPT, "entry_point": "double", "test": "def check(f):\n    assert f(2) == 4\n    assert f(0) == 0"}
WRITES = {
    "block": "Here it is:\n```python\ndef double(x):\n    return 2 * x\n```",
    "body": "    return x + x",
    "thought": "<think>```python\ndef double(x): return 0\n```</think>\n```python\ndef double(x):\n    return 2 * x\n```",
    "wrong": "```python\ndef double(x):\n    return x * x + 1\n```",
    "no code": "I would rather not.",
    "empty": "",
    "never closed": "<think>return 2 * x",
    "for ever": "```python\ndef double(x):\n    while True: pass\n```",
    "leaves early": "```python\nimport os\ndef double(x):\n    os._exit(0)\n```",
}
RIGHT = {"block", "body", "thought"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.delenv("QUANTGATE_API_KEY", raising=False)
    monkeypatch.setattr(turns, "CONCURRENCY", 2)  # the little one's queue is short

    def answer(_: LittleVllm, path: str, __: str | None, sent: bytes) -> tuple[int, str]:
        if path != "/v1/chat/completions":
            return (200 if path == "/health" else 404), "{}"
        message = {"role": "assistant", "content": WRITES[json.loads(sent)["messages"][0]["content"]]}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        usage = {"prompt_tokens": 9, "completion_tokens": 24, "total_tokens": 33}
        told = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        return 200, json.dumps(told)

    with running() as little:
        little.models = [("reference/bf16", "x")]
        checkpoint = Checkpoint(name="bf16", precision="bf16", path=str(REFERENCE), family="reference")
        found = Endpoint(little.url, checkpoint, REFERENCE)
        monkeypatch.setattr(LittleVllm, "answer", answer)
        yield found


def suite(*names: str) -> CodeSuite:
    return CodeSuite("doubles", [Task(name, name, "double", ROW) for name in names], 64, "humaneval")


@pytest.mark.thorough
def test_each_answer_is_what_its_checks_say(server: Endpoint, sandbox: None) -> None:  # noqa: ARG001 (there is one)
    measured = measure_code(server, suite(*WRITES))
    items = {item.id: item for item in measured.items}
    assert {name for name, item in items.items() if item.correct} == RIGHT
    assert {name: item.extracted for name, item in items.items() if name not in RIGHT} == {
        "wrong": "failed",
        "no code": "failed",
        "empty": "no code",
        "never closed": "no code",
        "for ever": "timed_out",
        "leaves early": "failed",
    }
    assert {name for name, item in items.items() if item.open_think} == {"never closed"}
    assert {name for name, item in items.items() if not item.parsed} == {"empty", "never closed"}
    assert measured.accuracy == pytest.approx(3 / 9)


def test_without_a_sandbox_nothing_is_asked(server: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> Any:
        raise ConfigurationError("no sandbox holds here")

    monkeypatch.setattr(code, "probe", refused)
    asked: list[str] = []
    monkeypatch.setattr(code, "ask_chats", lambda *_: asked.append("asked"))
    with pytest.raises(ConfigurationError, match="no sandbox holds here"):
        measure_code(server, suite("block"))
    assert asked == []


def test_unless_somebody_says_so(server: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> Any:
        raise ConfigurationError("no sandbox holds here")

    monkeypatch.setattr(code, "probe", refused)
    assert measure_code(server, suite("block"), unsafe=True).accuracy == 1.0
