"""One record by itself: can a run have produced it, and does it tell anything?

Malformed is what no run of a suite can have written. Void are answers that were graded and are none: cut off, unparsable, or ended
while the model was still thinking; nothing can be judged by them, and no baseline made.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import median

from quantgate import stats
from quantgate.judgement.endings import is_odd, never_came, repeats_itself, unanswered_in_words
from quantgate.records import Answer, Answers, DocumentLoss, Measurement, TextLoss, Throughput

RELATIVE = 1e-9
ROUNDING_NATS = 1e-4
"""Per token: how far the likeliest token's loss may lie above the own token's, which it never does but for rounding."""
MOST_VOID = 0.05
"""The largest share of answers that may be none: that never came (cut off by length, or ended inside their reasoning), and that hold no
answer (empty, or unreadable). So it is of each of the four, too."""


def malformed(record: Measurement) -> str | None:
    """The first thing that cannot be, or None."""
    if isinstance(record, TextLoss):
        return _twice_or_none(record.documents, "document") or _losses(record) or _likeliest(record) or _again(record) or _follows(record)
    if isinstance(record, Answers):
        return (
            _twice_or_none(record.items, "item") or _scores(record) or _mean(record) or _stop(record) or _again(record) or _follows(record)
        )
    return _rounds(record) or _follows(record)


def _twice_or_none(items: Sequence[DocumentLoss | Answer], noun: str) -> str | None:
    if not items:
        return f"it holds no {noun}s"
    times = Counter(item.id for item in items)
    twice = next((name for name, count in times.items() if count > 1), None)
    return None if twice is None else f"{noun} {twice!r} stands {times[twice]} times in it"


def _losses(record: TextLoss) -> str | None:
    for document in (*record.documents, *record.again):
        if document.tokens < 1:
            return f"document {document.id!r} has {document.tokens} scored tokens"
        if document.nll_sum < -ROUNDING_NATS * document.tokens or document.top1_nll_sum < -ROUNDING_NATS * document.tokens:
            return f"document {document.id!r} has a loss below 0 ({document.nll_sum} nats), a probability above 1"
        if document.top1_nll_sum > document.nll_sum + ROUNDING_NATS * document.tokens:
            return (
                f"document {document.id!r} loses {document.nll_sum} nats, and its likeliest tokens {document.top1_nll_sum}: "
                "no token is likelier than the likeliest"
            )
    return None


def _scores(record: Answers) -> str | None:
    for item in record.items:
        if item.score is not None and not 0 <= item.score <= 1:
            return f"item {item.id!r} has the score {item.score}; scores lie between 0 and 1"
        if item.score in (0, 1) and item.score != item.correct:
            marked = "right" if item.correct else "wrong"
            return f"item {item.id!r} has the score {item.score:g} and is marked {marked}: one of the two is not so"
        if item.score is None and item.correct and not (item.parsed or item.strict or item.flexible):
            return f"item {item.id!r} is marked right, and no answer was found in it: one of the two is not so"
    return None


def _mean(record: Answers) -> str | None:
    return "it is judged by its mean over categories, and has none" if record.mean == "category" and record.category_mean is None else None


def _stop(record: Answers) -> str | None:
    stopped = record.stopped
    if stopped is None or len(record.items) == stopped.asked < stopped.planned:
        return None
    return f"it was stopped after {stopped.asked} of {stopped.planned} items, and holds {len(record.items)}"


def _likeliest(record: TextLoss) -> str | None:
    """A sample of likeliest tokens that cannot be."""
    names = [one.id for one in record.topk]
    if len(set(names)) < len(names):
        return f"document {next(name for name in names if names.count(name) > 1)!r} stands twice in its likeliest tokens"
    for one in record.topk:
        lengths = {len(one.own), len(one.tokens), len(one.logprobs)}
        if not one.own or len(lengths) > 1 or any(len(t) != len(p) or not t for t, p in zip(one.tokens, one.logprobs, strict=True)):
            return f"document {one.id!r} has likeliest tokens that do not stand beside its positions one by one"
        if max(*map(max, one.logprobs), *one.own) > ROUNDING_NATS:
            return f"document {one.id!r} has a likeliest token with a probability above 1"
    return None


def _again(record: TextLoss | Answers) -> str | None:
    known = {item.id for item in (record.documents if isinstance(record, TextLoss) else record.items)}
    stranger = next((item.id for item in record.again if item.id not in known), None)
    return None if stranger is None else f"its second run has {stranger!r}, which its first has not"


def _rounds(record: Throughput) -> str | None:
    if not record.rounds:
        return "it holds no rounds"
    stopped = next((number for number, one in enumerate(record.rounds, 1) if not one.decode_tps > 0), None)
    return None if stopped is None else f"round {stopped} has a decode_tps of {record.rounds[stopped - 1].decode_tps}"


def _follows(record: Measurement) -> str | None:
    """A summary that does not follow from the items it stands beside."""
    if isinstance(record, TextLoss):
        nll = sum(document.nll_sum for document in record.documents) / sum(document.tokens for document in record.documents)
        name, value = "nll_per_token", nll
        if math.isclose(record.nll_per_token, nll, rel_tol=RELATIVE) and nll < math.log(1e300):
            name, value = "perplexity", math.exp(nll)
    elif isinstance(record, Answers):
        name, value = "accuracy", sum(item.worth for item in record.items) / len(record.items)
        if record.category_mean is not None and math.isclose(record.accuracy, value, rel_tol=RELATIVE, abs_tol=1e-12):
            worths, strata = [item.worth for item in record.items], [(item.group, item.task) for item in record.items]
            name, value = "category_mean", stats.nested_mean(worths, strata)
    else:
        name, value = "decode_tps", median(one.decode_tps for one in record.rounds)
    stated = getattr(record, name)
    return None if math.isclose(stated, value, rel_tol=RELATIVE, abs_tol=1e-12) else f"its {name} is {stated}, and its items make {value}"


def reads_likeliest(record: TextLoss, name: str) -> str | None:
    """Over more than one document the likeliest token is never always the one that stands there."""
    if len(record.documents) < 2:
        return None
    if record.perplexity != record.top1_perplexity and any(one.nll_sum != one.top1_nll_sum for one in record.documents):
        return None
    return (
        f"the {name}'s perplexity and top-1 perplexity are both {record.perplexity}: "
        "either the harness read the likeliest token instead of the one that stands there, or the model gives every token "
        "the same probability (an output layer that was never loaded)"
    )


def void(measured: Answers, name: str = "measurement", may: float | None = None) -> str | None:
    """Why nothing can be judged by these answers, or None. Every share that is too large is named, with its counts; `may` is what they
    may be, MOST_VOID where that is None."""
    most = MOST_VOID if may is None else may
    never, failed = share(measured.items, never_came), share(measured.items, is_odd)
    unread = share(measured.items, lambda item: not item.parsed)
    whose, limit, found = f"of the {name}'s answers", f"{most:.0%} may", list[str]()
    if never > most:
        found.append(f"{never:.0%} {whose} never came, {limit}: {_remedy(measured)}")
    if failed > most:
        found.append(f"{failed:.0%} {whose} ended neither by themselves nor by length, {limit}: look at their finish_reason in the record")
    if unread > most and not (never > most and all(map(never_came, _unread(measured)))):
        found.append(f"{unread:.0%} {whose} hold no answer that can be read, {limit}: look at them in the record, then at the prompt")
    return "; ".join([*found, unanswered_in_words(measured.items)]) if found else None


def let_pass(measured: Answers, may: float | None) -> str | None:
    """A note where more answers are none than may be where nobody states otherwise; None where they are not, or void anyway."""
    if may is None or void(measured) is None or void(measured, may=may) is not None:
        return None
    return f"{unanswered_in_words(measured.items)}, which unanswered = {may:g} allows"


def _unread(measured: Answers) -> list[Answer]:
    return [item for item in measured.items if not item.parsed]


def _remedy(measured: Answers) -> str:
    """More room helps those that would have come to an end."""
    limit = measured.provenance.sampling.get("max_tokens", "unknown")
    cut, endless = sum(map(never_came, measured.items)), sum(map(repeats_itself, measured.items))
    if 2 * endless > cut:
        loops = f"{endless} of these {cut} repeat themselves without end, for which no max_tokens is enough ({limit} now)"
        return f"{loops}; ask something easier, or state `unanswered`"
    return f"raise the suite's max_tokens, {limit} now"


def share(items: Sequence[Answer], wanted: Callable[[Answer], bool]) -> float:
    """Of the items, from 0 to 1."""
    return sum(map(wanted, items)) / len(items)
