"""What the page says, as values: built from records by pure functions, and put into HTML, Markdown and JSON by renderers that decide nothing.

Text from elsewhere is in here as it is; each renderer shows it as text (`quantgate/plain_text.py`).
"""

from typing import Literal

import msgspec

Word = Literal["fail", "error", "inconclusive", "not compared", "pass"]
WORST_FIRST: tuple[Word, ...] = ("fail", "error", "inconclusive", "not compared", "pass")
SINCE = {"bf16": "against BF16", "own": "since its approval", "same run": "against BF16, same run"}


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """What all of it is."""


class Row(Value):
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


class Bar(Value):
    """`low`, `high`: the whisker, where there is one; `series` is a checkpoint."""

    series: str
    value: float
    low: float | None
    high: float | None
    said: str


class Panel(Value):
    """Bars that share an axis: one suite's scores, or one figure of speed. `better`: which way. `line`: what BF16 has, 100."""

    title: str
    better: Literal["higher", "lower"]
    bars: list[Bar]
    line: float | None = None


class Group(Value):
    """Accuracy on both sides in per cent, the drop in points with its interval."""

    name: str
    n: int
    before: float
    now: float
    drop: float
    low: float
    high: float


class Groups(Value):
    checkpoint: str
    suite: str
    groups: list[Group]


class Token(Value):
    """`lost`: nats more than BF16 paid for it."""

    text: str
    lost: float
    nll: float


class Document(Value):
    """`lost`: nats more than BF16 in all; `tokens_lost`: its tokens, where they were kept on both sides and can be read."""

    id: str
    tokens: int
    before: float
    now: float
    lost: float
    text: str
    token_losses: list[Token]


class Documents(Value):
    """`worse`, `of`: how many documents lost anything, of how many."""

    checkpoint: str
    suite: str
    worse: int
    of: int
    worst: list[Document]
    remark: str


class Side(Value):
    """One answer: what it is worth, what was read out of it, what ended it."""

    answer: str
    extracted: str
    worth: float
    ended: str


class Flip(Value):
    checkpoint: str
    suite: str
    id: str
    group: str
    direction: Literal["regressed", "improved"]
    prompt: str | None
    before: Side
    now: Side


class Length(Value):
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


class Layer(Value):
    """dB; `missing`: how far below what its format keeps."""

    name: str
    sqnr_db: float
    expected_db: float
    bad_rows: int
    rows: int


class Layers(Value):
    checkpoint: str
    formats: str
    layers: list[Layer]


class Engine(Value):
    """How a checkpoint was computed, and what was reached of what its memory allows."""

    checkpoint: str
    kernels: str
    numerics: str
    suite: str
    percent: float | None
    bound: float | None
    health: str


class Fact(Value):
    """One line of provenance: by column, the value and whether it differs from the baseline's."""

    name: str
    values: list[tuple[str, bool]]


class Provenances(Value):
    """One family's: `columns` are BF16's baseline and the checkpoints of this run."""

    family: str
    columns: list[str]
    facts: list[Fact]


class Age(Value):
    """Of a baseline: whole `days` since its approval, by whom and why."""

    name: str
    days: int
    when: str
    by: str
    reason: str
    approvals: int


class Night(Value):
    at: str
    value: float
    low: float | None
    high: float | None
    verdict: str


class Trend(Value):
    """One suite of one checkpoint, night by night, the drop in `unit`; `broken`: nights that measured nothing."""

    checkpoint: str
    suite: str
    unit: str
    nights: list[Night]
    tolerance: float | None
    broken: int


class Skipped(Value):
    what: str
    why: str


class Page(Value):
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
