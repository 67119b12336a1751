"""The figures of a load for a person to read: one table, then what vouches for it."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from quantgate.measure.load import CPU_SHARE_LIMIT, FailureCount, Load, Summary

if TYPE_CHECKING:
    from quantgate.records import Spread

WIDE = 120
NAMES = {
    "ttft_ms": "first token (TTFT)",
    "tpot_ms": "per further token (TPOT)",
    "itl_ms": "between chunks (ITL)",
    "latency_ms": "latency",
}


class LoadAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of whom; `prompt_unit` is "tokens", or "words" where no tokenizer was given."""

    base_url: str
    model: str
    load: Load
    prompt_unit: str
    warm_up_rounds: int


class LoadResult(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON document: either `summary`, or `error` and the failures behind it."""

    asked: LoadAsked
    summary: Summary | None = None
    error: str | None = None
    failures: list[FailureCount] = []


def show_load(result: LoadResult) -> None:
    console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)
    console.print(Text(f"{result.asked.model} at {result.asked.base_url}", style="bold"))
    console.print(Text(_asked(result.asked)))
    if result.summary is not None:
        console.print()
        console.print(_speeds(result.summary))
        if result.summary.decode_tps_interval is not None:
            low, high = map(_cell, result.summary.decode_tps_interval)
            rounds = len(result.summary.rounds)
            console.print(Text(f"mean decode tokens/s of a round: {low} to {high} (95 %, Student's t over {rounds} rounds)"))
        console.print(_times(result.summary))
        for line in _vouching(result.summary, result.asked):
            console.print(Text(line))
    if result.failures:
        console.print(_failures(result))


def _asked(asked: LoadAsked) -> str:
    load = asked.load
    pace = f"{load.concurrency} at once"
    if load.request_rate is not None:
        pace = f"{load.request_rate:g} a second at random times, {load.concurrency} at once at most"
    picture = f", with a picture of {load.image[0]}x{load.image[1]} pixels" if load.image else ""
    how = "streamed" if load.stream else "not streamed"
    prompt = f"{load.prompt_tokens} {asked.prompt_unit} in{picture}, {load.max_tokens} tokens out"
    return f"{load.requests} requests a round, {pace}; {prompt}, {how}; seed {load.seed}, warm-up {asked.warm_up_rounds}"


def _speeds(summary: Summary) -> Table:
    table = Table(title="by round", title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("round")
    for name in ("seconds", "decode tokens/s", "steady", "prompt tokens/s", "requests/s", "TTFT p50 ms", "TPOT p50 ms", "ITL p99 ms"):
        table.add_column(name, justify="right")
    for number, one in enumerate(summary.rounds, 1):
        p50s = [_cell(spread.p50 if spread else None) for spread in (one.ttft_ms, one.tpot_ms)]
        speeds = (one.decode_tps, one.steady_decode_tps, one.prompt_tps, one.qps)
        table.add_row(str(number), f"{one.seconds:.2f}", *map(_cell, speeds), *p50s, _cell(one.itl_ms.p99 if one.itl_ms else None))
    medians = (summary.decode_tps, summary.steady_decode_tps, summary.prompt_tps, summary.qps)
    table.add_row("median", "", *map(_cell, medians), style="bold")
    return table


def _times(summary: Summary) -> Table:
    table = Table(title="\nover all requests, ms", title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for name in ("mean", "p50", "p90", "p99"):
        table.add_column(name, justify="right")
    for field, name in NAMES.items():
        spread: Spread | None = getattr(summary, field)
        if spread is not None:
            table.add_row(name, *map(_cell, (spread.mean, spread.p50, spread.p90, spread.p99)))
    return table


def _cell(value: float | None) -> str:
    """Four significant digits at least, and no more than two behind the point."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def _vouching(summary: Summary, asked: LoadAsked) -> Iterator[str]:
    client, counters = summary.client, summary.counters
    yield ""
    yield (
        f"client: {client.processes} process{'es' * (client.processes > 1)}, at most {client.cpu_share:.0%} of a core "
        f"(void above {CPU_SHARE_LIMIT:.0%}); reads late by {client.lag_ms.p50:.2f} ms (p50), {client.lag_ms.p99:.2f} ms (p99)"
    )
    if counters is None:
        yield "server's own counters: not checked (no vllm:generation_tokens_total on /metrics)"
    else:
        yield (
            f"server's own counters: {counters.server_generation_tokens} tokens out, {counters.server_prompt_tokens} in; "
            f"the answers' usage: {counters.generation_tokens} and {counters.prompt_tokens}"
        )
    if asked.prompt_unit == "words":
        yield "prompts: by words, because no tokenizer was given; name the checkpoint's folder with --tokenizer for exact tokens"
    if summary.waited:
        yield f"{summary.waited} requests came due while all connections were busy, and waited: raise --concurrency"
    yield "failed requests: none"


def _failures(result: LoadResult) -> Table:
    table = Table(title="\nfailed requests", title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0), title_style="red")
    table.add_column("count", justify="right")
    table.add_column("kind")
    table.add_column("the first of them", overflow="fold")
    for one in result.failures:
        table.add_row(str(one.count), Text(one.kind), Text(one.first))
    return table
