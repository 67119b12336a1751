"""Decode speed under a fixed load, carried by pytest-benchmark: streamed chats, a fixed number at once, fresh prompts in every round.

How it is asked and timed is the load generator's business; here a suite and a server become a record, beside what memory allows.
"""

import contextlib
import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec

from quantgate.errors import MeasurementError
from quantgate.fingerprint import read_json
from quantgate.measure.load import Load, LoadRound, LoadSession, Prompts, Summary, parse_target, summarize
from quantgate.measure.provenance import provenance
from quantgate.records import DeviceHealth, Limit, Spread, Started, Throughput
from quantgate.server import Serving, watched
from quantgate.suites import LoadSuite

SEED = 0
GIB = 2**30
BF16_BYTES = 2


def measure_throughput(server: Serving, bf16: Serving | Throughput | None, suite: LoadSuite, benchmark: Any) -> Throughput:
    """The suite's rounds as rounds of pytest-benchmark, each right after one of BF16 where its server is given.

    Alternating makes the ratio of a pair immune to what the machine does meanwhile, as long as that lasts longer
    than a pair; where BF16 was measured before, alone, its speeds are kept beside. Raises MeasurementError where a request
    failed, the server's own counters disagree, the client was at its limit, or the benchmark did not run; ServerError where a
    server died under the load.
    """
    started, prompts, health = Started(), Prompts(SEED, server.folder), server.health()
    rounds: list[LoadRound] = []
    references: list[LoadRound] = []
    with contextlib.ExitStack() as stack:
        bf16_server = bf16 if isinstance(bf16, Serving) else None
        reference = stack.enter_context(_warm(bf16_server, suite, prompts)) if bf16_server is not None else None
        session = stack.enter_context(_warm(server, suite, prompts))

        def before_each() -> None:
            if bf16_server is not None and reference is not None:
                with _naming(bf16_server, suite):
                    references.append(reference.round())

        def one_round() -> None:
            with _naming(server, suite):
                rounds.append(session.round())

        benchmark.pedantic(one_round, setup=before_each, rounds=suite.rounds, iterations=1)
        if len(rounds) != suite.rounds:
            raise MeasurementError(f"{suite.name}: {suite.rounds} rounds were asked for and {len(rounds)} ran; is the benchmark disabled?")
        bf16_limit = bf16.limit if isinstance(bf16, Throughput) else None
        if bf16_server is not None and reference is not None:
            with _naming(bf16_server, suite):
                bf16_limit = _limit(bf16_server, suite, summarize(references, reference.check(), stream=True), health)
        with _naming(server, suite):
            summary = summarize(rounds, session.check(), stream=True)
    speedups = [
        math.log(one.figures.decode_tps / before.figures.decode_tps)
        for before, one in zip(references, rounds, strict=bf16_server is not None)
    ]
    measured = msgspec.structs.replace(_record(server, suite, summary, speedups, started, health), bf16_limit=bf16_limit)
    if isinstance(bf16, Throughput):
        measured = msgspec.structs.replace(measured, bf16_decode_tps=[one.decode_tps for one in bf16.rounds])
    benchmark.extra_info |= _beside_the_seconds(measured, summary)
    return measured


@contextlib.contextmanager
def _warm(server: Serving, suite: LoadSuite, prompts: Prompts) -> Iterator[LoadSession]:
    load = Load(suite.concurrency, suite.requests, suite.max_tokens, suite.prompt_tokens, image=suite.image, seed=SEED)
    whom, guard = parse_target(server.base_url, server.model, server.api_key), partial(watched, server)
    # A CPU's server takes every core, ours too: how late we read is recorded, and no reason to have no figure at all.
    with LoadSession(whom, load, prompts, guard, shares_cores=server.slot.is_cpu) as session:
        for _ in range(suite.warm_up_rounds):
            with _naming(server, suite):
                session.warm_up()
        yield session


@contextlib.contextmanager
def _naming(server: Serving, suite: LoadSuite) -> Iterator[None]:
    """What voids a measurement names the server, or is that it died."""
    try:
        yield
    except MeasurementError as error:
        server.confirm_alive()
        raise MeasurementError(f"{server.model} under {suite.name}: {error}") from error


