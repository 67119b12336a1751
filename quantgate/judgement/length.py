"""How long the answers are: a checkpoint that has to think longer for the same answer is slower and dearer, whatever it gets right."""

import math

from quantgate.judgement import admissible
from quantgate.judgement.rule import Evidence, FailWhen, between
from quantgate.judgement.wording import LENGTH_UNIT
from quantgate.records import Answers
from quantgate.stats import clustered_interval

THINKING = 1.10
"""The `length_ratio` of answers that think, where none is stated."""


def weigh_length(
    measured: Answers, baseline: Answers, *, length_ratio: float | None = None, fail_when: FailWhen = "likely"
) -> Evidence | None:
    """ln(mean completion tokens / the baseline's), paired by item, against ln(length_ratio); None where there is nothing to judge:
    no ratio is stated and the answers do not think, items do not pair, or tokens were not counted.

    Delta method: ln(sum y / sum x) has the standard error of the mean of y/mean(y) - x/mean(x) (Cochran 1977, Sampling Techniques,
    section 6.4), cluster-robust, t. Raises ConfigurationError for a ratio <= 1.
    """
    ratio = length_ratio if length_ratio is not None else THINKING if thinks(measured) or thinks(baseline) else None
    if ratio is None:
        return None
    tolerance = math.log(between("length_ratio", ratio, 1, math.inf))
    if admissible.between_answers(measured, baseline) is not None:
        return None  # the suite's own verdict says it
    before = {item.id: item.completion_tokens for item in baseline.items}
    pairs = [(before[item.id], item.completion_tokens) for item in measured.items]
    was, now = (sum(column) / len(pairs) for column in zip(*pairs, strict=True))
    if not (was > 0 and now > 0):
        return None
    apart = math.log(now / was)
    clusters = [(item.id,) if item.cluster is None else item.cluster for item in measured.items]
    return Evidence(
        measured=measured,
        unit=LENGTH_UNIT,
        tolerance=tolerance,
        estimate=clustered_interval([apart + new / now - old / was for old, new in pairs], clusters),
        notes=[f"{was:.0f} to {now:.0f} tokens an answer"],
        fail_when=fail_when,
        aspect="length",
    )


def thinks(measured: Answers) -> bool:
    """Whether any answer shows reasoning before it."""
    return any(item.open_think or "</think>" in item.answer for item in measured.items)
