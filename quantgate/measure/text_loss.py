"""Perplexity from a server: token ids in, the log-probability of the token that stands at each position out.

ℓᵢ = prompt_logprobs[i][prompt_token_ids[i]], never the first entry, the largest, or the one of rank 1; position 0
has none. NLL = −Σℓᵢ / N over all documents, PPL = exp(NLL). The largest logprob per position is summed beside it.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quantgate.errors import MeasurementError
from quantgate.measure.asking import ask_all, chosen, provenance
from quantgate.records import DocumentLoss, DocumentTopK, Started, TextLoss
from quantgate.server import Serving
from quantgate.stats import divergence
from quantgate.suites import Encoded, TextSuite, encode

if TYPE_CHECKING:
    from openai import AsyncOpenAI

SAMPLING: dict[str, float | int | bool | str] = {"temperature": 0, "max_tokens": 1, "prompt_logprobs": 1, "add_special_tokens": True}


LIKELIEST, SAMPLED = 10, 8
"""Tokens a position, and documents, of the sample for the divergence."""


def measure_text_loss(server: Serving, suite: TextSuite, tokenizer: Path, again: int = 0) -> TextLoss:
    """The loss on every document; raises MeasurementError where a number is missing or not finite.

    The likeliest tokens of SAMPLED documents are kept beside it; `again` documents are measured a second time.
    """
    started, longest = Started(), server.checkpoint.serve.max_model_len
    documents = encode(suite, tokenizer, longest)
    if not documents:
        raise MeasurementError(
            f"{suite.name} has no document of {suite.cut.least} tokens by the tokenizer in {tokenizer}: nothing to measure"
        )
    for document in documents:
        if longest is not None and len(document.ids) >= longest:
            raise MeasurementError(
                f"{document.id} has {len(document.ids)} tokens and max_model_len is {longest}; a document may have one less than that"
            )

    async def ask(client: "AsyncOpenAI", document: Encoded) -> DocumentLoss:
        answer = await client.completions.create(
            model=server.model, prompt=document.ids, max_tokens=1, temperature=0, extra_body={"prompt_logprobs": 1}
        )
        extra = answer.choices[0].model_extra or {}
        return document_loss(document, extra.get("prompt_logprobs"))

    async def ask_likeliest(client: "AsyncOpenAI", document: Encoded) -> DocumentTopK:
        answer = await client.completions.create(
            model=server.model, prompt=document.ids, max_tokens=1, temperature=0, extra_body={"prompt_logprobs": LIKELIEST}
        )
        extra = answer.choices[0].model_extra or {}
        return likeliest(document, extra.get("prompt_logprobs"))

    losses = ask_all(server, documents, ask)
    sampled = chosen(documents, SAMPLED, suite.fingerprint)
    topk = ask_all(server, sampled, ask_likeliest)
    repeated = ask_all(server, chosen(documents, again, suite.fingerprint), ask)
    apart = divergence(topk, ask_all(server, sampled, ask_likeliest)) if again else None
    tokens = sum(loss.tokens for loss in losses)
    nll = sum(loss.nll_sum for loss in losses) / tokens
    top1 = sum(loss.top1_nll_sum for loss in losses) / tokens
    return TextLoss(
        family=server.checkpoint.family,
        checkpoint=server.checkpoint.name,
        precision=server.checkpoint.precision,
        suite=suite.name,
        provenance=provenance(server, suite.fingerprint, SAMPLING, started),
        documents=losses,
        nll_per_token=nll,
        perplexity=math.exp(nll),
        top1_perplexity=math.exp(top1),
        again=repeated,
        again_divergence=apart,
        topk=topk,
    )


def document_loss(document: Encoded, prompt_logprobs: list[dict[str, Any] | None] | None) -> DocumentLoss:
    """Sum one document's losses in nats. `prompt_logprobs`: vLLM's list, an entry a token, keys token ids as text."""
    own, best = [], []
    for token, entries in _positions(document, prompt_logprobs):
        own.append(entries[token])
        best.append(max(entries.values()))
    return DocumentLoss(id=document.id, tokens=len(own), nll_sum=-math.fsum(own), top1_nll_sum=-math.fsum(best), cluster=document.cluster)


def likeliest(document: Encoded, prompt_logprobs: list[dict[str, Any] | None] | None) -> DocumentTopK:
    """The LIKELIEST tokens of every scored position, likeliest first, to 1e-4 nats; arguments as for `document_loss`."""
    own, tokens, logprobs = [], [], []
    for token, entries in _positions(document, prompt_logprobs):
        ranked = sorted(entries.items(), key=lambda one: (-one[1], int(one[0])))[:LIKELIEST]
        own.append(round(entries[token], 4))
        tokens.append([int(number) for number, _ in ranked])
        logprobs.append([round(logprob, 4) for _, logprob in ranked])
    return DocumentTopK(id=document.id, own=own, tokens=tokens, logprobs=logprobs)


def _positions(document: Encoded, prompt_logprobs: list[dict[str, Any] | None] | None) -> Iterator[tuple[str, dict[str, float]]]:
    """For each position that is scored: the token that stands there, and every token's logprob that came back, all finite."""
    if prompt_logprobs is None or len(prompt_logprobs) != len(document.ids):
        seen = "none" if prompt_logprobs is None else len(prompt_logprobs)
        raise MeasurementError(f"{document.id}: {len(document.ids)} tokens were sent, prompt_logprobs came back for {seen}")
    if len(document.ids) < 2:
        raise MeasurementError(f"{document.id} has {len(document.ids)} tokens; it takes two for one to be predicted")
    scored = zip(document.ids[document.first :], prompt_logprobs[document.first :], strict=True)
    for place, (token, entries) in enumerate(scored, start=document.first):
        if not entries or str(token) not in entries:
            raise MeasurementError(f"{document.id}: position {place} has no logprob for its own token {token}")
        offered = {number: entry["logprob"] for number, entry in entries.items()}
        if not all(math.isfinite(logprob) for logprob in offered.values()):
            raise MeasurementError(f"{document.id}: the logprobs at position {place} are {list(offered.values())}, not all finite")
        yield str(token), offered
