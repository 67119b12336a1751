"""Watches a suite while it is asked, and says when the verdicts on it are certain, so that the rest need not be asked."""

from collections.abc import Iterable, Sequence

import msgspec

from quantgate.judgement.answers import weigh_answers
from quantgate.judgement.early import ERROR, Certainty, certainty, in_order
from quantgate.judgement.rule import FailWhen, Others, decide
from quantgate.records import Answer, Answers, StoppedEarly

LOOKS = 100
"""A suite is looked at as often, at most: one may look at any time, but nothing is gained by looking at every answer."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is going to be asked of the answers: against which baseline, under which tolerance, as one of how many suites."""

    baseline: Answers
    accuracy_points: float
    group_points: float | None = None
    both_ways: bool = False
    fail_when: FailWhen = "likely"
    unanswered: float | None = None
    suites: int = 1


class Watch:
    """Give it the answers so far, the first of `order`; it gives back why the suite is to be ended there, or None.

    The suite ends when every one of `questions` is certain, and the rule, on what was asked, says the same; the first of them is the one
    against BF16. `ids` are the suite's, and each baseline's; `seed` is the suite's fingerprint.
    """

    def __init__(self, questions: Sequence[Question], ids: Iterable[str], seed: str, precision: str) -> None:
        self.order = in_order(ids, seed)
        self._questions, self._precision = questions, precision
        self._next = self._step = max(1, len(self.order) // LOOKS)

    def is_due(self, asked: int) -> bool:
        """Whether so many are worth a look."""
        return self._next <= asked < len(self.order)

    def __call__(self, items: Sequence[Answer]) -> StoppedEarly | None:
        planned, asked = len(self.order), len(items)
        if not self.is_due(asked):
            return None
        self._next = asked + self._step
        found = [_certainty(items, question) for question in self._questions]
        certain = [one for one in found if one is not None]
        if len(certain) < len(found):
            return None
        stopped = StoppedEarly(
            planned=planned,
            asked=asked,
            verdict=certain[0].word,
            accuracy_points=self._questions[0].accuracy_points,
            suites=self._questions[0].suites,
            error=ERROR,
            e_value=min(one.e_value for one in certain),
            tokens_saved=sum(item.completion_tokens for item in items) / asked * (planned - asked),
        )
        told = [self._verdict(items, question, stopped) for question in self._questions]
        return stopped if told == [one.word for one in certain] else None

    def _verdict(self, items: Sequence[Answer], question: Question, stopped: StoppedEarly) -> str:
        """The word of the rule on what was asked, whatever else bears on it (answers cut off, a suite at its floor)."""
        measured = msgspec.structs.replace(
            question.baseline, precision=self._precision, items=list(items), again=[], history=[], oldest=None, stopped=stopped
        )
        evidence = weigh_answers(
            measured,
            question.baseline,
            accuracy_points=question.accuracy_points,
            group_points=question.group_points,
            both_ways=question.both_ways,
            fail_when=question.fail_when,
            unanswered=question.unanswered,
        )
        return decide(evidence, Others(question.suites)).verdict


def _certainty(items: Sequence[Answer], question: Question) -> Certainty | None:
    return certainty(
        items,
        question.baseline,
        accuracy_points=question.accuracy_points,
        group_points=question.group_points,
        both_ways=question.both_ways,
        fail_when=question.fail_when,
        suites=question.suites,
    )
