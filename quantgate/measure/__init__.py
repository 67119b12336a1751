"""How answers become a measurement: one module for each kind, all of them asking a ready server and judging nothing."""

from quantgate.measure.acceptance import generate, sprinkle
from quantgate.measure.answers import answers_of, measure_answers
from quantgate.measure.chats import sampling_of
from quantgate.measure.code import measure_code
from quantgate.measure.declared import declared_sampling
from quantgate.measure.journal import NOT_KEPT, Sitting, conditions_of
from quantgate.measure.provenance import declared_conditions, provenance
from quantgate.measure.sampling import NEUTRAL
from quantgate.measure.text_loss import measure_text_loss
from quantgate.measure.throughput import measure_throughput
from quantgate.measure.turns import MOST_FAILED

__all__ = [
    "MOST_FAILED",
    "NEUTRAL",
    "NOT_KEPT",
    "Sitting",
    "answers_of",
    "conditions_of",
    "declared_conditions",
    "declared_sampling",
    "generate",
    "measure_answers",
    "measure_code",
    "measure_text_loss",
    "measure_throughput",
    "provenance",
    "sampling_of",
    "sprinkle",
]
