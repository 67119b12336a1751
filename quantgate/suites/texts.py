"""Public texts: WikiText-2 and UltraChat by the rules that published figures were made by."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from quantgate.suites.kinds import Cut, Document, TextSuite
from quantgate.suites.public import ULTRACHAT, WIKITEXT2, rows

FIRST, LEAST_TOKENS, SPARE_TOKENS = 200, 16, 8
"""Texts, tokens of a text, and tokens of the context that stay free, in the evaluation that this comes from."""
WINDOW, STRIDE = 2048, 1024
ARTICLE = re.compile(r"= [^=].*[^=] =|= [^=] =")
"""A heading of the first level."""


def wikitext2_50(data: Path | None) -> TextSuite:
    """The first 50 paragraphs of WikiText-2 raw, test split, of at least 64 and at most 900 characters."""
    lines = (str(row["text"]).strip() for row in rows(WIKITEXT2, data, "wikitext2-50"))
    kept = [line for line in lines if not line.startswith("=") and 64 <= len(line) <= 900]
    return TextSuite("wikitext2-50", [Document(f"paragraph-{number:02}", line) for number, line in enumerate(kept[:50])])


def wikitext2(data: Path | None) -> TextSuite:
    """The first 200 non-empty lines of WikiText-2 raw, test split, stripped; those of fewer than 16 tokens are left out, longer ones cut at
    max_model_len − 8. An article is a cluster.

    With Qwen3's tokenizer these are 132 texts of 24,054 tokens, of which 23,922 are scored.
    """
    documents = [Document(f"line-{number:03}", line, article) for number, (line, article) in enumerate(_lines(data, "wikitext2"))]
    return TextSuite("wikitext2", documents[:FIRST], Cut(least=LEAST_TOKENS, spare=SPARE_TOKENS))


def wikitext2_sliding(data: Path | None) -> TextSuite:
    """All of WikiText-2 raw's test split, an article a document (lines joined by newlines), in windows of 2,048 tokens, stride 1,024."""
    articles: dict[str, list[str]] = {}
    for line, article in _lines(data, "wikitext2-sliding"):
        articles.setdefault(article, []).append(line)
    documents = [Document(name, "\n".join(lines), name) for name, lines in articles.items()]
    return TextSuite("wikitext2-sliding", documents, Cut(least=LEAST_TOKENS, window=WINDOW, stride=STRIDE))


def ultrachat(data: Path | None) -> TextSuite:
    """The first 200 conversations of UltraChat-200k's test_sft, a line `role: content` a message; a conversation is a document."""
    conversations = rows(ULTRACHAT, data, "ultrachat")[:FIRST]
    documents = [Document(f"chat-{number:03}", _said(one["messages"])) for number, one in enumerate(conversations)]
    return TextSuite("ultrachat", documents, Cut(least=LEAST_TOKENS, spare=SPARE_TOKENS))


def _said(messages: Sequence[dict[str, Any]]) -> str:
    return "\n".join(f"{one['role']}: {one['content']}" for one in messages)


def _lines(data: Path | None, suite: str) -> Iterator[tuple[str, str]]:
    """Every line that is not empty, stripped, with the article that it stands in."""
    article, number = "article-00", 0
    for row in rows(WIKITEXT2, data, suite):
        if not (line := str(row["text"]).strip()):
            continue
        if ARTICLE.fullmatch(line):
            number += 1
            article = f"article-{number:02}"
        yield line, article
