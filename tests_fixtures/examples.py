"""Records that the tests fill in by hand."""

import math
from collections.abc import Sequence

from fixtures.records import Answer, Answers, DocumentLoss, Provenance, TextLoss

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
