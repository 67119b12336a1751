"""How fast a server decoded under a load: rounds, distributions, and what vouches for them.

What later versions added has a default, and a default is not written: an older record comes back, and goes out again,
as it was.
"""

import msgspec

from quantgate.records.base import Approval, Oldest, Record, Spread


class Round(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One round of load: wall seconds, and completed output tokens, prompt tokens and requests per second.

    `steady_decode_tps`: tokens that arrived while every connection was decoding, per second of that time. The spreads
    are over this round's requests (`itl_ms`: gaps between chunks); None where there was nothing to measure, as when
    answers are not streamed.
    """

    seconds: float
    decode_tps: float
    prompt_tps: float
    qps: float
    steady_decode_tps: float | None = None
    ttft_ms: Spread | None = None
    tpot_ms: Spread | None = None
    itl_ms: Spread | None = None
    latency_ms: Spread | None = None


class ClientUse(msgspec.Struct, frozen=True, kw_only=True):
    """What the load cost the client: processes, the largest share of a core that one of them used in a round, and how
    late its event loop served what was ready (of a timer, every few milliseconds; `lag_ms` over all rounds)."""

    processes: int
    cpu_share: float
    lag_ms: Spread


class CounterCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens by the answers' own usage, and by the server's counters, over the whole measurement with its warm-up."""

    generation_tokens: int
    server_generation_tokens: int
    prompt_tokens: int
    server_prompt_tokens: int


class DeviceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The device just before the load: GB/s of a copy (read + written), TFLOP/s of a matrix product, its clocks, and what
    is wrong with it or who else is on it, in words; None where all is well."""

    copy_gb_s: float
    matmul_tflops: float
    sm_mhz: int | None = None
    max_sm_mhz: int | None = None
    trouble: str | None = None


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """What memory bandwidth allows: `decode_tps` is the bound in tokens a second, `percent` what was reached of it."""

    weights_gib: float
    kv_gib: float
    decode_tps: float
    percent: float


class Throughput(Record, frozen=True, kw_only=True, tag="throughput"):
    """`decode_tps` is the median of the rounds, `decode_tps_interval` the 95 % t-interval of their mean;
    `log_speedup_over_bf16` holds, round by round, ln(decode_tps / BF16's in the round just before), where measured, and
    `bf16_decode_tps` BF16's rounds of the same run, measured alone, where both servers do not fit on the device at once; `bf16_limit`:
    what memory allows BF16, and how much of it was reached;
    `counters` is None where the server has none, and was not checked."""

    concurrency: int
    requests: int
    max_tokens: int
    rounds: list[Round]
    decode_tps: float
    ttft_ms: Spread
    tpot_ms: Spread
    itl_ms: Spread
    latency_ms: Spread
    log_speedup_over_bf16: list[float] = msgspec.field(default_factory=list)
    history: list[Approval] = msgspec.field(default_factory=list)
    oldest: Oldest | None = None
    prompt_tokens: int | None = None
    steady_decode_tps: float | None = None
    decode_tps_interval: tuple[float, float] | None = None
    client: ClientUse | None = None
    counters: CounterCheck | None = None
    health: DeviceHealth | None = None
    limit: Limit | None = None
    bf16_decode_tps: list[float] = msgspec.field(default_factory=list)
    bf16_limit: Limit | None = None

    @property
    def figure(self) -> float:
        return self.decode_tps
