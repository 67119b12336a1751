"""Perplexity from a server: token ids in, the log-probability of the token that stands at each position out.

ℓᵢ = prompt_logprobs[i][prompt_token_ids[i]], never the first entry, the largest, or the one of rank 1; position 0
has none. NLL = −Σℓᵢ / N over all documents, PPL = exp(NLL). The largest logprob per position is summed beside it.
"""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from quantgate.errors import MeasurementError
from quantgate.measure.asking import chosen
from quantgate.measure.journal import NOT_KEPT, Journal, Sitting
from quantgate.measure.prompt_logprobs import Positions, Prompt, score_all
from quantgate.measure.provenance import provenance
from quantgate.records import DocumentLoss, DocumentTopK, Started, TextLoss
from quantgate.server import Endpoint, Serving
from quantgate.stats import divergence
from quantgate.suites import Encoded, TextSuite, encode

SAMPLING: dict[str, float | int | bool | str] = {"temperature": 0, "max_tokens": 1, "prompt_logprobs": 1, "add_special_tokens": True}


MOST_APART_NATS = 0.02
"""A token, between two answers to one document: what a batch changes stays far below it."""
LIKELIEST, SAMPLED = 10, 8
"""Tokens a position, and documents, of the sample for the divergence."""


class Scored(NamedTuple):
    """What is kept of an answer; `topk` of a document of the sample."""

    loss: DocumentLoss
    topk: DocumentTopK | None


class Spent:
    """What this process spends from here on."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.monotonic()

    def cpu_share(self) -> float:
        """CPU seconds a second: 1 is a whole core, which is all that one Python process can use."""
        return round((time.process_time() - self._cpu) / max(1e-9, time.monotonic() - self._wall), 3)


def measure_text_loss(server: Serving, suite: TextSuite, tokenizer: Path, again: int = 0, sitting: Sitting = NOT_KEPT) -> TextLoss:
    """The loss on every document, without asking for those that `sitting` has kept.

    Raises MeasurementError where a number is missing or not finite.

    The likeliest tokens of SAMPLED documents are kept beside it; `again` documents are measured a second time.
    """
    started, longest = Started(), server.checkpoint.serve.max_model_len
    documents = encode(suite, tokenizer, longest)
    if not documents:
        raise MeasurementError(f"{suite.name}: no document has {suite.cut.least} tokens by the tokenizer in {tokenizer}")
    for document in documents:
        if longest is not None and len(document.ids) >= longest:
            raise MeasurementError(
                f"{document.id} has {len(document.ids)} tokens and max_model_len is {longest}; a document may have one less than that"
            )
    if isinstance(server, Endpoint):
        _refuse_remembered(server, documents)
    sampled, twice = ({one.id for one in chosen(documents, wanted, suite.fingerprint)} for wanted in (SAMPLED, again))

    def ask(wanted: Sequence[Encoded], round_name: str) -> list[Scored]:
        by_id = {one.id: one for one in wanted}
        prompts = [Prompt(one.id, one.ids, LIKELIEST if one.id in sampled else 1) for one in wanted]
        return score_all(
            server, prompts, lambda prompt, positions: _scored(by_id[prompt.id], prompt.likeliest, positions), journal, round_name
        )

    under = provenance(server, suite.fingerprint, SAMPLING, started)
    with sitting.journal(server, suite.name, under, Scored) as journal:
        spent, goes_on = Spent(), len(journal) > 0
        scored = ask(documents, "first")
        second = ask([one for one in documents if one.id in sampled | twice], "again") if again else []
    client_cpu_share = None if goes_on else spent.cpu_share()  # of what is asked again a part says nothing of the whole
    losses, topk = [one.loss for one in scored], [one.topk for one in scored if one.topk is not None]
    apart = divergence(topk, [one.topk for one in second if one.topk is not None]) if again else None
    tokens = sum(loss.tokens for loss in losses)
    nll = sum(loss.nll_sum for loss in losses) / tokens
    top1 = sum(loss.top1_nll_sum for loss in losses) / tokens
    return TextLoss(
        family=server.checkpoint.family,
        checkpoint=server.checkpoint.name,
        precision=server.checkpoint.precision,
        suite=suite.name,
        provenance=journal.stamped(under),
        documents=losses,
        nll_per_token=nll,
        perplexity=math.exp(nll),
        top1_perplexity=math.exp(top1),
        again=[one.loss for one in second if one.loss.id in twice],
        again_divergence=apart,
        topk=topk,
        client_cpu_share=client_cpu_share,
    )


def _refuse_remembered(server: Serving, documents: Sequence[Encoded]) -> None:
    """Of somebody else's server two documents are asked one by one, and again in the other order: one that caches prefixes may answer with
    logprobs of an earlier request, finite and wrong. Raises MeasurementError."""
    one, other = documents[0], documents[-1]
    seen: dict[str, float] = {}
    for document in (one, other, other, one):
        (loss,) = score_all(server, [Prompt(document.id, document.ids, 1)], partial(_loss_of, document), Journal.of_nothing("order"))
        apart = abs(loss.nll_sum - seen.setdefault(document.id, loss.nll_sum)) / loss.tokens
        if apart > MOST_APART_NATS:
            told = f"{document.id} other logprobs when it is asked again in another order ({apart:.3g} nats a token apart)"
            remedy = "is prefix caching on? Start the server with --no-enable-prefix-caching"
            raise MeasurementError(f"{server.model} gives {told}: {remedy}")


def _loss_of(document: Encoded, _: Prompt, positions: Positions | None) -> DocumentLoss:
    return document_loss(document, positions)


def _scored(document: Encoded, wanted: int, positions: Positions | None) -> Scored:
    """The loss, and of a document of the sample its likeliest tokens, out of one answer."""
    return Scored(document_loss(document, positions), likeliest(document, positions) if wanted == LIKELIEST else None)


def document_loss(document: Encoded, positions: Positions | None) -> DocumentLoss:
    """Sum one document's losses in nats. `positions`: what came back for it, an entry a token."""
    own, best = [], []
    for logprob, _, logprobs in _checked(document, positions):
        own.append(logprob)
        best.append(max(logprobs))
    return DocumentLoss(id=document.id, tokens=len(own), nll_sum=-math.fsum(own), top1_nll_sum=-math.fsum(best), cluster=document.cluster)


