"""A server that answers as it was told to: every kind of answer, each counted as what it is, and what every request carries."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import MeasurementError
from quantgate.measure import turns
from quantgate.measure.answers import measure_answers
from quantgate.records import Answers
from quantgate.registry import Checkpoint
from quantgate.server.endpoint import Endpoint
from quantgate.suites import Question, QuestionSuite
from tests_fixtures.doubles.little_vllm import LittleVllm, running

REFERENCE = Path(__file__).parents[2] / "fixtures" / "reference" / "bf16"
THOUGHT = "40 and 2, which makes 42"
SAID: dict[str, tuple[dict[str, Any], str]] = {
    "right": ({"content": "So it is.\n#### 42"}, "stop"),
    "right in another form": ({"content": "It makes 42."}, "stop"),
    "right behind its reasoning": ({"content": f"<think>{THOUGHT}, or 43?</think>#### 42"}, "stop"),
    "right beside its reasoning": ({"content": "#### 42", "reasoning": "43?"}, "stop"),
    "wrong": ({"content": "#### 41"}, "stop"),
    "wrong behind a right reasoning": ({"content": f"<think>{THOUGHT}</think>#### 41"}, "stop"),
    "cut off": ({"content": "First, 40 and"}, "length"),
    "cut off in its reasoning": ({"content": f"<think>{THOUGHT}"}, "length"),
    "reasoning alone": ({"content": None, "reasoning_content": THOUGHT}, "length"),
    "null": ({"content": None}, "stop"),
    "empty": ({"content": ""}, "stop"),
    "no number": ({"content": "I would rather not."}, "stop"),
}
"""Kind → message, and why it ended."""


def completion(kind: str) -> str:
    message, finish_reason = SAID[kind]
    choice = {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", **message}}
    usage = {"prompt_tokens": 9, "completion_tokens": 24, "total_tokens": 33}
    told = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return json.dumps(told)


class Scripted:
    """`bodies` of the chats that were asked; `malformed`: kind → what is sent instead of a completion."""

    def __init__(self, server: Endpoint) -> None:
        self.server, self.bodies, self.malformed = server, list[dict[str, Any]](), dict[str, str]()

    def answer(self, path: str, sent: bytes) -> tuple[int, str]:
        if path != "/v1/chat/completions":
            return (200 if path == "/health" else 404), "{}"
        body = json.loads(sent)
        self.bodies.append(body)
        kind = body["messages"][0]["content"]
        return 200, self.malformed[kind] if kind in self.malformed else completion(kind)

    def measure(self, thinking: bool | None = None) -> Answers:
        questions = [Question(kind, "all", kind, "42") for kind in SAID]
        return measure_answers(self.server, QuestionSuite("counted", questions, 24, scorer="number", thinking=thinking))


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    monkeypatch.delenv("QUANTGATE_API_KEY", raising=False)
    monkeypatch.setattr(turns, "CONCURRENCY", 2)  # the little one's queue is short
    with running() as little:
        little.models = [("reference/bf16", "x")]
        checkpoint = Checkpoint(name="bf16", precision="bf16", path=str(REFERENCE), family="reference")
        found = Scripted(Endpoint(little.url, checkpoint, REFERENCE))
        monkeypatch.setattr(LittleVllm, "answer", lambda _, path, __, sent: found.answer(path, sent))
        yield found


def test_every_answer_is_counted_as_what_it_is(scripted: Scripted) -> None:
    items = {item.id: item for item in scripted.measure().items}
    right = {kind for kind in SAID if kind.startswith("right")}
    assert {kind for kind, item in items.items() if item.correct} == right
    assert {kind for kind, item in items.items() if item.strict} == right - {"right in another form"}
    assert {kind for kind, item in items.items() if item.open_think} == {"cut off in its reasoning", "reasoning alone"}
    assert {kind for kind, item in items.items() if not item.parsed} == {
        "cut off in its reasoning",
        "reasoning alone",
        "null",
        "empty",
        "no number",
    }
    assert items["cut off"].extracted == "40"
    assert Counter(item.finish_reason for item in items.values()) == {"stop": 9, "length": 3}


def test_the_record_has_the_shares_of_right_answers(scripted: Scripted) -> None:
    measured = scripted.measure()
    assert measured.accuracy == measured.accuracy_flexible == pytest.approx(4 / 12)
    assert measured.by_group == {"all": pytest.approx(4 / 12)}


def test_sampling_is_sent_with_every_question(scripted: Scripted) -> None:
    scripted.measure()
    neutral = {"temperature": 0, "top_p": 1.0, "top_k": -1, "min_p": 0.0, "seed": 0, "max_tokens": 24}
    penalties = {"presence_penalty": 0.0, "frequency_penalty": 0.0, "repetition_penalty": 1.0}
    for body in scripted.bodies:
        assert {name: body.get(name) for name in neutral | penalties} == neutral | penalties
        assert "chat_template_kwargs" not in body


@pytest.mark.parametrize("thinking", [True, False])
def test_thinking_is_asked_for_or_against(thinking: bool, scripted: Scripted) -> None:
    measured = scripted.measure(thinking=thinking)
    assert all(body["chat_template_kwargs"] == {"enable_thinking": thinking} for body in scripted.bodies)
    assert measured.provenance.sampling["enable_thinking"] is thinking


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("not JSON at all", "so nothing was measured: no number: an answer is no JSON: Expecting value"),
        (json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": []}), "no number: the server's answer"),
        (json.dumps({"error": "overloaded"}), "no number: the server's answer holds no choice: "),
    ],
)
def test_what_is_no_answer_ends_the_measurement_in_a_sentence(sent: str, said: str, scripted: Scripted) -> None:
    scripted.malformed["no number"] = sent
    with pytest.raises(MeasurementError) as error:
        scripted.measure()
    assert said in str(error.value)
