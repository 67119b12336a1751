"""Which kind of evidence a measurement gives against a baseline: for pytest and `compare` alike."""

import msgspec

from quantgate.judgement.answers import weigh_answers, weigh_answers_unpaired
from quantgate.judgement.length import weigh_length
from quantgate.judgement.rule import Evidence
from quantgate.judgement.speed import weigh_decode_tps, weigh_ttft
from quantgate.judgement.text import weigh_text
from quantgate.judgement.tolerances import setting_for
from quantgate.records import Answers, Measurement, TextLoss, Throughput
from quantgate.registry import Tolerance

CPU = "cpu"


def weigh(measured: Measurement, baseline: Measurement, tolerance: Tolerance, *, own: bool = False, unpaired: bool = False) -> Evidence:
    """The evidence on `measured`; `own`: the baseline is the checkpoint's own approval, and is judged both ways.

    The setting of `setting_for` must be stated.
    """
    fail_when, stated = tolerance.fail_when or "likely", getattr(tolerance, setting_for(measured))
    if isinstance(measured, TextLoss) and isinstance(baseline, TextLoss):
        found = weigh_text(
            measured, baseline, perplexity_ratio=stated, kl_nats=None if own else tolerance.kl_nats, both_ways=own, fail_when=fail_when
        )
    elif isinstance(measured, Answers) and isinstance(baseline, Answers) and unpaired:
        found = weigh_answers_unpaired(
            measured,
            baseline,
            accuracy_points=stated,
            group_points=tolerance.group_points,
            both_ways=own,
            fail_when=fail_when,
            unanswered=tolerance.unanswered,
        )
    elif isinstance(measured, Answers) and isinstance(baseline, Answers):
        found = weigh_answers(
            measured,
            baseline,
            accuracy_points=stated,
            group_points=tolerance.group_points,
            both_ways=own,
            fail_when=fail_when,
            unanswered=tolerance.unanswered,
        )
    elif isinstance(measured, Throughput) and isinstance(baseline, Throughput):
        return weigh_decode_tps(measured, baseline, decode_tps_ratio=stated, fail_when=fail_when)
    else:
        obstacle = f"the baseline holds a {type(baseline).__name__}, not a {type(measured).__name__}"
        return Evidence(measured=measured, unit="", tolerance=0.0, obstacle=obstacle)
    return msgspec.structs.replace(found, against="own") if own else found


def weigh_beside(measured: Measurement, baseline: Measurement, tolerance: Tolerance, *, own: bool = False) -> Evidence | None:
    """The evidence of a second question of the same measurement: the length of answers, the time to the first token; None where
    it is not asked or cannot be. `own` as in `weigh`."""
    fail_when = tolerance.fail_when or "likely"
    if isinstance(measured, Answers) and isinstance(baseline, Answers):
        return weigh_length(
            measured, baseline, length_ratio=tolerance.length_ratio, both_ways=own, fail_when=fail_when, unanswered=tolerance.unanswered
        )
    if isinstance(measured, Throughput) and isinstance(baseline, Throughput) and tolerance.ttft_ratio is not None:
        if measured.provenance.device_class == CPU:
            return None  # as of its speed: two runs of one checkpoint differ by more than any tolerance
        return weigh_ttft(measured, baseline, ttft_ratio=tolerance.ttft_ratio, fail_when=fail_when)
    return None
