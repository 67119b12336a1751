"""Asking until it is enough, against a scripted server: the first of the order are looked at, and nothing is asked beyond."""

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quantgate.errors import MeasurementError
from quantgate.judgement import judge_answers
from quantgate.judgement.watch import Question as Asked
from quantgate.judgement.watch import Watch
from quantgate.measure import turns
from quantgate.measure.answers import measure_answers
from quantgate.records import Answer, StoppedEarly
from quantgate.registry import Checkpoint
from quantgate.server.endpoint import Endpoint
from quantgate.suites import Question, QuestionSuite
from tests_fixtures.doubles.examples import answers, with_provenance
from tests_fixtures.doubles.little_vllm import LittleVllm, running

REFERENCE = Path(__file__).parents[2] / "fixtures" / "reference" / "bf16"
N = 90
SUITE = QuestionSuite("long", [Question(f"q{place}", "add", f"q{place}", "42") for place in range(N)], 24)


class Scripted:
    """A server that says 42 to all but the `wrong`; `asked` are the questions that reached it, `waits` the one that is answered behind
    thirty others."""

    def __init__(self, little: LittleVllm) -> None:
        checkpoint = Checkpoint(name="nvfp4", precision="nvfp4", path=str(REFERENCE), family="reference")
        self.server = Endpoint(little.url, checkpoint, REFERENCE)
        self.asked, self.wrong, self.fails = list[str](), set[str](), set[str]()
        self.waits, self.go_on = "", threading.Event()

    def answer(self, path: str, sent: bytes) -> tuple[int, str]:
        if path != "/v1/chat/completions":
            return (200 if path == "/health" else 404), "{}"
        name = json.loads(sent)["messages"][0]["content"]
        self.asked.append(name)
        if len(self.asked) >= 30:
            self.go_on.set()
        if name == self.waits:
            self.go_on.wait(60)
        if name in self.fails:
            return 400, '{"error": {"message": "no"}}'
        message = {"role": "assistant", "content": "41" if name in self.wrong else "42"}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        usage = {"prompt_tokens": 9, "completion_tokens": 10, "total_tokens": 19}
        told: dict[str, Any] = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        return 200, json.dumps(told)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    monkeypatch.delenv("QUANTGATE_API_KEY", raising=False)
    monkeypatch.setattr(turns, "CONCURRENCY", 6)
    with running() as little:
        little.models = [("reference/nvfp4", "x")]
        found = Scripted(little)
        monkeypatch.setattr(LittleVllm, "answer", lambda _, path, __, sent: found.answer(path, sent))
        yield found
        found.go_on.set()


class After:
    """A watch that ends it after so many, and remembers what it was shown."""

    def __init__(self, count: int, order: Sequence[str]) -> None:
        self.count, self.order, self.shown = count, order, list[list[str]]()

    def is_due(self, asked: int) -> bool:
        return asked >= 1

    def __call__(self, items: Sequence[Answer], /) -> StoppedEarly | None:
        self.shown.append([item.id for item in items])
        if len(items) < self.count:
            return None
        return StoppedEarly(
            planned=N, asked=len(items), verdict="pass", accuracy_points=1.0, suites=1, error=0.025, e_value=40.0, tokens_saved=1.0
        )


BACKWARDS = [question.id for question in reversed(SUITE.questions)]


def test_the_first_of_the_order_are_what_is_left(scripted: Scripted) -> None:
    watch = After(20, BACKWARDS)
    measured = measure_answers(scripted.server, SUITE, watch=watch)
    count = len(measured.items)
    assert 20 <= count < 27
    assert [item.id for item in measured.items] == [f"q{place}" for place in range(N - count, N)]  # in the suite's own order
    assert measured.stopped is not None
    assert measured.stopped.asked == count
    assert len(scripted.asked) <= count + 12
    assert all(shown == BACKWARDS[: len(shown)] for shown in watch.shown)


def test_an_answer_that_came_before_its_turn_is_not_looked_at(scripted: Scripted) -> None:
    """The first one takes its time: what is answered meanwhile, however much, is shown only behind it."""
    scripted.waits = BACKWARDS[0]
    watch = After(N, BACKWARDS)
    measured = measure_answers(scripted.server, SUITE, watch=watch)
    assert watch.shown[0] == BACKWARDS[: len(watch.shown[0])]
    assert len(watch.shown[0]) > 20
    assert measured.stopped is None
    assert len(measured.items) == N


def test_without_an_end_the_record_is_as_without_a_watch(scripted: Scripted) -> None:
    plain, watched = (measure_answers(scripted.server, SUITE, watch=watch) for watch in (None, After(N + 1, BACKWARDS)))
    assert [msgspec.structs.replace(one, provenance=plain.provenance) for one in (plain, watched)] == [plain, plain]


def test_a_failure_stays_one(scripted: Scripted) -> None:
    scripted.fails = {BACKWARDS[3]}
    with pytest.raises(MeasurementError, match=r"1 of 90 requests failed, and 0.5% may, so nothing was measured"):
        measure_answers(scripted.server, SUITE, watch=After(20, BACKWARDS))


def test_what_is_asked_again_is_of_what_was_asked(scripted: Scripted) -> None:
    measured = measure_answers(scripted.server, SUITE, again=10, watch=After(20, BACKWARDS))
    assert len(measured.again) == 10
    assert {item.id for item in measured.again} <= {item.id for item in measured.items}


@pytest.mark.parametrize(("wrong", "word"), [(0, "pass"), (40, "fail")])
def test_a_real_watch_ends_it_and_the_record_is_judged(scripted: Scripted, wrong: int, word: str) -> None:
    base = with_provenance(answers("+" * (N - 10) + "-" * 10), suite_fingerprint=SUITE.fingerprint)
    scripted.wrong = {f"q{place}" for place in range(N - 10, N)} | {f"q{2 * place}" for place in range(wrong)}
    ids = [question.id for question in SUITE.questions]
    watch = Watch([Asked(baseline=base, accuracy_points=15.0)], ids, SUITE.fingerprint, "nvfp4")
    measured = measure_answers(scripted.server, SUITE, watch=watch)
    assert measured.stopped is not None
    assert measured.stopped.verdict == word
    assert len(scripted.asked) < 0.8 * N
    base = msgspec.structs.replace(base, suite="long", provenance=measured.provenance)
    assert judge_answers(measured, base, accuracy_points=15.0).verdict == word
