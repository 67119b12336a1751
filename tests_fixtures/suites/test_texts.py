"""WikiText-2 and UltraChat by the rules of published evaluations, on a few lines of each."""

import json
from pathlib import Path

import pytest

from quantgate.suites import public
from quantgate.suites.texts import FIRST, ultrachat, wikitext2, wikitext2_sliding

LINES = [" = One = ", "", " First of one . ", " = = Part = = ", " Second of one . ", " ", " = Two ( film ) = ", " First of two . "]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / public.WIKITEXT2.local
    file.parent.mkdir()
    file.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return tmp_path


def test_lines_are_stripped_empty_ones_dropped_and_articles_told_apart(data: Path) -> None:
    suite = wikitext2(data)
    assert [(one.text, one.cluster) for one in suite.documents] == [
        ("= One =", "article-01"),
        ("First of one .", "article-01"),
        ("= = Part = =", "article-01"),
        ("Second of one .", "article-01"),
        ("= Two ( film ) =", "article-02"),
        ("First of two .", "article-02"),
    ]
    assert (suite.cut.least, suite.cut.spare, suite.cut.window) == (16, 8, None)


def test_the_first_200_that_are_not_empty(data: Path) -> None:
    (data / public.WIKITEXT2.local).write_text("\n\n".join(f" line {number} " for number in range(300)), encoding="utf-8")
    found = wikitext2(data).documents
    assert (len(found), found[-1].text) == (FIRST, "line 199")


def test_an_article_is_one_document_where_it_is_read_in_windows(data: Path) -> None:
    suite = wikitext2_sliding(data)
    assert [one.text for one in suite.documents] == [
        "= One =\nFirst of one .\n= = Part = =\nSecond of one .",
        "= Two ( film ) =\nFirst of two .",
    ]
    assert (suite.cut.window, suite.cut.stride) == (2048, 1024)


def test_a_conversation_is_a_line_a_message(tmp_path: Path) -> None:
    file = tmp_path / public.ULTRACHAT.local
    file.parent.mkdir()
    said = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
    rows = [{"prompt": "Why?", "prompt_id": str(number), "messages": said} for number in range(210)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    suite = ultrachat(tmp_path)
    assert (len(suite.documents), suite.documents[0].text) == (200, "user: Why?\nassistant: So.")
