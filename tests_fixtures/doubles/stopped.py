"""Answers of a suite that is asked in its fixed order, and may be ended early."""

from collections.abc import Mapping

import msgspec

from quantgate.judgement.early import in_order
from quantgate.judgement.watch import Question, Watch
from quantgate.records import Answer, Answers, StoppedEarly
from quantgate.suites import SUITES, QuestionSuite
from tests_fixtures.doubles.examples import PROVENANCE, answers, provenance_of, with_provenance

SUITE = "reference-questions"
SEED = PROVENANCE.suite_fingerprint


def suite_of(n: int, groups: Mapping[str, int] | None = None) -> Answers:
    """BF16's answers, four in five right; `groups`: name → every how many items is one of it, the first that fits."""
    found = answers(("++++-" * (n // 5 + 1))[:n])
    names = groups or {}
    items = [
        msgspec.structs.replace(
            item, group=next((name for name, every in names.items() if place % every == 0), "add"), completion_tokens=10
        )
        for place, item in enumerate(found.items)
    ]
    return msgspec.structs.replace(found, items=items)


def candidate(baseline: Answers, wrong_every: int = 0, wrong_in: str = "") -> dict[str, Answer]:
    """By id, what a checkpoint answers: as BF16, but every so many right items, along the fixed order, are wrong; of all or a group."""
    now, count = {item.id: item for item in baseline.items}, 0
    for name in in_order(now, SEED):
        item = now[name]
        if item.correct and wrong_in in ("", item.group):
            count += 1
            if wrong_every and count % wrong_every == 0:
                now[name] = msgspec.structs.replace(item, correct=False, strict=False, flexible=False)
    return now


def watch_over(baseline: Answers, *more: Question, points: float = 5.0, suites: int = 1) -> Watch:
    """What watches for the verdict against this baseline, and for what is asked besides."""
    question = Question(baseline=baseline, accuracy_points=points, suites=suites)
    return Watch([question, *more], [item.id for item in baseline.items], SEED, "nvfp4")


def ask(watch: Watch, now: Mapping[str, Answer], at_once: int = 1) -> tuple[list[Answer], StoppedEarly | None]:
    """Every so many answers it is looked; what was answered by the end, and why that came."""
    asked: list[Answer] = []
    for name in watch.order:
        asked.append(now[name])
        if len(asked) % at_once == 0 and (stopped := watch(asked)) is not None:
            return asked, stopped
    return asked, None


def record_of(items: list[Answer], stopped: StoppedEarly | None, checkpoint: str = "nvfp4") -> Answers:
    """The measurement of them."""
    accuracy = sum(item.correct for item in items) / len(items)
    empty = msgspec.structs.replace(answers("+", checkpoint), provenance=provenance_of(checkpoint))
    return msgspec.structs.replace(empty, items=items, accuracy=accuracy, stopped=stopped)


def answered(checkpoint: str) -> Answers:
    """All of the reference family's questions, four in five of them right."""
    suite = SUITES[SUITE][1](None)
    assert isinstance(suite, QuestionSuite)
    plain = answers(("++++-" * len(suite.questions))[: len(suite.questions)], checkpoint)
    named = zip(plain.items, suite.questions, strict=True)
    items = [msgspec.structs.replace(item, id=question.id, group="all") for item, question in named]
    return with_provenance(msgspec.structs.replace(plain, items=items), suite_fingerprint=suite.fingerprint)


def read_to_the_end(whole: Answers, watch: Watch | None) -> Answers:
    """As a server's answers would come in, one by one."""
    if watch is None:
        return whole
    by_id = {item.id: item for item in whole.items}
    items, stopped = list[Answer](), None
    for name in watch.order:
        items.append(by_id[name])
        stopped = watch(items)
        if stopped is not None:
            break
    accuracy = sum(item.correct for item in items) / len(items)
    return msgspec.structs.replace(whole, items=items, accuracy=accuracy, stopped=stopped)
