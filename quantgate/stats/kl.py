"""How far a candidate's next-token distributions lie from BF16's: an alarm and a diagnosis beside perplexity.

Perplexity sees one token a position; a checkpoint can keep it and yet answer otherwise. Both sides give the likeliest
tokens of each position. KL(P || Q) cannot be had from those alone, but a lower bound can: lump every token that is not
known of both sides into one (the data-processing inequality: coarser, so nearer), and sum over what is left.
"""

import math
from collections.abc import Sequence
from statistics import fmean

from quantgate.records import Divergence, DocumentTopK, Spread
from quantgate.stats.intervals import clustered_interval

LEAST = 1e-12  # a probability below this is rounding, in the tail as elsewhere


def divergence(baseline: Sequence[DocumentTopK], candidate: Sequence[DocumentTopK]) -> Divergence | None:
    """Over all positions of the sample; None where one side has none, or the two hold other documents."""
    found = {one.id: one for one in candidate}
    if not baseline or {one.id: len(one.own) for one in baseline} != {one.id: len(one.own) for one in candidate}:
        return None
    bounds: list[float] = []
    documents: list[str] = []
    tails: list[float] = []
    changes: list[float] = []
    agreed = 0
    for before in baseline:
        now = found[before.id]
        for place in range(len(before.own)):
            p = dict(zip(before.tokens[place], before.logprobs[place], strict=True))
            q = dict(zip(now.tokens[place], now.logprobs[place], strict=True))
            bound, tail = kl_lower_bound(p, q)
            bounds.append(bound)
            tails.append(tail)
            agreed += before.tokens[place][0] == now.tokens[place][0]
            changes.append(math.exp(now.own[place]) - math.exp(before.own[place]))
        documents += [before.id] * len(before.own)
    return Divergence(
        documents=len(baseline),
        positions=len(bounds),
        kl_nats=_spread(bounds),
        kl_interval=clustered_interval(bounds, documents).interval if len(baseline) > 1 else None,
        top1_agreement=agreed / len(bounds),
        rms_delta_p=math.sqrt(fmean(change**2 for change in changes)),
        abs_delta_p=_spread([abs(change) for change in changes]),
        tail_mass=fmean(tails),
    )


def kl_lower_bound(p: dict[int, float], q: dict[int, float]) -> tuple[float, float]:
    """A lower bound of KL(P || Q) in nats, and P's mass outside the tokens known of both; token -> logprob on either side.

    sum over common tokens of p ln(p / q), plus p_rest ln(p_rest / q_rest): KL of the coarsened distributions
    (Cover and Thomas, Elements of Information Theory, 2.8).
    """
    common = p.keys() & q.keys()
    known = sum(math.exp(p[token]) * (p[token] - q[token]) for token in common)
    p_rest = max(0.0, 1.0 - sum(math.exp(p[token]) for token in common))
    q_rest = max(LEAST, 1.0 - sum(math.exp(q[token]) for token in common))
    rest = p_rest * math.log(p_rest / q_rest) if p_rest > LEAST else 0.0
    return max(0.0, known + rest), p_rest


def _spread(values: Sequence[float]) -> Spread:
    import numpy as np

    p50, p90, p99 = (float(value) for value in np.percentile(values, [50, 90, 99]))
    return Spread(mean=fmean(values), p50=p50, p90=p90, p99=p99)
