"""What other projects' test suites would have said of the same answers; each rule as its own test states it."""

import math
from statistics import NormalDist
from typing import NamedTuple

from quantgate.records import Answers


class OtherRules(NamedTuple):
    """True: accepted."""

    vllm_absolute: bool
    vllm_relative: bool
    llm_compressor: bool
    tensorrt_llm: bool


def other_rules(measured: Answers, baseline: Answers) -> OtherRules:
    """Accepted by vLLM's accuracy tests (expected - 0.08 on GSM8K; lm-eval's value within a relative 5 %), by
    llm-compressor's (round(candidate / base, 2) >= 0.95), and by TensorRT-LLM's (candidate at least the reference plus
    Phi^-1(0.05) * sqrt(2 sigma^2 / n) points, sigma = 50)?"""
    base, found, n = baseline.accuracy, measured.accuracy, len(measured.items)
    margin = NormalDist().inv_cdf(0.05) * math.sqrt(2 * 50.0**2 / n)
    return OtherRules(
        vllm_absolute=found >= base - 0.08,
        vllm_relative=abs(found - base) <= 0.05 * base,
        llm_compressor=round(found / base, 2) >= 0.95,
        tensorrt_llm=100 * found >= 100 * base + margin,
    )
