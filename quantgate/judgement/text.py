"""The loss of perplexity, paired by document, and how far the distributions moved beside it."""

import math

import msgspec

from quantgate.judgement import admissible
from quantgate.judgement.rule import ALONE, Others, between, decide, error
from quantgate.judgement.wording import TEXT_UNIT, noise_in_words, other_class
from quantgate.records import Noise, TextLoss, Verdict
from quantgate.stats import bootstrap_log_ratio, divergence


def judge_text(
    measured: TextLoss,
    baseline: TextLoss,
    *,
    perplexity_ratio: float,
    kl_nats: float | None = None,
    others: Others = ALONE,
) -> Verdict:
    """The loss of perplexity against ln(perplexity_ratio), paired by document; the divergence beside it.

    With `kl_nats` the divergence is a gate as well: its mean by document must lie below that. Raises ConfigurationError
    for a ratio <= 1, or a `kl_nats` <= 0.
    """
    tolerance = math.log(between("perplexity_ratio", perplexity_ratio, 1, math.inf))
    void = admissible.between_texts(measured, baseline)
    if void is not None:
        return error(measured, TEXT_UNIT, void, tolerance)
    before = {document.id: document for document in baseline.documents}
    estimate = bootstrap_log_ratio(
        [before[document.id].nll_sum for document in measured.documents],
        [document.nll_sum for document in measured.documents],
        [document.tokens for document in measured.documents],
    )
    noise = noise_of(baseline)
    notes = [other_class(measured, baseline), noise_in_words(noise, baseline.checkpoint)]
    judged = decide(measured, TEXT_UNIT, tolerance, estimate, others=others, notes=notes)
    apart = divergence(baseline.topk, measured.topk)
    judged = msgspec.structs.replace(judged, noise=noise, divergence=apart)
    if apart is None:
        return (
            judged
            if kl_nats is None
            else error(measured, TEXT_UNIT, "kl_nats is set, and the baseline holds no likeliest tokens", tolerance)
        )
    if kl_nats is not None:
        return _gate_divergence(judged, apart.kl_nats.mean, apart.kl_interval, between("kl_nats", kl_nats, 0, math.inf))
    if apart.kl_nats.mean >= tolerance and judged.verdict == "pass":
        alarm = f"look closer: the distributions moved by {apart.kl_nats.mean:.3f} nats (KL) or more, further than the text's loss shows"
        return msgspec.structs.replace(judged, reason=f"{judged.reason}; {alarm}")
    return judged


def _gate_divergence(judged: Verdict, mean: float, interval: tuple[float, float] | None, kl_nats: float) -> Verdict:
    """A pass of the perplexity passes here too only where the whole interval lies below the limit, and fails where it lies above."""
    low, high = interval or (-math.inf, math.inf)
    said = f"KL >= {mean:.3f} nats [{low:.3f}, {high:.3f}], at most {kl_nats:g} wanted"
    if judged.verdict != "pass" or high < kl_nats:
        return msgspec.structs.replace(judged, reason=f"{judged.reason}; {said}")
    outcome = "fail" if low >= kl_nats else "inconclusive"
    return msgspec.structs.replace(judged, verdict=outcome, reason=f"{said}; the perplexity alone is within tolerance")


def noise_of(baseline: TextLoss) -> Noise | None:
    """What the engine alone does: the baseline's second run against its first (A/A), or None where it has only one."""
    if not baseline.again:
        return None
    first = {document.id: document for document in baseline.documents}
    moved = [abs(document.nll_sum - first[document.id].nll_sum) / document.tokens for document in baseline.again]
    return Noise(n=len(moved), max_nll_per_token=max(moved))
