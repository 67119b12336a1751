"""A folder of records with verdicts of every kind beside them, and the baselines that they were judged against."""

import datetime
from collections.abc import Sequence
from pathlib import Path

import msgspec

from quantgate.judgement import judge_pair
from quantgate.records import Answers, Approval, Measurement, Verdict, write_record
from quantgate.registry import Tolerance
from tests_fixtures.doubles.examples import MIXED, answers, text_loss

NOW = datetime.datetime(2026, 3, 4, 5, 6, tzinfo=datetime.UTC)
APPROVED = "2026-02-22T05:06:00+00:00"
LIMITS = Tolerance(perplexity_ratio=1.05, accuracy_points=5.0)
HOSTILE = "<script>alert(1)</script> {{ 7*7 }} {% raw %} \x1b[31mred\x1b[0m \u202egnp.exe\u202c [bold]rich[/bold] | `tick` **b** @all"


class Reported:
    """`records` and `baselines` below a folder; each `judged` call adds a checkpoint's suite."""

    def __init__(self, root: Path) -> None:
        self.records, self.baselines = root / "records", root / "baselines"

    def approve(self, *measured: Measurement) -> None:
        for one in measured:
            entry = Approval(
                when=APPROVED, by="Ada", figure=one.figure, vllm="vllm 1", device_name="CPU", checkpoint_fingerprint="c", reason="first"
            )
            write_record(self.baselines / "cpu", msgspec.structs.replace(one, history=[entry]))

    def judged(self, measured: Measurement, base: Measurement, limits: Tolerance = LIMITS) -> Verdict:
        """Write the record and its verdict against BF16's, which is approved."""
        self.approve(base)
        verdict = msgspec.structs.replace(judge_pair(base, measured, limits), against="bf16")
        write_record(self.records, measured)
        write_record(self.records, verdict)
        return verdict


def worse(by: float, checkpoint: str = "nvfp4", count: int = 40) -> tuple[Measurement, Measurement]:
    """A text loss whose every document has so many nats more than BF16's, in documents of unlike size; and BF16's."""
    base = [20.0 + 3 * place for place in range(count)]
    jitter = [0.01 * (place % 5) for place in range(count)]
    return text_loss(checkpoint, [nll + by + more for nll, more in zip(base, jitter, strict=True)]), text_loss("bf16", base)


def answered(right: str, checkpoint: str = "nvfp4", text: str = " 4", prompts: Sequence[str] = ()) -> Answers:
    """Answers in two groups, of this text, with these prompts where given."""
    made = answers(right, checkpoint)
    items = [
        msgspec.structs.replace(
            item, group=("add", "times")[place % 2], answer=text, prompt=prompts[place % len(prompts)] if prompts else None
        )
        for place, item in enumerate(made.items)
    ]
    return msgspec.structs.replace(made, items=items)


def three_ways(root: Path, text: str = " 4", prompts: Sequence[str] = ("What is 2 + 2?",)) -> Reported:
    """NVFP4 fails on text, FP8 passes on it, and what answers FP8 gives do not decide."""
    made = Reported(root)
    made.judged(*worse(3.0))
    made.judged(*worse(0.05, "fp8"))
    flipped = "-" * 6 + MIXED[6:]
    made.judged(answered(flipped, "fp8", text, prompts), answered(MIXED, "bf16", text))
    return made
