"""Answers to decidable questions, through chat: strict form and flexible extraction side by side."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from quantgate.measure import mathematics
from quantgate.measure.chats import SEED, Reply, ask_chats, sampling_of
from quantgate.measure.journal import NOT_KEPT, Sitting
from quantgate.measure.provenance import provenance
from quantgate.measure.scoring import score_all
from quantgate.measure.thinking import Said, as_most_show, prompt_opens
from quantgate.records import Answer, Answers, Provenance, Started, StoppedEarly
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
            prompt=one.asked.prompt,
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


class Watch(Protocol):
    """Says when a suite need not be asked to its end, of which `order` has every id: given the first of them, why it is ended there, or
    None."""

    @property
    def order(self) -> Sequence[str]: ...

    def is_due(self, asked: int) -> bool:
        """Whether it wants to look at so many."""

    def __call__(self, items: Sequence[Answer], /) -> StoppedEarly | None: ...


def measure_answers(
    server: Serving, suite: QuestionSuite, again: int = 0, sitting: Sitting = NOT_KEPT, watch: Watch | None = None
) -> Answers:
    """Ask every question, as often as the suite says, and `again` of them once more; without those that `sitting` has kept. With a
    `watch`, in its order and no longer than it wants."""
    if suite.scorer == "math":
        mathematics.require()
    sampling = sampling_of(suite.max_tokens, suite.thinking, suite.temperature, suite.repeats)
    under = provenance(server, suite.fingerprint, sampling, Started(), seed=SEED)
    every = {one.id: one for one in askings(suite)}
    in_order = [every[name] for name in (every if watch is None else watch.order)]
    opens = prompt_opens(server)
    looked_at: list[Answer] = []
    stopped: StoppedEarly | None = None

    def graded(replies: Mapping[str, Reply], among: Iterable[Reply]) -> list[Answer]:
        opened = opens if opens is not None else as_most_show([one.said for one in among])
        return grade_all([Got(every[name], *reply) for name, reply in replies.items()], suite.scorer, opened=opened)

    def enough(first: Sequence[Reply]) -> bool:
        nonlocal stopped
        if watch is None or not watch.is_due(len(first)):
            return False
        if opens is None:
            looked_at.clear()  # what most show may have changed
        new = dict(zip((one.id for one in in_order[len(looked_at) :]), first[len(looked_at) :], strict=False))
        looked_at.extend(graded(new, first))
        stopped = watch(looked_at)
        return stopped is not None

    with sitting.journal(server, suite.name, under, Reply) as journal:
        asked, asked_again = ask_chats(
            server, suite, in_order, journal, again, temperature=suite.temperature, enough=None if watch is None else enough
        )
        items = graded({name: asked.got[name] for name in every if name in asked.got}, asked.got.values())
        repeated = graded(asked_again.got, asked.got.values())
    found = answers_of(server, suite.name, journal.stamped(under), items, repeated, asked.failed)
    return msgspec.structs.replace(found, stopped=stopped)


def answers_of(server: Serving, suite: str, under: Provenance, items: list[Answer], again: list[Answer], failed: dict[str, str]) -> Answers:
    """The record of these items."""
    by_group: dict[str, list[float]] = defaultdict(list)
    for item in items:
        by_group[item.group].append(item.worth)
    return Answers(
        family=server.checkpoint.family,
        checkpoint=server.checkpoint.name,
        precision=server.checkpoint.precision,
        suite=suite,
        provenance=under,
        items=items,
        accuracy=sum(item.worth for item in items) / len(items),
        accuracy_flexible=sum(item.flexible for item in items) / len(items),
        failed=failed,
        again=again,
        by_group={group: sum(right) / len(right) for group, right in sorted(by_group.items())},
    )
