"""Suites for people to choose from: a line each, and one of them counted."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from quantgate import stats
from quantgate.judgement import DISCORDANCE, enough_to_decide
from quantgate.suites import Catalogue, CodeSuite, HarnessSuite, LoadSuite, QuestionSuite, Suite, TextSuite, encode

KINDS: dict[type[Suite], str] = {TextSuite: "text", QuestionSuite: "answers", CodeSuite: "code", HarnessSuite: "task", LoadSuite: "load"}
TOLERANCES = (1.0, 2.0, 5.0)
"""In points, for which the number of items is told that would decide."""


class Known(msgspec.Struct, frozen=True):
    """`says`: the first sentence on it."""

    name: str
    kind: str
    says: str


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """`items`: documents as they are asked, questions, requests a round, None where only another harness knows; tokens
    are None without a tokenizer, and of what has none.

    `decides`: what can be seen with so many, in words.
    """

    name: str
    kind: str
    items: int | None
    tokens: int | None = None
    scored_tokens: int | None = None
    clusters: int | None = None
    groups: dict[str, int] = {}
    fingerprint: str
    decides: str


def every_suite(known: Catalogue) -> list[Known]:
    """In the order of their kinds."""
    found = [
        Known(name, KINDS[kind], _load(load(None)) if kind is LoadSuite else _first_sentence(load.__doc__))
        for name, (kind, load) in known.items()
    ]
    return sorted(found, key=lambda one: list(KINDS.values()).index(one.kind))


def _load(suite: Suite) -> str:
    assert isinstance(suite, LoadSuite)
    picture = "" if suite.image is None else f" and a picture of {suite.image[0]}x{suite.image[1]}"
    asked = f"{suite.requests} requests a round, {suite.concurrency} at once"
    return f"{asked}: {suite.prompt_tokens} tokens{picture} in, {suite.max_tokens} out; {suite.rounds} rounds"


def _first_sentence(text: str | None) -> str:
    return " ".join((text or "").split()).partition(". ")[0].removesuffix(".")


def described(suite: Suite, tokenizer: Path | None = None, max_model_len: int | None = None) -> Described:
    """Raises ConfigurationError where the tokenizer's folder holds none."""
    if isinstance(suite, TextSuite):
        return _text(suite, tokenizer, max_model_len)
    if isinstance(suite, QuestionSuite | CodeSuite):
        # A question that is asked several times is one question yet, to what can be decided.
        n = len(suite.questions if isinstance(suite, QuestionSuite) else suite.tasks)
        repeats = suite.repeats if isinstance(suite, QuestionSuite) else 1
        groups = dict(Counter(one.group for one in suite.questions)) if isinstance(suite, QuestionSuite) else {}
        return Described(
            name=suite.name,
            kind=KINDS[type(suite)],
            items=n * repeats,
            clusters=n if repeats > 1 else None,
            groups=groups,
            fingerprint=suite.fingerprint,
            decides=_can_decide(n),
        )
    if isinstance(suite, HarnessSuite):
        told = _can_decide(suite.n) if suite.n is not None else f"{suite.harness} counts its items when it runs"
        return Described(name=suite.name, kind="task", items=suite.n, fingerprint=suite.fingerprint, decides=told)
    said = f"decode speed at {suite.concurrency} at once, {suite.max_tokens} tokens each, {suite.rounds} rounds"
    return Described(name=suite.name, kind="load", items=suite.requests, fingerprint=suite.fingerprint, decides=said)


def _can_decide(n: int) -> str:
    """Of so many questions: the loss that they show, and how many it takes for each of TOLERANCES."""
    wanted = ", ".join(f"{stats.n_needed(points / 100, DISCORDANCE):,} (N = {points:g})" for points in TOLERANCES)
    return f"a loss of {100 * stats.mde(n, DISCORDANCE):.1f} points, where {DISCORDANCE:.0%} of the answers change; it would take {wanted}"


def _text(suite: TextSuite, tokenizer: Path | None, max_model_len: int | None) -> Described:
    if tokenizer is None:
        clusters = len({one.cluster or one.id for one in suite.documents})
        told = "its tokens are counted with --tokenizer DIR"
        return Described(
            name=suite.name, kind="text", items=len(suite.documents), clusters=clusters, fingerprint=suite.fingerprint, decides=told
        )
    asked = encode(suite, tokenizer, max_model_len)
    weights: Counter[str] = Counter()
    for one in asked:
        weights[one.cluster or one.id] += one.scored
    return Described(
        name=suite.name,
        kind="text",
        items=len(asked),
        tokens=sum(len(one.ids) for one in asked),
        scored_tokens=sum(one.scored for one in asked),
        clusters=len(weights),
        fingerprint=suite.fingerprint,
        decides=enough_to_decide(list(weights.values()), len(asked)),
    )


def show_suites(found: Sequence[Known]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for head in ("suite", "kind", "asks"):
        table.add_column(head, no_wrap=head != "asks")
    for one in found:
        table.add_row(one.name, one.kind, one.says)
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)


def show_described(one: Described) -> None:
    counts = {"items": one.items, "tokens": one.tokens, "scored tokens": one.scored_tokens, "clusters": one.clusters}
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count is not None)
    print(f"{one.name} ({one.kind}): {told}; fingerprint {one.fingerprint}")
    if one.groups:
        print("groups: " + ", ".join(f"{name} {count}" for name, count in sorted(one.groups.items())))
    print(f"can decide: {one.decides}")
