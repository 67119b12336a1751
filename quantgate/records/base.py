"""What every kind of record has: whose it is, under what it was made, who approved it; and a distribution in four numbers."""

import datetime
import time
from typing import Annotated

import msgspec

NOT_RECORDED, NOT_KNOWN, PLAIN = "not recorded", "not known", "W16A16"
"""Numerics that an older record lacks, that nobody can tell, and that are BF16's own."""
AS_DECLARED = " as declared"
"""Behind numerics that the checkpoint declares, where nobody knows what its kernel made of that."""


class Provenance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Under what a measurement was made. `device_class` is device name + MIG profile + TP, or "cpu".

    `numerics`: in how many bits weights and activations were computed ("W4A16"; `measure/numerics.py`), where that was recorded.
    `conditions`: a fingerprint of what it was declared to be made under (how the checkpoint is served, the suite, the sampling), before
    anybody answered; None where that was not recorded, or somebody else's server answered.
    `made_by`: what `quantgate quantize` wrote down of the checkpoint, where it made it and nobody has changed it since.
    """

    vllm: str
    torch: str
    transformers: str
    driver: str | None
    device_name: str
    device_class: str
    mig_profile: str | None
    gpu_uuid: list[str]
    tensor_parallel: int
    kernels: list[str]
    checkpoint_fingerprint: str
    suite_fingerprint: str
    tokenizer_fingerprint: str
    chat_template_fingerprint: str
    sampling: dict[str, float | int | bool | str]
    seed: int
    started: str
    seconds: float
    made_by: str | None = None
    numerics: str = NOT_RECORDED
    conditions: str | None = None


class Approval(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of a baseline's history; `figure` is its perplexity, accuracy or decode_tps, `discordance` the share of its answers that
    were not right or wrong as BF16's were."""

    when: str
    by: str
    figure: float
    vllm: str
    device_name: str
    checkpoint_fingerprint: str
    reason: str | None = None
    discordance: float | None = None


class Oldest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a baseline was approved against besides its predecessor: the last approval that had a reason, or the first of all, so that
    no row of small steps wears it down. `figure` is its perplexity, accuracy or decode_tps; `changed`: by id, its documents' nll_sum or
    its items' worth where they were not what the baseline's are; `tokens_an_answer`: the mean of its completion tokens."""

    when: str
    by: str
    figure: float
    changed: dict[str, float] = {}
    tokens_an_answer: float | None = None


class Apart(msgspec.Struct, frozen=True, kw_only=True):
    """Where what is heavy of a baseline lies, if not in its file: an object of so many `bytes`, found and checked by its SHA-256 (64
    hexadecimal digits), with so many `items` (answers or documents)."""

    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    bytes: int
    items: int


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Mean and percentiles over what was counted: requests, gaps between chunks, positions."""

    mean: float
    p50: float
    p90: float
    p99: float


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind"):
    """Whose measurement it is; the kind decides what else there is."""

    family: str
    checkpoint: str
    precision: str
    suite: str
    provenance: Provenance


class Started:
    """The moment that it is made at: wall clock for the record, monotonic for the seconds."""

    def __init__(self) -> None:
        self.at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._monotonic = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self._monotonic
