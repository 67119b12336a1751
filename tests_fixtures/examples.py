"""Records that the tests fill in by hand."""

import math
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from fixtures.records import Answer, Answers, DocumentLoss, Measurement, Provenance, Round, Spread, TextLoss, Throughput

R = TypeVar("R", bound=Measurement)

PROVENANCE = Provenance(
    vllm="vllm 1",
    torch="torch 2",
    transformers="transformers 5",
    driver=None,
    device_name="CPU",
    device_class="cpu",
    mig_profile=None,
    gpu_uuid=[],
    tensor_parallel=1,
    kernels=["SomeKernel"],
    checkpoint_fingerprint="c0",
    suite_fingerprint="s0",
    tokenizer_fingerprint="t0",
    chat_template_fingerprint="m0",
    sampling={"temperature": 0, "max_tokens": 1},
    seed=0,
    started="2026-01-01T00:00:00+00:00",
    seconds=1.5,
)


def text_loss(
    checkpoint: str = "bf16", nll_sums: Sequence[float] = (20.0, 31.0, 39.0, 52.0, 58.0, 71.0), provenance: Provenance = PROVENANCE
) -> TextLoss:
    """One document of 10 tokens for each of `nll_sums`, in nats."""
    return TextLoss(
        family="reference",
        checkpoint=checkpoint,
        precision=checkpoint,
        suite="reference-text",
        provenance=provenance,
        documents=[DocumentLoss(id=f"d{place}", tokens=10, nll_sum=nll, top1_nll_sum=1.0) for place, nll in enumerate(nll_sums)],
        nll_per_token=sum(nll_sums) / (10 * len(nll_sums)),
        perplexity=math.exp(sum(nll_sums) / (10 * len(nll_sums))),
        top1_perplexity=1.1,
    )


def answers(right: str = "++-") -> Answers:
    """One item a letter, "+" for right."""
    items = [
        Answer(
            id=f"q{place}",
            group="add",
            correct=letter == "+",
            answer=" 4",
            extracted="4",
            strict=letter == "+",
            flexible=letter == "+",
            parsed=True,
            open_think=False,
            finish_reason="stop",
            completion_tokens=2,
        )
        for place, letter in enumerate(right)
    ]
    return Answers(
        family="reference",
        checkpoint="bf16",
        precision="bf16",
        suite="reference-questions",
        provenance=PROVENANCE,
        items=items,
        accuracy=right.count("+") / len(right),
        by_group={"add": right.count("+") / len(right)},
    )


SPREAD = Spread(mean=1.0, p50=1.0, p90=1.0, p99=1.0)


def speed(decode_tps: list[float], log_speedup: list[float] | None = None) -> Throughput:
    """Rounds of these speeds, with ln(speed-up over BF16) by round where given."""
    return Throughput(
        family="reference",
        checkpoint="nvfp4",
        precision="nvfp4",
        suite="decode-16x64",
        provenance=PROVENANCE,
        concurrency=16,
        requests=64,
        max_tokens=64,
        rounds=[Round(seconds=1.0, decode_tps=tps, prompt_tps=1.0, qps=1.0) for tps in decode_tps],
        decode_tps=sorted(decode_tps)[len(decode_tps) // 2] if decode_tps else 0.0,
        ttft_ms=SPREAD,
        tpot_ms=SPREAD,
        itl_ms=SPREAD,
        latency_ms=SPREAD,
        log_speedup_over_bf16=log_speedup or [],
    )


def speedups(ratios: list[float]) -> Throughput:
    return speed([100.0] * len(ratios), [math.log(ratio) for ratio in ratios])


def with_provenance(record: R, **changes: object) -> R:
    return msgspec.structs.replace(record, provenance=msgspec.structs.replace(record.provenance, **changes))
