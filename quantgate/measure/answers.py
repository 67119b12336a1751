"""Answers to decidable questions, through chat: strict form and flexible extraction side by side."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from quantgate.measure import mathematics
from quantgate.measure.chats import SEED, Reply, ask_chats, sampling_of
from quantgate.measure.journal import NOT_KEPT, Sitting
from quantgate.measure.provenance import provenance
from quantgate.measure.scoring import score_all
from quantgate.measure.thinking import Said, opens_for_them
from quantgate.records import Answer, Answers, Provenance, Started
from quantgate.server import Serving
from quantgate.suites import Question, QuestionSuite, Scorer


class Asking(NamedTuple):
    """A question as it is asked: once, or one time of several, which are a cluster then."""

    id: str
    question: Question
    seed: int = SEED
    cluster: str | None = None

    @property
    def prompt(self) -> str:
        return self.question.prompt


class Got(NamedTuple):
    """What came back for one question."""

    asked: Asking
    said: Said
    finish_reason: str
    completion_tokens: int


def askings(suite: QuestionSuite) -> list[Asking]:
    """Every question, `repeats` times: q#1 with the seed SEED + 1, q#2 with SEED + 2, … A question's repeats stand together."""
    if suite.repeats == 1:
        return [Asking(one.id, one) for one in suite.questions]
    times = range(1, suite.repeats + 1)
    return [Asking(f"{one.id}#{time}", one, SEED + time, one.id) for one in suite.questions for time in times]


def grade_all(got: Sequence[Got], scorer: Scorer = "integer", *, opened: bool = False) -> list[Answer]:
    """As `scoring.py` has it. An answer that never came out of its reasoning is none; `opened`: the prompt had begun it."""
    pairs = [(one.said.visible(opened=opened).strip(), one.asked.question.answer) for one in got]
    return [
        Answer(
            id=one.asked.id,
            group=one.asked.question.group,
            correct=scored.correct,
            answer=one.said.whole,
            extracted=scored.extracted,
            strict=scored.strict,
            flexible=scored.flexible,
            parsed=scored.extracted != "",
            open_think=one.said.is_open(opened=opened),
            finish_reason=one.finish_reason,
            completion_tokens=one.completion_tokens,
            cluster=one.asked.cluster,
            reasoning_characters=one.said.thought(opened=opened),
        )
        for one, scored in zip(got, score_all(scorer, pairs), strict=True)
    ]


def grade(
    question: Question,
    said: Said | str,
    finish_reason: str,
    completion_tokens: int,
    *,
    scorer: Scorer = "integer",
    opened: bool = False,
) -> Answer:
    """One, as `grade_all` has it."""
    said = Said(said) if isinstance(said, str) else said
    return grade_all([Got(Asking(question.id, question), said, finish_reason, completion_tokens)], scorer, opened=opened)[0]


def measure_answers(server: Serving, suite: QuestionSuite, again: int = 0, sitting: Sitting = NOT_KEPT) -> Answers:
    """Ask every question, as often as the suite says, and `again` of them once more; without those that `sitting` has kept."""
    if suite.scorer == "math":
        mathematics.require()
    sampling = sampling_of(suite.max_tokens, suite.thinking, suite.temperature, suite.repeats)
    under = provenance(server, suite.fingerprint, sampling, Started(), seed=SEED)
    every = {one.id: one for one in askings(suite)}
    with sitting.journal(server, suite.name, under, Reply) as journal:
        rounds = ask_chats(server, suite, list(every.values()), journal, again, temperature=suite.temperature)
        opened = opens_for_them(server, [reply.said for reply in rounds[0].got.values()])
        items, repeated = (
            grade_all([Got(every[name], *reply) for name, reply in came.got.items()], suite.scorer, opened=opened) for came in rounds
        )
    return answers_of(server, suite.name, journal.stamped(under), items, repeated, rounds[0].failed)


def answers_of(server: Serving, suite: str, under: Provenance, items: list[Answer], again: list[Answer], failed: dict[str, str]) -> Answers:
    """The record of these items."""
    by_group: dict[str, list[bool]] = defaultdict(list)
    for item in items:
        by_group[item.group].append(item.correct)
    return Answers(
        family=server.checkpoint.family,
        checkpoint=server.checkpoint.name,
        precision=server.checkpoint.precision,
        suite=suite,
        provenance=under,
        items=items,
        accuracy=sum(item.correct for item in items) / len(items),
        accuracy_flexible=sum(item.flexible for item in items) / len(items),
        failed=failed,
        again=again,
        by_group={group: sum(right) / len(right) for group, right in sorted(by_group.items())},
    )
