"""What the page says, as values: built from records by pure functions, put into HTML, Markdown and JSON by renderers that decide nothing.

Text from elsewhere is in here as it is; each renderer shows it as text (`quantgate/plain_text.py`).
"""

from typing import Literal

import msgspec

Word = Literal["fail", "error", "inconclusive", "not compared", "pass"]
WORST_FIRST: tuple[Word, ...] = ("fail", "error", "inconclusive", "not compared", "pass")
SINCE = {"bf16": "against BF16", "own": "since its approval", "same run": "against BF16, same run"}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict. `baseline`, `now`: the figure on either side; `found`, `wanted`: the loss with its interval, and the tolerance;
    `forest`: the drop and its interval, in tolerances; `evidence`: on how much it rests; `commands`: what to type next."""

    word: Word
    family: str
    checkpoint: str
    precision: str
    suite: str
    question: str
    baseline: str = ""
    now: str = ""
    found: str = ""
    wanted: str = ""
    forest: tuple[float, float, float] | None = None
    evidence: str = ""
    reason: str = ""
    commands: list[str] = []


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """`low`, `high`: the whisker, where there is one; `series` is a checkpoint."""

    series: str
    value: float
    low: float | None
    high: float | None
    said: str


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """Bars that share an axis: one suite's scores, or one figure of speed. `better`: which way. `line`: what BF16 has, 100."""

    title: str
    better: Literal["higher", "lower"]
    bars: list[Bar]
    line: float | None = None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Accuracy on both sides in per cent, the drop in points with its interval."""

    name: str
    n: int
    before: float
    now: float
    drop: float
    low: float
    high: float


class Groups(msgspec.Struct, frozen=True, kw_only=True):
    checkpoint: str
    suite: str
    groups: list[Group]


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """`lost`: nats more than BF16 paid for it."""

    text: str
    lost: float
    nll: float


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """`lost`: nats more than BF16 in all; `tokens_lost`: its tokens, where they were kept on both sides and can be read."""

    id: str
    tokens: int
    before: float
    now: float
    lost: float
    text: str
    token_losses: list[Token]


class Documents(msgspec.Struct, frozen=True, kw_only=True):
    """`worse`, `of`: how many documents lost anything, of how many."""

    checkpoint: str
    suite: str
    worse: int
    of: int
    worst: list[Document]
    remark: str


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One answer: what it is worth, what was read out of it, what ended it."""

    answer: str
    extracted: str
    worth: float
    ended: str


class Flip(msgspec.Struct, frozen=True, kw_only=True):
    checkpoint: str
    suite: str
    id: str
    group: str
    direction: Literal["regressed", "improved"]
    prompt: str | None
    before: Side
    now: Side


class Length(msgspec.Struct, frozen=True, kw_only=True):
    """Of a suite's answers on both sides: mean tokens, how many were cut off, ended in their reasoning, and could not be read."""

    checkpoint: str
    suite: str
    n: int
    tokens_before: float
    tokens: float
    ratio: str
    cut_before: int
    cut: int
    thinking_before: int
    thinking: int
    unread_before: int
    unread: int


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """dB, None for what is no number; `missing`: how far below what its format keeps."""

    name: str
    sqnr_db: float | None
    expected_db: float | None
    missing: float | None
    bad_rows: int
    rows: int


class Layers(msgspec.Struct, frozen=True, kw_only=True):
    checkpoint: str
    formats: str
    layers: list[Layer]


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """How a checkpoint was computed, and what was reached of what its memory allows."""

    checkpoint: str
    kernels: str
    numerics: str
    suite: str
    percent: float | None
    bound: float | None
    health: str


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One line of provenance: by column, the value and whether it differs from the baseline's."""

    name: str
    values: list[tuple[str, bool]]


class Provenances(msgspec.Struct, frozen=True, kw_only=True):
    """One family's: `columns` are BF16's baseline and the checkpoints of this run."""

    family: str
    columns: list[str]
    facts: list[Fact]


class Age(msgspec.Struct, frozen=True, kw_only=True):
    """Of a baseline: whole `days` since its approval, by whom and why."""

    name: str
    days: int
    when: str
    by: str
    reason: str
    approvals: int


class Night(msgspec.Struct, frozen=True, kw_only=True):
    at: str
    value: float
    low: float | None
    high: float | None
    verdict: str


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """One suite of one checkpoint, night by night, the drop in `unit`; `broken`: nights that measured nothing."""

    checkpoint: str
    suite: str
    unit: str
    nights: list[Night]
    tolerance: float | None
    broken: int


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    what: str
    why: str


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Everything, in the order in which it is shown. `made`: UTC, ISO 8601, to the minute."""

    title: str
    made: str
    word: Word
    headline: str
    sentence: str
    counts: dict[str, int]
    rows: list[Row]
    skipped: list[Skipped]
    scores: list[Panel]
    speed: list[Panel]
    groups: list[Groups]
    documents: list[Documents]
    flips: list[Flip]
    lengths: list[Length]
    layers: list[Layers]
    engines: list[Engine]
    provenance: list[Provenances]
    ages: list[Age]
    trends: list[Trend]
    unreadable: list[str]
    records: str
    remarks: list[str]
