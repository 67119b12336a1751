"""How long the answers are: a checkpoint that has to think longer for the same answer is slower and dearer, whatever it gets right."""

import math

from quantgate.judgement import admissible
from quantgate.judgement.failed import without_failed
from quantgate.judgement.rule import Bearing, Bears, Evidence, FailWhen, between
from quantgate.judgement.wording import LENGTH_UNIT
from quantgate.records import Answers
from quantgate.stats import Estimate, clustered_interval

THINKING = 1.10
"""The `length_ratio` of answers that think, where none is stated."""
ENOUGH = 15
"""Answers (or clusters of them) below which nothing is decided: two that happen to be of one ratio show no spread at all."""


def weigh_length(
    measured: Answers,
    baseline: Answers,
    *,
    length_ratio: float | None = None,
    both_ways: bool = False,
    fail_when: FailWhen = "likely",
    unanswered: float | None = None,
) -> Evidence | None:
    """ln(mean completion tokens / the baseline's), paired by item, against ln(length_ratio); None where there is nothing to judge:
    no ratio is stated and the answers do not think, or items do not pair, which the suite's own verdict says.

    Of items whose tokens were counted on both sides. Delta method: ln(sum y / sum x) has the standard error of the mean of y/mean(y) -
    x/mean(x) (Cochran 1977, Sampling Techniques, section 6.4), cluster-robust, t. Raises ConfigurationError for a ratio <= 1.
    """
    ratio = length_ratio if length_ratio is not None else THINKING if thinks(measured) or thinks(baseline) else None
    measured, baseline = without_failed(measured, baseline)
    if ratio is None or admissible.between_answers(measured, baseline, unanswered) is not None:
        return None
    tolerance = math.log(between("length_ratio", ratio, 1, math.inf))
    before = {item.id: item.completion_tokens for item in baseline.items}
    counted = [item for item in measured.items if item.completion_tokens > 0 and before[item.id] > 0]
    left_out = len(measured.items) - len(counted)
    notes, bearings = list[str | None](), list[Bearing]()
    clusters = [(item.id,) if item.cluster is None else item.cluster for item in counted]
    if len(set(clusters)) < ENOUGH:
        said = f"the tokens of {len(counted)} of {len(measured.items)} answers were counted on both sides"
        bearings.append(Bearing(Bears.DECIDES_NOTHING, f"{said}, and below {ENOUGH} nothing is decided of their length"))
    elif left_out:
        notes.append(f"{left_out} of {len(measured.items)} left out, whose tokens were not counted on both sides")
    estimate = Estimate(0.0, (-math.inf, math.inf), 1.0, len(counted))
    if counted:
        pairs = [(before[item.id], item.completion_tokens) for item in counted]
        was, now = (sum(column) / len(pairs) for column in zip(*pairs, strict=True))
        apart = math.log(now / was)
        estimate = clustered_interval([apart + new / now - old / was for old, new in pairs], clusters)
        notes.append(f"{was:.0f} to {now:.0f} tokens an answer")
    if not both_ways and estimate.interval[1] <= -tolerance:
        notes.append("shorter by as much: look at what is no longer said")
    return Evidence(
        measured=measured,
        unit=LENGTH_UNIT,
        tolerance=tolerance,
        estimate=estimate,
        bearings=bearings,
        notes=notes,
        both_ways=both_ways,
        fail_when=fail_when,
        aspect="length",
        against="own" if both_ways else "bf16",
    )


def thinks(measured: Answers) -> bool:
    """Whether any answer shows reasoning before it."""
    return any(item.open_think or item.reasoning_characters or "</think>" in item.answer for item in measured.items)
