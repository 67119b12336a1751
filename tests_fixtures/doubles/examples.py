"""Records that the tests fill in by hand."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from quantgate.fingerprint import of_checkpoint
from quantgate.records import (
    Answer,
    Answers,
    ClientUse,
    DocumentLoss,
    DocumentTopK,
    Measurement,
    Provenance,
    Round,
    Spread,
    TextLoss,
    Throughput,
)

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
    checkpoint_fingerprint=of_checkpoint(Path(__file__).parents[2] / "fixtures" / "reference" / "bf16"),
    suite_fingerprint="s0",
    tokenizer_fingerprint="t0",
    chat_template_fingerprint="m0",
    sampling={"temperature": 0, "max_tokens": 1},
    seed=0,
    started="2026-01-01T00:00:00+00:00",
    seconds=1.5,
)


def provenance_of(checkpoint: str) -> Provenance:
    """PROVENANCE, whose weights are the shipped BF16's, or with weights of the checkpoint's own."""
    return PROVENANCE if checkpoint == "bf16" else msgspec.structs.replace(PROVENANCE, checkpoint_fingerprint=f"c-{checkpoint}")


def text_loss(
    checkpoint: str = "bf16",
    nll_sums: Sequence[float] = (20.0, 31.0, 39.0, 52.0, 58.0, 71.0),
    provenance: Provenance | None = None,
    tokens: int = 10,
) -> TextLoss:
    """One document of so many tokens for each of `nll_sums`, in nats; ids d0, d1, …"""
    return TextLoss(
        family="reference",
        checkpoint=checkpoint,
        precision=checkpoint,
        suite="reference-text",
        provenance=provenance or provenance_of(checkpoint),
        documents=[DocumentLoss(id=f"d{place}", tokens=tokens, nll_sum=nll, top1_nll_sum=1.0) for place, nll in enumerate(nll_sums)],
        nll_per_token=sum(nll_sums) / (tokens * len(nll_sums)),
        perplexity=math.exp(sum(nll_sums) / (tokens * len(nll_sums))),
        top1_perplexity=1.1,
    )


def answers(right: str = "++-", checkpoint: str = "bf16") -> Answers:
    """One item a letter, "+" for right; ids q0, q1, …"""
    accuracy = right.count("+") / max(1, len(right))
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
        checkpoint=checkpoint,
        precision=checkpoint,
        suite="reference-questions",
        provenance=provenance_of(checkpoint),
        items=items,
        accuracy=accuracy,
        by_group={"add": accuracy},
    )


MIXED = "++++-" * 40
"""Answers that four times in five are right: neither at the floor nor at the ceiling."""


def topk(own: float, probabilities: dict[int, float], name: str = "d0") -> DocumentTopK:
    """A document of one position: the probability of the token that stands there, and of the likeliest ones."""
    ranked = sorted(probabilities.items(), key=lambda one: -one[1])
    logprobs = [[math.log(p) for _, p in ranked]]
    return DocumentTopK(id=name, own=[math.log(own)], tokens=[[t for t, _ in ranked]], logprobs=logprobs)


def client_use(cpu_share: float = 0.3, lag_ms_p99: float = 1.0, processes: int = 1) -> ClientUse:
    """A client that has used so much of a core and read so late."""
    return ClientUse(processes=processes, cpu_share=cpu_share, lag_ms=Spread(mean=0.1, p50=0.1, p90=0.1, p99=lag_ms_p99))


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
    """Rounds of one speed, with these speed-ups over BF16."""
    return speed([100.0] * len(ratios), [math.log(ratio) for ratio in ratios])


def with_provenance(record: R, **changes: object) -> R:
    """The record, with these fields of its provenance changed."""
    return msgspec.structs.replace(record, provenance=msgspec.structs.replace(record.provenance, **changes))
