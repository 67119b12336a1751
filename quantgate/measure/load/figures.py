"""From what arrived when to the figures: pure arithmetic over one round's answers, or over all of them.

decode_tps = completed output tokens / wall seconds of the round, prompt_tps and qps alike; TTFT = first chunk with
output − asked; latency = last chunk with output − asked; TPOT = (latency − TTFT) / tokens after the first chunk, which are tokens − 1
where that carries one, as vLLM's own benchmark defines it; ITL = gaps between chunks. A chunk may carry several tokens, so tokens are
counted by usage alone.
"""

import itertools
from collections.abc import Sequence
from statistics import fmean

from quantgate.measure.load.outcome import Answered
from quantgate.records import Round, Spread

NS_A_MS = 1e6


def seconds(answers: Sequence[Answered]) -> float:
    """From the first request to the end of the last answer."""
    return (max(one.ended_ns for one in answers) - min(one.asked_ns for one in answers)) / 1e9


def decode_tps(answers: Sequence[Answered]) -> float:
    return sum(one.completion_tokens for one in answers) / seconds(answers)


def ttft_ms(answers: Sequence[Answered]) -> list[float]:
    return [(one.arrived_ns[0] - one.asked_ns) / NS_A_MS for one in answers]


def latency_ms(answers: Sequence[Answered]) -> list[float]:
    return [(one.arrived_ns[-1] - one.asked_ns) / NS_A_MS for one in answers]


def tpot_ms(answers: Sequence[Answered]) -> list[float]:
    """Answers that came in one chunk are left out, which have no time per further token."""
    several = [one for one in answers if one.completion_tokens > one.first_tokens]
    return [(one.arrived_ns[-1] - one.arrived_ns[0]) / (one.completion_tokens - one.first_tokens) / NS_A_MS for one in several]


def itl_ms(answers: Sequence[Answered]) -> list[float]:
    return [(after - before) / NS_A_MS for one in answers for before, after in itertools.pairwise(one.arrived_ns)]


def spread(values: Sequence[float]) -> Spread | None:
    """Mean and percentiles (linear between order statistics, numpy's default); None of nothing."""
    import numpy as np

    if not values:
        return None
    p50, p90, p99 = (float(value) for value in np.percentile(values, [50, 90, 99]))
    return Spread(mean=fmean(values), p50=p50, p90=p90, p99=p99)


def steady_window_ns(answers: Sequence[Answered], concurrency: int) -> tuple[int, int] | None:
    """The time in which every connection was decoding or between two requests: after the last of them got its first output
    (ramp), before the first of them ran out of requests (tail). None where that leaves nothing."""
    by_connection: dict[int, list[Answered]] = {}
    for one in answers:
        by_connection.setdefault(one.connection, []).append(one)
    if len(by_connection) < concurrency:
        return None
    start = max(min(one.arrived_ns[0] for one in ones) for ones in by_connection.values())
    end = min(max(one.arrived_ns[-1] for one in ones) for ones in by_connection.values())
    return (start, end) if end > start else None


def steady_decode_tps(answers: Sequence[Answered], concurrency: int) -> float | None:
    """Tokens that arrived within the steady window, its start excluded, per second of it; after the first chunk of an answer, whose
    tokens are known, every one weighs the same."""
    window = steady_window_ns(answers, concurrency)
    if window is None:
        return None
    start, end = window
    return sum(_tokens_within(one, start, end) for one in answers) / ((end - start) / 1e9)


def _tokens_within(one: Answered, start: int, end: int) -> float:
    if one.first_tokens == 1:
        return one.completion_tokens * sum(start < at <= end for at in one.arrived_ns) / len(one.arrived_ns)
    first, *later = one.arrived_ns
    a_chunk = (one.completion_tokens - one.first_tokens) / len(later) if later else 0.0
    return one.first_tokens * (start < first <= end) + a_chunk * sum(start < at <= end for at in later)


def round_of(answers: Sequence[Answered], concurrency: int, *, stream: bool, closed: bool) -> Round:
    """One round. Without streaming nothing is known of first tokens and gaps; at a given rate no state is steady."""
    took = seconds(answers)
    return Round(
        seconds=took,
        decode_tps=decode_tps(answers),
        prompt_tps=sum(one.prompt_tokens for one in answers) / took,
        qps=len(answers) / took,
        steady_decode_tps=steady_decode_tps(answers, concurrency) if stream and closed else None,
        ttft_ms=spread(ttft_ms(answers)) if stream else None,
        tpot_ms=spread(tpot_ms(answers)) if stream else None,
        itl_ms=spread(itl_ms(answers)) if stream else None,
        latency_ms=spread(latency_ms(answers)),
    )
