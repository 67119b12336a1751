"""Pairs of a measurement and its baseline that are so far apart, and what is judged of them."""

import msgspec

from quantgate.judgement.answers import judge_answers
from quantgate.judgement.rule import Others
from quantgate.records import Answers, TextLoss, Verdict
from tests_fixtures.doubles.examples import answers, text_loss


def pair_of_answers(regressed: int, improved: int, n: int) -> tuple[Answers, Answers]:
    """A measurement and its baseline with so many discordant items; four of five others are right under both."""
    both = ("++++-" * n)[: n - regressed - improved]
    return answers("-" * regressed + "+" * improved + both, "nvfp4"), answers("+" * regressed + "-" * improved + both)


def pair_of_texts(loss: float, wobble: float = 0.002, n: int = 20) -> tuple[TextLoss, TextLoss]:
    """Documents of 100 tokens that lose `loss` nats per token, half of them `wobble` more and half of them less."""
    before = [2.0 + 0.1 * (number % 5) for number in range(n)]
    after = [nll + loss + wobble * (-1) ** number for number, nll in enumerate(before)]
    now, base = ([100 * nll for nll in losses] for losses in (after, before))
    return text_loss("nvfp4", now, tokens=100), text_loss("bf16", base, tokens=100)


def judged(pair: tuple[Answers, Answers], points: float = 4.0, suites: int = 1) -> Verdict:
    """The verdict on answers, one of so many suites."""
    return judge_answers(*pair, accuracy_points=points, others=Others(suites))


def outcome_of(measured: Answers, baseline: Answers) -> tuple[str, str]:
    """The verdict on answers at a tolerance of 8 points, and its reason."""
    got = judged((measured, baseline), points=8.0)
    return got.verdict, got.reason


def changed(measured: Answers, share: float, **fields: object) -> Answers:
    """The first `share` of the items with these fields."""
    last = round(share * len(measured.items))
    items = [msgspec.structs.replace(item, **fields) if place < last else item for place, item in enumerate(measured.items)]
    return msgspec.structs.replace(measured, items=items)


def replace_document(record: TextLoss, place: int, **changes: object) -> TextLoss:
    """The text loss, with these fields of one document changed."""
    documents = list(record.documents)
    documents[place] = msgspec.structs.replace(documents[place], **changes)
    return msgspec.structs.replace(record, documents=documents)
