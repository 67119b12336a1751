"""Answers to decidable questions, through chat at temperature 0: strict form and flexible extraction side by side."""

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from quantgate.errors import MeasurementError
from quantgate.measure.asking import ask_all, chosen, provenance
from quantgate.measure.sampling import NEUTRAL
from quantgate.measure.scoring import score
from quantgate.measure.thinking import CLOSE, Said, opens_for_them
from quantgate.records import Answer, Answers, Started
from quantgate.server import Serving
from quantgate.suites import Question, QuestionSuite, Scorer

if TYPE_CHECKING:
    from openai import AsyncOpenAI

SEED = 0


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
    thinking = {} if suite.thinking is None else {"chat_template_kwargs": {"enable_thinking": suite.thinking}}

    async def ask(client: "AsyncOpenAI", question: Question) -> Got:
        completion = await client.chat.completions.create(
            model=server.model,
            messages=[{"role": "user", "content": question.prompt}],
            temperature=0,
            max_tokens=suite.max_tokens,
            seed=SEED,
            extra_body=NEUTRAL | thinking,
        )
        if not getattr(completion, "choices", None):
            raise MeasurementError(f"{question.id}: the server's answer holds no choice: {str(completion)[:200]}")
        choice = completion.choices[0]
        tokens = completion.usage.completion_tokens if completion.usage else 0
        return Got(question, Said.of(choice.message), choice.finish_reason, tokens)

    asked = ask_all(server, suite.questions, ask)
    asked_again = ask_all(server, chosen(suite.questions, again, suite.fingerprint), ask)
    opened = opens_for_them(server, [one.said for one in asked])
    items, repeated = ([grade(*one, scorer=suite.scorer, opened=opened) for one in ones] for ones in (asked, asked_again))
    by_group: dict[str, list[bool]] = defaultdict(list)
    for item in items:
        by_group[item.group].append(item.correct)
    sampling: dict[str, float | int | bool | str] = {"temperature": 0, "max_tokens": suite.max_tokens}
    sampling |= {} if suite.thinking is None else {"enable_thinking": suite.thinking}
    return Answers(
        family=server.checkpoint.family,
        checkpoint=server.checkpoint.name,
        precision=server.checkpoint.precision,
        suite=suite.name,
        provenance=provenance(server, suite.fingerprint, sampling, started, seed=SEED),
        items=items,
        accuracy=sum(item.correct for item in items) / len(items),
        accuracy_flexible=sum(item.flexible for item in items) / len(items),
        again=repeated,
        by_group={group: sum(right) / len(right) for group, right in sorted(by_group.items())},
    )
