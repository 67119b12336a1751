"""Bars: scores relative to BF16, which is 100, and the figures of speed."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from quantgate.records import Answers, Round, Spread, TextLoss, Throughput, Verdict
from quantgate.report.page.found import Measured
from quantgate.report.page.values import Bar, Panel

LEAST_ACCURACY = 0.05
"""Of BF16; a share of less says nothing about what was lost."""
SPEED: tuple[tuple[str, Literal["higher", "lower"], str], ...] = (
    ("decode_tps", "higher", "decode, tokens/s"),
    ("qps", "higher", "requests/s"),
    ("ttft_ms", "lower", "time to first token, ms (p50)"),
    ("tpot_ms", "lower", "time per output token, ms (p50)"),
    ("latency_ms", "lower", "latency of a request, ms (p50)"),
)


def scores(measured: Sequence[Measured]) -> list[Panel]:
    """A panel a suite: 100 · PPL of BF16 / PPL, and 100 · accuracy / accuracy of BF16; whiskers are the verdict's interval."""
    bars: dict[tuple[str, str], list[Bar]] = {}
    for one in measured:
        if not one.is_reference and (bar := _score(one)) is not None:
            bars.setdefault((one.record.family, one.record.suite), []).append(bar)
    several = len({family for family, _ in bars}) > 1
    reference = Bar(series="bf16", value=100.0, low=None, high=None, said="100")
    return [
        Panel(title=f"{family} {suite}" if several else suite, better="higher", bars=[reference, *found], line=100.0)
        for (family, suite), found in bars.items()
    ]


def _score(one: Measured) -> Bar | None:
    judged = next((verdict for verdict in one.verdicts if verdict.against == "bf16" and not verdict.aspect), None)
    record, base = one.record, one.against
    if isinstance(record, TextLoss) and isinstance(base, TextLoss):
        return _bar(record.checkpoint, 100 * base.perplexity / record.perplexity, judged, lambda drop: 100 * math.exp(-drop))
    if isinstance(record, Answers) and isinstance(base, Answers) and base.accuracy >= LEAST_ACCURACY:
        right = 100 * base.accuracy
        return _bar(record.checkpoint, 100 * record.accuracy / base.accuracy, judged, lambda drop: 100 * (right - drop) / right)
    return None


def _bar(series: str, value: float, judged: Verdict | None, score: Callable[[float], float]) -> Bar:
    """A drop's upper end is the score's lower."""
    if judged is None or judged.interval is None:
        return Bar(series=series, value=value, low=None, high=None, said=f"{value:.1f}")
    low, high = (max(0.0, score(drop)) for drop in reversed(judged.interval))
    return Bar(series=series, value=value, low=low, high=high, said=f"{value:.1f} [{low:.1f}, {high:.1f}]")


def speed(measured: Sequence[Measured]) -> list[Panel]:
    """A panel a load and figure, BF16 first; whiskers reach from the lowest round to the highest."""
    loads: dict[tuple[str, str], list[Throughput]] = {}
    for one in measured:
        if isinstance(one.record, Throughput):
            loads.setdefault((one.record.family, one.record.suite), []).append(one.record)
    panels = []
    for (family, suite), records in loads.items():
        named = f"{family} {suite}" if len({name for name, _ in loads}) > 1 else suite
        ordered = sorted(records, key=lambda record: record.precision != "bf16")
        for field, better, title in SPEED:
            found = [bar for record in ordered if (bar := _speed(record, field)) is not None]
            if found:
                panels.append(Panel(title=f"{named}: {title}", better=better, bars=found))
    return panels


def _speed(record: Throughput, field: str) -> Bar | None:
    by_round = [value for one in record.rounds if (value := _value(one, field)) is not None]
    whole = sorted(by_round)[len(by_round) // 2] if field == "qps" and by_round else _whole(getattr(record, field, None))
    if whole is None or whole <= 0:
        return None
    low, high = (min(by_round), max(by_round)) if len(by_round) > 1 else (None, None)
    return Bar(series=record.checkpoint, value=whole, low=low, high=high, said=f"{whole:,.0f}" if whole >= 100 else f"{whole:.3g}")


def _value(one: Round, field: str) -> float | None:
    return _whole(getattr(one, field))


def _whole(value: Spread | float | None) -> float | None:
    return value.p50 if isinstance(value, Spread) else value


def order_of(panels: Iterable[Panel]) -> list[str]:
    """Checkpoints in the order in which they get their colours, BF16 first."""
    return list(dict.fromkeys(["bf16", *(bar.series for panel in panels for bar in panel.bars)]))
