"""From a scripted server to the verdict: every answer is counted as what it is, and what is no answer is no measurement."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantgate.errors import MeasurementError
from quantgate.judgement.answers import judge_answers
from quantgate.measure import turns
from quantgate.measure.answers import measure_answers
from quantgate.records import Answers, Unanswered
from quantgate.registry import Checkpoint
from quantgate.server.endpoint import Endpoint
from quantgate.suites import QuestionSuite
from tests_fixtures.doubles.scripted import MALFORMED, SAID, THOUGHT, Scripted, questions, scripted_server

REFERENCE = Path(__file__).parents[2] / "fixtures" / "reference" / "bf16"
NONE = ("cut off", "never closed", "reasoning alone", "reasoning_content alone", "null, all tokens spent", "null", "empty", "unreadable")
WAYS = {
    "cut_off": ("cut off",),
    "in_reasoning": ("never closed", "reasoning alone", "reasoning_content alone", "null, all tokens spent"),
    "empty": ("null", "empty"),
    "unreadable": ("unreadable",),
}
COUNTS = dict.fromkeys(SAID, 1) | {"right": 70, "right behind </think>": 10, "right beside reasoning": 10, "wrong": 50}


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    monkeypatch.delenv("QUANTGATE_API_KEY", raising=False)
    monkeypatch.setattr(turns, "CONCURRENCY", 2)  # the little one's queue is short
    monkeypatch.setattr(turns, "WAITS_SECONDS", (0.0, 0.0))
    with scripted_server("reference/bf16") as found:
        yield found


def measured(scripted: Scripted, counts: dict[str, int], repeats: int = 1, temperature: float = 0.0) -> Answers:
    checkpoint = Checkpoint(name="bf16", precision="bf16", path=str(REFERENCE), family="reference")
    suite = QuestionSuite("counted", questions(counts), 24, scorer="number", repeats=repeats, temperature=temperature)
    return measure_answers(Endpoint(scripted.url, checkpoint, REFERENCE), suite)


def test_every_kind_of_answer_is_counted_and_named_in_the_verdict(scripted: Scripted) -> None:
    found = measured(scripted, COUNTS)
    scripted.instead = dict.fromkeys(NONE, "wrong")
    got = judge_answers(found, measured(scripted, COUNTS), accuracy_points=5.0)
    assert len(found.items) == 150
    assert Counter(item.id.rpartition(" ")[0] for item in found.items if item.correct) == {
        kind: count for kind, count in COUNTS.items() if kind.startswith("right")
    }
    assert found.accuracy == pytest.approx(92 / 150)
    # 5 of 150 never came, 7 hold no answer: both within the limit of 7.5.
    assert (got.verdict, got.unanswered) == ("pass", Unanswered(in_reasoning=4, cut_off=1, empty=2, unreadable=1))
    assert got.discordant is not None
    assert (got.discordant.regressed, got.discordant.improved) == (0, 0)


def test_how_much_was_thought_is_in_the_record_where_it_is_known(scripted: Scripted) -> None:
    thought = {item.id.rpartition(" ")[0]: item.reasoning_characters for item in measured(scripted, dict.fromkeys(SAID, 1)).items}
    told = {"right behind <think>", "right beside reasoning", "right beside reasoning_content", "never closed", "reasoning alone"}
    assert {kind for kind, count in thought.items() if count == len(THOUGHT)} == told | {"reasoning_content alone"}
    assert thought["right behind </think>"] == len(f"{THOUGHT}, or 43?")
    assert {kind for kind, count in thought.items() if count is None} == {
        "right", "wrong", "cut off", "null", "empty", "unreadable", "null, all tokens spent",
    }  # fmt: skip


@pytest.mark.parametrize(("kind", "way"), [(kind, way) for way, kinds in WAYS.items() for kind in kinds])
def test_too_many_of_a_kind_make_the_suite_unable_to_pass(kind: str, way: str, scripted: Scripted) -> None:
    counts = {"right": 14, "wrong": 4, kind: 2}
    found = measured(scripted, counts)
    scripted.instead = {kind: "wrong"}
    got = judge_answers(found, measured(scripted, counts), accuracy_points=50.0)
    assert (got.verdict, got.unanswered) == ("error", Unanswered(**{way: 2}))
    assert got.reason.startswith("10% of the measurement's answers ")
    assert got.reason.endswith(f"({kind} 0 first)")


@pytest.mark.parametrize("kind", MALFORMED)
def test_what_is_no_answer_is_no_measurement(kind: str, scripted: Scripted) -> None:
    scripted.instead = {"unreadable": kind}
    with pytest.raises(MeasurementError) as error:
        measured(scripted, {"right": 3, "unreadable": 1})
    assert {"no choices": "holds no choice", "no JSON": "is no JSON", "HTTP 500": "500"}[kind] in str(error.value)
    assert "\n" not in str(error.value)


def test_each_repeat_has_a_seed_of_its_own_and_is_a_cluster_with_the_others(scripted: Scripted) -> None:
    found = measured(scripted, {"right": 1, "wrong": 1}, repeats=3, temperature=0.6)
    assert [(item.id, item.cluster, item.correct) for item in found.items] == [
        (f"{kind} 0#{time}", f"{kind} 0", kind == "right") for kind in ("right", "wrong") for time in (1, 2, 3)
    ]
    asked = Counter((body["messages"][0]["content"], body["seed"], body["temperature"]) for body in scripted.bodies)
    assert asked == {(f"{kind} 0", seed, 0.6): 1 for kind in ("right", "wrong") for seed in (1, 2, 3)}
    assert found.provenance.sampling == {"temperature": 0.6, "max_tokens": 24, "repeats": 3}
    got = judge_answers(found, found, accuracy_points=5.0)
    assert (got.clusters, got.n) == (2, 6)


def test_a_question_that_is_asked_once_is_asked_as_ever(scripted: Scripted) -> None:
    found = measured(scripted, {"right": 1})
    assert [(item.id, item.cluster) for item in found.items] == [("right 0", None)]
    assert [(body["seed"], body["temperature"]) for body in scripted.bodies] == [(0, 0)]
    assert found.provenance.sampling == {"temperature": 0, "max_tokens": 24}
