"""Measurements of quality: the loss on texts, document by document, and answers, item by item."""

from typing import Literal, TypeAlias

import msgspec

from quantgate.records.base import Apart, Approval, Oldest, Record, Spread
from quantgate.records.speed import Throughput


class DocumentLoss(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One document: scored tokens, and in nats −Σ ln p of the tokens that stand there and of the likeliest ones.

    `cluster` stands where documents depend on each other (paragraphs of an article, turns of a conversation).
    """

    id: str
    tokens: int
    nll_sum: float
    top1_nll_sum: float
    cluster: str | None = None


class DocumentTopK(msgspec.Struct, frozen=True, kw_only=True):
    """One document of the sample, by scored position: the own token's logprob, and the likeliest tokens with theirs (nats)."""

    id: str
    own: list[float]
    tokens: list[list[int]]
    logprobs: list[list[float]]


class Divergence(msgspec.Struct, frozen=True, kw_only=True):
    """How far two checkpoints' next-token distributions lie apart on a sample of positions.

    `kl_nats`: a lower bound of KL(baseline || candidate), exact up to what hides in the `tail_mass` (mean probability
    outside the tokens known of both), `kl_interval` the 95 % interval of that mean, whose positions
    depend on each other within a document; `top1_agreement`:
    share of positions with the same likeliest token; `rms_delta_p`: root mean square of the own token's change of
    probability, `abs_delta_p` its size.
    """

    documents: int
    positions: int
    kl_nats: Spread
    kl_interval: tuple[float, float] | None
    top1_agreement: float
    rms_delta_p: float
    abs_delta_p: Spread
    tail_mass: float


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One question: `strict` is the answer in the form asked for, `flexible` the answer found anywhere in the text.

    `task` stands where a group (a category) has several. `score` (0 to 1) stands where answers are graded, `cluster` where items depend on
    each other (turns of a conversation, one question asked several times), `reasoning_characters` where it is known how much was thought
    before the answer.
    """

    id: str
    group: str
    correct: bool
    answer: str
    extracted: str
    strict: bool
    flexible: bool
    parsed: bool
    open_think: bool
    finish_reason: str
    completion_tokens: int
    score: float | None = None
    cluster: str | None = None
    reasoning_characters: int | None = None
    task: str = ""
    prompt: str | None = None

    @property
    def worth(self) -> float:
        """The score, or 1 for right and 0 for wrong."""
        return float(self.correct) if self.score is None else self.score


class StoppedEarly(msgspec.Struct, frozen=True, kw_only=True):
    """Why a suite was ended before all of it had been asked: what the whole of it would say was certain.

    `planned` items there are, of which the first `asked` of the suite's fixed random order are in the record; `verdict`: what was certain
    against BF16's baseline under `accuracy_points`, at `error` (a probability), p multiplied by `suites`; `e_value`: the evidence for that,
    1/`error` at least, 1e12 for all beyond. `tokens_saved`: an estimate, the rest at the mean of those asked.
    """

    planned: int
    asked: int
    verdict: Literal["pass", "fail"]
    accuracy_points: float
    suites: int
    error: float
    e_value: float
    tokens_saved: float


class TextLoss(Record, frozen=True, kw_only=True, tag="text_loss"):
    """`topk` holds a fixed sample of the documents; a baseline has the second run of some documents in `again`,
    the divergence between its two runs, and its history. `topk_sha256` stands in a file whose `topk` lies beside it, `apart` in one whose
    `documents`, `again` and `topk` lie in a store (`apart.py`), neither in what was read or measured. `client_cpu_share`: CPU
    seconds a second of the process that asked, while it did, where that was recorded; near 1 the client was slower than the server, which
    takes time and changes no figure."""

    documents: list[DocumentLoss]
    nll_per_token: float
    perplexity: float
    top1_perplexity: float
    again: list[DocumentLoss] = msgspec.field(default_factory=list)
    again_divergence: Divergence | None = None
    topk: list[DocumentTopK] = msgspec.field(default_factory=list)
    topk_sha256: str | None = None
    apart: Apart | None = None
    client_cpu_share: float | None = None
    history: list[Approval] = msgspec.field(default_factory=list)
    oldest: Oldest | None = None

    @property
    def figure(self) -> float:
        return self.perplexity


class Answers(Record, frozen=True, kw_only=True, tag="answers"):
    """`accuracy` counts `correct` (strict form), `accuracy_flexible` the answer found anywhere; `again`, `history` as in TextLoss.
    `failed`: items whose requests failed for good, by id, with the reason; they are no items of this record. `stopped` stands where not
    all of the suite was asked. `category_mean` stands where a suite has a second mean, over groups of the mean over their tasks;
    `mean`: which of the two is judged. `apart` stands in a file whose `items` and `again` lie in a store (`apart.py`).
    """

    items: list[Answer]
    accuracy: float
    by_group: dict[str, float]
    accuracy_flexible: float | None = None
    category_mean: float | None = None
    mean: Literal["question", "category"] = "question"
    failed: dict[str, str] = msgspec.field(default_factory=dict)
    again: list[Answer] = msgspec.field(default_factory=list)
    stopped: StoppedEarly | None = None
    apart: Apart | None = None
    history: list[Approval] = msgspec.field(default_factory=list)
    oldest: Oldest | None = None

    @property
    def figure(self) -> float:
        return self.accuracy if self.mean == "question" or self.category_mean is None else self.category_mean


Measurement: TypeAlias = TextLoss | Answers | Throughput
