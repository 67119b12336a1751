"""Answers to decidable questions, through chat at temperature 0: strict form and flexible extraction side by side."""

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from quantgate.measure.asking import ask_all, chosen, provenance
from quantgate.measure.chats import SEED, Sampling, chat, sampling_of
from quantgate.measure.scoring import score
from quantgate.measure.thinking import CLOSE, Said, opens_for_them
from quantgate.records import Answer, Answers, Started
from quantgate.server import Serving
from quantgate.suites import Question, QuestionSuite, Scorer

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class Got(NamedTuple):
    """What came back for one question."""

    question: Question
    said: Said
    finish_reason: str
    completion_tokens: int


def grade(
    question: Question,
    said: Said | str,
    finish_reason: str,
    completion_tokens: int,
    *,
    scorer: Scorer = "integer",
    opened: bool = False,
) -> Answer:
    """As `scoring.py` has it. An answer that never came out of its reasoning is none; `opened`: the prompt had begun it."""
    said = Said(said) if isinstance(said, str) else said
    open_think, text = said.is_open(opened=opened), said.whole
    visible = "" if open_think else text.rpartition(CLOSE)[2].strip()
    scored = score(scorer, visible, question.answer)
    return Answer(
        id=question.id,
        group=question.group,
        correct=scored.correct,
        answer=text,
        extracted=scored.extracted,
        strict=scored.strict,
        flexible=scored.flexible,
        parsed=scored.extracted != "",
        open_think=open_think,
        finish_reason=finish_reason,
        completion_tokens=completion_tokens,
    )


def measure_answers(server: Serving, suite: QuestionSuite, again: int = 0) -> Answers:
    """Ask every question once, greedily, and `again` of them a second time."""
    started = Started()

    async def ask(client: "AsyncOpenAI", question: Question) -> Got:
        return Got(question, *await chat(client, server.model, question.id, question.prompt, suite.max_tokens, suite.thinking))

    asked = ask_all(server, suite.questions, ask)
    asked_again = ask_all(server, chosen(suite.questions, again, suite.fingerprint), ask)
    opened = opens_for_them(server, [one.said for one in asked])
    items, repeated = ([grade(*one, scorer=suite.scorer, opened=opened) for one in ones] for ones in (asked, asked_again))
    return answers_of(server, suite.name, suite.fingerprint, sampling_of(suite.max_tokens, suite.thinking), started, items, repeated)


def answers_of(
    server: Serving, suite: str, fingerprint: str, sampling: Sampling, started: Started, items: list[Answer], again: list[Answer]
) -> Answers:
    """The record of these items."""
    by_group: dict[str, list[bool]] = defaultdict(list)
    for item in items:
        by_group[item.group].append(item.correct)
    return Answers(
        family=server.checkpoint.family,
        checkpoint=server.checkpoint.name,
        precision=server.checkpoint.precision,
        suite=suite,
        provenance=provenance(server, fingerprint, sampling, started, seed=SEED),
        items=items,
        accuracy=sum(item.correct for item in items) / len(items),
        accuracy_flexible=sum(item.flexible for item in items) / len(items),
        again=again,
        by_group={group: sum(right) / len(right) for group, right in sorted(by_group.items())},
    )