def likeliest(document: Encoded, positions: Positions | None) -> DocumentTopK:
    """The LIKELIEST tokens of every scored position, likeliest first, to 1e-4 nats; arguments as for `document_loss`."""
    own, tokens, kept = [], [], []
    for logprob, numbers, logprobs in _checked(document, positions):
        ranked = sorted(zip(numbers, logprobs, strict=True), key=lambda one: (-one[1], one[0]))[:LIKELIEST]
        own.append(round(logprob, 4))
        tokens.append([number for number, _ in ranked])
        kept.append([round(one, 4) for _, one in ranked])
    return DocumentTopK(id=document.id, own=own, tokens=tokens, logprobs=kept)


def _checked(document: Encoded, positions: Positions | None) -> Iterator[tuple[float, Iterable[int], list[float]]]:
    """For each position that is scored: the logprob of the token that stands there, and all that came back: tokens, and their logprobs.

    Raises MeasurementError where one is missing or not finite.
    """
    if positions is None or len(positions) != len(document.ids):
        seen = "none" if positions is None else len(positions)
        raise MeasurementError(f"{document.id}: {len(document.ids)} tokens were sent, prompt_logprobs came back for {seen}")
    if len(document.ids) < 2:
        raise MeasurementError(f"{document.id} has {len(document.ids)} tokens; it takes two for one to be predicted")
    scored = zip(document.ids[document.first :], positions[document.first :], strict=True)
    for place, (token, entries) in enumerate(scored, start=document.first):
        if not entries or (own := entries.get(token)) is None:
            raise MeasurementError(f"{document.id}: position {place} has no logprob for its own token {token}")
        logprobs = [entry.logprob for entry in entries.values()]
        if not all(map(math.isfinite, logprobs)):
            raise MeasurementError(f"{document.id}: the logprobs at position {place} are {logprobs}, not all finite")
        yield own.logprob, entries, logprobs
