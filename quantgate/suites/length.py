"""How much a suite asks, as far as that can be told without its data: the same on a host that has them and on one that has not."""

from collections.abc import Sequence
from typing import NamedTuple

from quantgate.registry import DeclaredSuite
from quantgate.suites.code import MAX_TOKENS as CODE_TOKENS
from quantgate.suites.kinds import CodeSuite, HarnessSuite, LoadSuite, QuestionSuite, Suite, TextSuite
from quantgate.suites.known import SUITES
from quantgate.suites.questions import AIME24_TOKENS, GPQA_TOKENS, GSM8K_TOKENS, MATH500_TOKENS, MMLU_PRO_TOKENS

TOKENS_A_CHARACTER = 0.25
"""Of English prose, roughly; of a vocabulary of whole words it is fewer."""
UNKNOWN_ITEMS, UNKNOWN_TOKENS_IN, UNKNOWN_MAX_TOKENS = 500, 200, 1024


class Length(NamedTuple):
    """`items` of `tokens_in` each on average, answered with at most `max_tokens` (0: nothing is generated), `at_once` side by side;
    a load asks them `rounds` times."""

    items: int
    tokens_in: int
    max_tokens: int
    at_once: int = 32
    rounds: int = 1


PUBLIC_LENGTHS = {
    "aime24": Length(30, 120, AIME24_TOKENS),
    "gpqa": Length(198, 250, GPQA_TOKENS),
    "gsm8k": Length(1319, 100, GSM8K_TOKENS),
    "humaneval": Length(164, 200, CODE_TOKENS),
    "math500": Length(500, 110, MATH500_TOKENS),
    "mbpp": Length(257, 150, CODE_TOKENS),
    "mmlu_pro": Length(12032, 250, MMLU_PRO_TOKENS),
    "ultrachat": Length(200, 1200, 0),
    "wikitext2": Length(132, 182, 0),
    "wikitext2-50": Length(50, 120, 0),
    "wikitext2-sliding": Length(70, 4096, 0),
}
"""Suites whose items have to be fetched: counted once, and rounded."""


def length_of(name: str, kind: type[Suite], declared: Sequence[DeclaredSuite] = ()) -> Length:
    """Of the suite of this name and kind; `declared`: models.toml's own suites."""
    one = next((own for own in declared if own.name == name), None)
    if one is not None:
        whole = length_of(one.source, kind) if one.source in SUITES else _unknown(kind)
        repeats = max(1, one.repeats or 1)
        return whole._replace(items=(one.n or whole.items) * repeats, max_tokens=one.max_tokens or whole.max_tokens)
    if name in PUBLIC_LENGTHS:
        return PUBLIC_LENGTHS[name]
    return _counted(SUITES[name][1](None)) if name in SUITES else _unknown(kind)


def _unknown(kind: type[Suite]) -> Length:
    """Of somebody's file, or another harness's task, of which nothing is said."""
    return Length(UNKNOWN_ITEMS, UNKNOWN_TOKENS_IN, 0 if kind is TextSuite else UNKNOWN_MAX_TOKENS)


def _counted(suite: Suite) -> Length:
    if isinstance(suite, LoadSuite):
        tokens_in = suite.prompt_tokens + (0 if suite.image is None else suite.image[0] * suite.image[1] // 784)
        return Length(suite.requests, tokens_in, suite.max_tokens, suite.concurrency, suite.rounds + suite.warm_up_rounds)
    if isinstance(suite, TextSuite):
        return Length(len(suite.documents), _tokens([one.text for one in suite.documents]), 0)
    if isinstance(suite, HarnessSuite):
        return _unknown(HarnessSuite)
    asked = suite.tasks if isinstance(suite, CodeSuite) else suite.questions
    repeats = suite.repeats if isinstance(suite, QuestionSuite) else 1
    return Length(len(asked) * repeats, _tokens([one.prompt for one in asked]), suite.max_tokens)


def _tokens(texts: Sequence[str]) -> int:
    return max(1, round(TOKENS_A_CHARACTER * sum(map(len, texts)) / max(1, len(texts))))
