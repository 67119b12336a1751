"""How answers become a measurement: one module for each kind, all of them asking a ready server and judging nothing."""

from quantgate.measure.acceptance import generate, sprinkle
from quantgate.measure.answers import measure_answers
from quantgate.measure.code import measure_code
from quantgate.measure.journal import Sitting
from quantgate.measure.text_loss import measure_text_loss
from quantgate.measure.throughput import measure_throughput

__all__ = [
    "Sitting",
    "generate",
    "measure_answers",
    "measure_code",
    "measure_text_loss",
    "measure_throughput",
    "sprinkle",
]
