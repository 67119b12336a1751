"""What was concluded from a measurement, with what it rests on."""

from typing import Literal

import msgspec

from quantgate.records.measurements import Divergence


class Discordant(msgspec.Struct, frozen=True, kw_only=True):
    """Items that only the baseline got right (`regressed`) and that only the candidate got right (`improved`)."""

    regressed: int
    improved: int


class Noise(msgspec.Struct, frozen=True, kw_only=True):
    """What the baseline's checkpoint did when it was asked `n` items a second time.

    `flipped`: answers right once and wrong once; `changed`: answers with another text; `max_nll_per_token`: the largest
    change of a document's loss.
    """

    n: int
    flipped: int = 0
    changed: int = 0
    max_nll_per_token: float = 0.0


class Unanswered(msgspec.Struct, frozen=True, kw_only=True):
    """How many answers are none, each counted once, as the first of these: ended inside its reasoning; cut off by length; without a word
    behind any reasoning; with words in which no answer was found."""

    in_reasoning: int = 0
    cut_off: int = 0
    empty: int = 0
    unreadable: int = 0


class GroupLoss(msgspec.Struct, frozen=True, kw_only=True):
    """What one group of a suite's items lost: accuracies in per cent on both sides, and p (one-sided, Holm over the groups)."""

    name: str
    n: int
    before: float
    now: float
    p_value: float

    @property
    def drop(self) -> float:
        """In points; positive is worse."""
        return self.before - self.now


class MeanLoss(msgspec.Struct, frozen=True, kw_only=True):
    """One of a suite's two means, by question or by category: per cent on both sides, the interval of the drop in points; `gated`: it is
    the one that was judged."""

    name: Literal["question", "category"]
    before: float
    now: float
    interval: tuple[float, float] | None
    gated: bool

    @property
    def drop(self) -> float:
        """In points; positive is worse."""
        return self.before - self.now


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement on one measurement. `drop`, `interval`, `tolerance` and `mde` are in `unit`; positive is worse.

    `aspect`: "" for what the suite asks; "length" (tokens of its answers) or "ttft" where a verdict of its own stands beside that.
    `against`: the family's BF16 baseline, the checkpoint's own approved measurement, or BF16 in the same run.
    `p_value` is Holm-adjusted over the checkpoint's suites, `p_value_alone` is not, `p_value_mid` is McNemar's mid-p, alone.
    `numerics`, `kernels`: how the measurement was computed, as its provenance has it; "" and none where there was nothing to judge.
    `discordance`: share of the items that changed; `clusters`: in how many the `n` stand, where they depend on each other.
    `unanswered`: how many of the measurement's answers are none; None for what has no answers. `means`: both, where a suite has two.
    """

    verdict: Literal["pass", "fail", "inconclusive", "error"]
    family: str
    checkpoint: str
    suite: str
    unit: str
    reason: str
    tolerance: float | None = None
    drop: float | None = None
    interval: tuple[float, float] | None = None
    confidence: float = 0.95
    p_value: float | None = None
    n: int = 0
    discordant: Discordant | None = None
    mde: float | None = None
    n_needed: int | None = None
    against: Literal["bf16", "own", "same run"] = "bf16"
    p_value_alone: float | None = None
    p_value_mid: float | None = None
    noise: Noise | None = None
    divergence: Divergence | None = None
    aspect: Literal["", "length", "ttft"] = ""
    discordance: float | None = None
    clusters: int | None = None
    groups: list[GroupLoss] = msgspec.field(default_factory=list)
    numerics: str = ""
    kernels: list[str] = msgspec.field(default_factory=list)
    unanswered: Unanswered | None = None
    means: list[MeanLoss] = msgspec.field(default_factory=list)
