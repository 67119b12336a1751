"""Perplexity by document: which texts lost most, and, where likeliest tokens were kept on both sides, at which tokens."""

from collections.abc import Sequence

from quantgate.records import TextLoss
from quantgate.report.page.asked import Asked
from quantgate.report.page.found import Measured
from quantgate.report.page.values import Document, Documents, Token

WORST, MOST_TOKENS = 8, 600
SAMPLED = "token by token where both sides kept it, of a fixed sample of the documents"


def documents(measured: Sequence[Measured], asked: Asked) -> list[Documents]:
    """The documents that lost most in all, and those of the sample."""
    found = []
    for one in measured:
        record, base = one.record, one.baseline
        if one.has_news and isinstance(record, TextLoss) and isinstance(base, TextLoss):
            found.append(_documents(record, base, asked))
    return found


def _documents(record: TextLoss, base: TextLoss, asked: Asked) -> Documents:
    before = {one.id: one for one in base.documents}
    pairs = [(one, before[one.id]) for one in record.documents if one.id in before and one.tokens == before[one.id].tokens]
    lost = {now.id: now.nll_sum - old.nll_sum for now, old in pairs}
    sampled = {one.id for one in record.topk} & {one.id for one in base.topk}
    worst = sorted(pairs, key=lambda pair: -lost[pair[0].id])
    by_token = next((pair for pair in worst if pair[0].id in sampled), None)
    chosen = worst[:WORST]
    if by_token is not None and by_token not in chosen:
        chosen.append(by_token)
    shown = [
        Document(
            id=now.id,
            tokens=now.tokens,
            before=old.nll_sum / max(1, old.tokens),
            now=now.nll_sum / max(1, now.tokens),
            lost=lost[now.id],
            text=asked.text(record, now.id) or "",
            token_losses=_tokens(record, base, now.id, asked) if now.id in sampled else [],
        )
        for now, old in chosen
    ]
    return Documents(
        checkpoint=record.checkpoint,
        suite=record.suite,
        worse=sum(value > 0 for value in lost.values()),
        of=len(pairs),
        worst=shown,
        remark=SAMPLED if sampled else "",
    )


def _tokens(record: TextLoss, base: TextLoss, document: str, asked: Asked) -> list[Token]:
    """Each token with what it lost; its place where nobody can read it here."""
    now, old = (next(one.own for one in side.topk if one.id == document) for side in (record, base))
    if len(now) != len(old):
        return []
    texts = asked.tokens(record, document)
    if texts is None or len(texts) != len(now):
        texts = [f"#{place} " for place in range(1, len(now) + 1)]
    pairs = zip(texts[:MOST_TOKENS], now, old, strict=False)
    return [Token(text=text, lost=was - own, nll=-own) for text, own, was in pairs]
