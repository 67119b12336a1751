"""Answers to decidable questions, through chat at temperature 0: strict form and flexible extraction side by side."""

from collections import defaultdict

from quantgate.measure.chats import SEED, Reply, ask_chats, sampling_of
from quantgate.measure.journal import NOT_KEPT, Sitting
from quantgate.measure.provenance import provenance
from quantgate.measure.scoring import score
from quantgate.measure.thinking import CLOSE, Said, opens_for_them
from quantgate.records import Answer, Answers, Provenance, Started
from quantgate.server import Serving
from quantgate.suites import Question, QuestionSuite, Scorer


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


def measure_answers(server: Serving, suite: QuestionSuite, again: int = 0, sitting: Sitting = NOT_KEPT) -> Answers:
    """Ask every question once, greedily, and `again` of them a second time; without those that `sitting` has kept."""
    under = provenance(server, suite.fingerprint, sampling_of(suite.max_tokens, suite.thinking), Started(), seed=SEED)
    with sitting.journal(server, suite.name, under, Reply) as journal:
        rounds = ask_chats(server, suite, suite.questions, journal, again)
    opened = opens_for_them(server, [reply.said for reply in rounds[0].got.values()])
    by_id = {question.id: question for question in suite.questions}
    items, repeated = (
        [grade(by_id[name], *reply, scorer=suite.scorer, opened=opened) for name, reply in came.got.items()] for came in rounds
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
