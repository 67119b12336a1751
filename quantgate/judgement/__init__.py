"""Measurement x baseline x tolerance -> verdict. `rule.py` decides, `admissible.py` says what may be judged at all."""

from quantgate.judgement.admissible import unfit_to_approve
from quantgate.judgement.answers import DISCORDANCE, blind, judge_answers, judge_answers_unpaired
from quantgate.judgement.beforehand import has_no_verdict, missing_tolerances
from quantgate.judgement.comparison import Compared, compare, judge_pair, judge_pairs, read_record
from quantgate.judgement.foresight import Sight, foreseen, unable_to_see
from quantgate.judgement.judge import Approved, Case, Judge, Weighed, weights_here
from quantgate.judgement.long_run import (
    coverage_table,
    decision_probabilities,
    decision_table,
    extension_table,
    proven_table,
    text_table,
)
from quantgate.judgement.paired import loss_of
from quantgate.judgement.rule import Others
from quantgate.judgement.speed import judge_decode_tps, judge_speedup
from quantgate.judgement.text import enough_to_decide, judge_text
from quantgate.judgement.watch import Watch
from quantgate.judgement.wellformed import malformed
from quantgate.judgement.wording import ANSWERS_UNIT, figure, figure_parts, loss, sentence, wanted

__all__ = [
    "ANSWERS_UNIT",
    "DISCORDANCE",
    "Approved",
    "Case",
    "Compared",
    "Judge",
    "Others",
    "Sight",
    "Watch",
    "Weighed",
    "blind",
    "compare",
    "coverage_table",
    "decision_probabilities",
    "decision_table",
    "enough_to_decide",
    "extension_table",
    "figure",
    "figure_parts",
    "foreseen",
    "has_no_verdict",
    "judge_answers",
    "judge_answers_unpaired",
    "judge_decode_tps",
    "judge_pair",
    "judge_pairs",
    "judge_speedup",
    "judge_text",
    "loss",
    "loss_of",
    "malformed",
    "missing_tolerances",
    "proven_table",
    "read_record",
    "sentence",
    "text_table",
    "unable_to_see",
    "unfit_to_approve",
    "wanted",
    "weights_here",
]
