"""Which tokens of a text are asked, and which of them are scored: worked out by hand on a tokenizer of words."""

from pathlib import Path

import pytest

from quantgate.suites import Cut, Document, Encoded, TextSuite, encode

BF16 = Path(__file__).parents[2] / "fixtures" / "reference" / "bf16"
"""Its tokenizer has a token a word."""
ADD, IN = 261, 268
TEN = " ".join(["add", "in"] * 5)
IDS = [ADD, IN] * 5


def asked(cut: Cut, *texts: str, max_model_len: int | None = None) -> list[Encoded]:
    documents = [Document(f"d{number}", text, "one") for number, text in enumerate(texts)]
    return encode(TextSuite("s", documents, cut), BF16, max_model_len)


def test_a_whole_document_is_scored_from_its_second_token() -> None:
    (one,) = asked(Cut(), TEN)
    assert one == Encoded("d0", IDS, "one", 1)
    assert one.scored == 9


def test_short_ones_are_left_out_and_the_others_keep_their_names() -> None:
    assert [one.id for one in asked(Cut(least=3), "add in", TEN, "add")] == ["d1"]


def test_long_ones_are_cut_where_the_server_s_context_is_known() -> None:
    assert [len(one.ids) for one in asked(Cut(spare=8), TEN, max_model_len=12)] == [4]
    assert [len(one.ids) for one in asked(Cut(spare=8), TEN)] == [10]


@pytest.mark.parametrize(
    ("window", "stride", "expected"),
    [
        (4, 4, [(0, 4, 1), (4, 8, 1), (8, 10, 1)]),  # side by side: the first of each is predicted by nothing
        (4, 2, [(0, 4, 1), (2, 6, 2), (4, 8, 2), (6, 10, 2)]),
        (6, 3, [(0, 6, 1), (3, 9, 3), (6, 10, 3)]),
        (20, 5, [(0, 10, 1)]),
    ],
)
def test_windows_score_each_token_once(window: int, stride: int, expected: list[tuple[int, int, int]]) -> None:
    found = asked(Cut(window=window, stride=stride), TEN)
    assert [(one.ids, one.first) for one in found] == [(IDS[start:end], first) for start, end, first in expected]
    if stride < window:
        assert sum(one.scored for one in found) == 9
    assert {one.cluster for one in found} == {"one"}
    assert len({one.id for one in found}) == len(found)


def test_a_suite_that_says_nothing_of_tokens_has_the_fingerprint_that_it_had() -> None:
    plain = [("a", "add in"), ("b", "in")]
    documents = [Document(*one) for one in plain]
    from quantgate import fingerprint

    assert TextSuite("s", documents).fingerprint == fingerprint.of(plain)
    others = [
        TextSuite("s", documents, Cut(least=2)).fingerprint,
        TextSuite("s", [one._replace(cluster="c") for one in documents]).fingerprint,
        TextSuite("s", documents, Cut(window=8, stride=4)).fingerprint,
        TextSuite("s", documents, Cut(window=8, stride=8)).fingerprint,
        fingerprint.of(plain),
    ]
    assert len(set(others)) == len(others)