def _record(
    server: Serving, suite: LoadSuite, summary: Summary, log_speedups: list[float], started: Started, health: DeviceHealth | None
) -> Throughput:
    return Throughput(
        family=server.checkpoint.family,
        checkpoint=server.checkpoint.name,
        precision=server.checkpoint.precision,
        suite=suite.name,
        provenance=provenance(server, suite.fingerprint, sampling_of_load(suite), started, seed=SEED),
        concurrency=suite.concurrency,
        requests=suite.requests,
        max_tokens=suite.max_tokens,
        rounds=summary.rounds,
        decode_tps=summary.decode_tps,
        ttft_ms=_of_something(summary.ttft_ms, suite),
        tpot_ms=_of_something(summary.tpot_ms, suite),
        itl_ms=_of_something(summary.itl_ms, suite),
        latency_ms=summary.latency_ms,
        log_speedup_over_bf16=log_speedups,
        prompt_tokens=suite.prompt_tokens,
        steady_decode_tps=summary.steady_decode_tps,
        decode_tps_interval=summary.decode_tps_interval,
        client=summary.client,
        counters=summary.counters,
        health=health,
        limit=_limit(server, suite, summary, health),
    )


def sampling_of_load(suite: LoadSuite) -> dict[str, float | int | bool | str]:
    """As provenance has it."""
    return {"temperature": 0, "max_tokens": suite.max_tokens, "ignore_eos": True}


def _limit(server: Serving, suite: LoadSuite, summary: Summary, health: DeviceHealth | None) -> Limit | None:
    """On GPUs alone: a CPU keeps a small model in its cache, and its bound is arithmetic."""
    if health is None or server.slot.is_cpu:
        return None
    context = summary.prompt_tps / summary.qps + suite.max_tokens / 2  # a prompt as the server counts it, and half of its answer
    config = read_json(server.folder / "config.json")
    return memory_bound(
        config | config.get("text_config", {}),  # a multimodal model's sizes of text may lie inside
        weights_gib=server.weights_gib(),
        copy_gb_s=health.copy_gb_s * len(server.slot.devices),
        concurrency=suite.concurrency,
        context=context,
        decode_tps=summary.decode_tps,
    )


def _of_something(spread: Spread | None, suite: LoadSuite) -> Spread:
    """Answers of one token, or that come in one piece, leave no time from token to token."""
    if spread is None:
        raise MeasurementError(
            f"{suite.name}: no answer of {suite.max_tokens} tokens came in more than one chunk, so nothing is known of the time between "
            "tokens: ask for more tokens"
        )
    return spread


def _beside_the_seconds(measured: Throughput, summary: Summary) -> dict[str, float]:
    """What pytest-benchmark keeps beside its own seconds."""
    found = {"decode_tps": summary.decode_tps, "prompt_tps": summary.prompt_tps, "qps": summary.qps}
    if summary.steady_decode_tps is not None:
        found["steady_decode_tps"] = summary.steady_decode_tps
    for name in ("ttft_ms", "tpot_ms", "itl_ms", "latency_ms"):
        spread: Spread = getattr(measured, name)
        found |= {f"{name}_mean": spread.mean, f"{name}_p50": spread.p50, f"{name}_p90": spread.p90, f"{name}_p99": spread.p99}
    return found | {"client_cpu_share": summary.client.cpu_share, "client_lag_ms_p99": summary.client.lag_ms.p99}


def kv_bytes_a_token(config: dict[str, Any], kv_dtype_bytes: int = BF16_BYTES) -> int:
    """Keys and values of all layers, from config.json."""
    heads = config["num_attention_heads"]
    head_dim = config.get("head_dim") or config["hidden_size"] // heads
    return int(2 * config["num_hidden_layers"] * (config.get("num_key_value_heads") or heads) * head_dim * kv_dtype_bytes)


def embedding_bytes(config: dict[str, Any]) -> int:
    """Of a table that is read row by row; 0 where it is the output layer as well."""
    return 0 if config.get("tie_word_embeddings") else int(config["vocab_size"] * config["hidden_size"] * BF16_BYTES)


def memory_bound(
    config: dict[str, Any], *, weights_gib: float, copy_gb_s: float, concurrency: int, context: float, decode_tps: float
) -> Limit:
    """How fast decoding could be for `concurrency` sequences of `context` tokens on average, and the share of it that `decode_tps` is.

    A step reads the weights once and every sequence's KV cache, and memory gives so much a second:

        bytes a step = weights + concurrency * context * KV bytes a token
        bound (tokens/s) = concurrency * copy bandwidth / bytes a step

    Weights without the embedding table where it is not tied, of which a step reads a few rows. The bandwidth is that of a copy (bytes
    read + bytes written) on the same device just before. It is a bound from memory alone: computing may bind earlier.
    """
    weights = max(weights_gib * GIB - embedding_bytes(config), 0.0)
    cache = concurrency * context * kv_bytes_a_token(config)
    bound = concurrency * copy_gb_s * 1e9 / (weights + cache)
    return Limit(weights_gib=weights_gib, kv_gib=cache / GIB, decode_tps=bound, percent=100 * decode_tps / bound)
