"""Answers that never came out of their reasoning, in each of the forms that servers give them."""

import itertools
import json
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from quantgate.measure import turns
from quantgate.measure.answers import grade, measure_answers
from quantgate.measure.thinking import Said, opens_for_them
from quantgate.records import Answer
from quantgate.registry import Checkpoint
from quantgate.server import endpoint_slot
from quantgate.server.endpoint import Endpoint
from quantgate.server.serving import Secret
from quantgate.suites import Question, QuestionSuite
from tests_fixtures.doubles.little_vllm import LittleVllm, running

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessage

REFERENCE = Path(__file__).parents[2] / "fixtures" / "reference" / "bf16"
QUESTION = Question("q1", "add", "add 40 2", "42")
THOUGHT = "40 and 2, which makes 42"


def message(**fields: Any) -> "ChatCompletionMessage":
    from openai.types.chat import ChatCompletionMessage

    return ChatCompletionMessage.model_validate({"role": "assistant", "content": None, **fields})


def graded(said: Said, finish_reason: str = "stop", *, opened: bool = False) -> Answer:
    return grade(QUESTION, said, finish_reason, 24, opened=opened)


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
@pytest.mark.parametrize("content", [None, "", " \n"])
@pytest.mark.parametrize("finish_reason", ["length", "stop"])
def test_an_answer_that_is_reasoning_alone_never_came(field: str, content: str | None, finish_reason: str) -> None:
    item = graded(Said.of(message(content=content, **{field: THOUGHT})), finish_reason)
    assert item.open_think
    assert (item.correct, item.flexible, item.parsed, item.extracted) == (False, False, False, "")
    assert (item.answer, item.finish_reason) == (f"<think>{THOUGHT}", finish_reason)


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
@pytest.mark.parametrize("opened", [False, True])
def test_an_answer_beside_its_reasoning_is_the_answer(field: str, opened: bool) -> None:
    item = graded(Said.of(message(content="\n\n42", **{field: "or 43?"})), opened=opened)
    assert (item.open_think, item.strict, item.answer) == (False, True, "\n\n42")


@pytest.mark.parametrize(
    ("text", "open_think"),
    [
        (THOUGHT, True),
        (f"{THOUGHT}</think>42", False),
        (f"<think>{THOUGHT}</think>42", False),
        (f"{THOUGHT}</think><think>", True),
        ("", True),
    ],
)
def test_a_thought_that_the_prompt_began_is_open_until_it_is_closed(text: str, open_think: bool) -> None:
    item = graded(Said(text), opened=True)
    assert item.open_think == open_think
    assert item.strict != open_think


@pytest.mark.parametrize("text", ["", "42", "no idea"])
def test_an_answer_without_any_reasoning_is_in_none(text: str) -> None:
    assert not graded(Said.of(message(content=text)), "length").open_think


CLOSED, UNCLOSED, PLAIN = Said("so</think>42"), Said(THOUGHT), Said("<think>so</think>42")


@contextmanager
def asked(behave: Any = None) -> Any:
    """A server that is asked how it renders a question, behaving so."""
    with running() as little:
        if behave is not None:
            behave(little)
        endpoint: Any = object.__new__(Endpoint)
        endpoint.base_url, endpoint.api_key, endpoint.model = little.url, Secret(""), "small/nvfp4"
        yield endpoint


@pytest.mark.parametrize(
    ("tokens", "opened"),
    [
        (["<|user|>", "one", "<|assistant|>", "Ċ", "<think>", "Ċ"], True),
        (["<|user|>", "one", "<|assistant|>", "<think>", "ĊĊ", "</think>", "ĊĊ"], False),
        (["<|user|>", "one", "<|assistant|>"], False),
        (["<th", "ink", ">"], True),
    ],
    ids=["opened", "opened and closed", "neither", "in pieces"],
)
def test_whether_the_prompt_begins_the_reasoning_is_as_the_server_renders_it(tokens: list[str], opened: bool) -> None:
    def behave(little: LittleVllm) -> None:
        little.answers["/tokenize"] = 200, str({"tokens": [1], "token_strs": tokens}).replace("'", '"')

    with asked(behave) as server:
        assert opens_for_them(server, [CLOSED, CLOSED] if not opened else [PLAIN]) is opened


@pytest.mark.parametrize("answer", [(404, "{}"), (200, "no JSON"), (200, '{"tokens": [1]}'), (200, "[]"), (0, "")])
@pytest.mark.parametrize(
    ("said", "opened"),
    [([CLOSED, CLOSED, UNCLOSED], True), ([CLOSED, UNCLOSED], False), ([PLAIN, PLAIN, UNCLOSED], False), ([], False)],
    ids=["most close what they did not open", "half of them", "they open it themselves", "none"],
)
def test_a_server_that_does_not_say_is_read_by_its_answers(answer: tuple[int, str], said: list[Said], opened: bool) -> None:
    def behave(little: LittleVllm) -> None:
        little.answers["/tokenize"] = answer

    with asked(behave) as server:
        assert opens_for_them(server, said) is opened


def test_a_server_that_is_gone_says_nothing() -> None:
    server: Any = SimpleNamespace(model="x", client=_gone)
    assert opens_for_them(server, [CLOSED]) is True


@contextmanager
def _gone() -> Any:
    import httpx

    def post(*_: Any, **__: Any) -> None:
        raise httpx.ConnectError("gone")

    yield SimpleNamespace(post=post)


def completion(number: int, **fields: Any) -> str:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": None, **fields}}
    usage = {"prompt_tokens": 9, "completion_tokens": 24, "total_tokens": 33}
    told = {"id": str(number), "object": "chat.completion", "created": 1, "model": "small/nvfp4", "choices": [choice], "usage": usage}
    return json.dumps(told)


@pytest.mark.parametrize(
    ("often", "seldom"),
    [
        ({"content": "7"}, {"reasoning": THOUGHT}),
        ({"content": "7", "reasoning": THOUGHT}, {"reasoning_content": THOUGHT}),
        ({"content": f"{THOUGHT}</think>\n\n7"}, {"content": THOUGHT}),
        ({"content": f"<think>{THOUGHT}</think>7"}, {"content": f"<think>{THOUGHT}"}),
    ],
    ids=["reasoning alone", "reasoning_content alone", "opened by the prompt", "opened and never closed"],
)
def test_a_measurement_counts_the_answers_that_never_came(
    often: dict[str, str], seldom: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = itertools.count()

    def answer(path: str, _: str | None) -> tuple[int, str]:
        if path != "/v1/chat/completions":
            return (200 if path == "/health" else 404), "{}"
        number = next(numbers)
        return 200, completion(number, **(seldom if number % 10 == 0 else often))

    suite = QuestionSuite("sums", [Question(f"q{n}", "add", f"add {n} 1", "7") for n in range(40)], 24)
    with asked() as server:
        server.folder, server.slot = REFERENCE, endpoint_slot(server.base_url)
        server.checkpoint = Checkpoint(name="bf16", precision="bf16", path=str(REFERENCE), family="reference")
        monkeypatch.setattr(turns, "CONCURRENCY", 2)  # the little one's queue is short
        monkeypatch.setattr(LittleVllm, "answer", lambda _, path, key, __: answer(path, key))
        measured = measure_answers(server, suite)
    assert sum(item.open_think for item in measured.items) == 4
    assert measured.accuracy == measured.accuracy_flexible == 0.9
    assert {item.parsed for item in measured.items if item.open_think} == {False}
