"""Documents that belong together, few documents that hold most of the tokens, and few that carry most of a loss."""

import msgspec
import pytest

from quantgate.judgement import sentence
from quantgate.judgement.text import carriers, judge_text
from quantgate.records import TextLoss, Verdict
from tests_fixtures.doubles.examples import text_loss
from tests_fixtures.doubles.pairs import pair_of_texts, replace_document


def of_articles(record: TextLoss, paragraphs: int) -> TextLoss:
    """Every so many documents in a row are one article."""
    documents = [msgspec.structs.replace(one, cluster=f"article {place // paragraphs}") for place, one in enumerate(record.documents)]
    return msgspec.structs.replace(record, documents=documents)


def lost_by_article(losses: list[float], paragraphs: int) -> tuple[TextLoss, TextLoss]:
    """Articles of so many paragraphs of 100 tokens each, which lose alike within an article, in nats per token."""
    n = len(losses) * paragraphs
    now = [200 + 100 * losses[place // paragraphs] for place in range(n)]
    return text_loss("nvfp4", now, tokens=100), text_loss("bf16", [200.0] * n, tokens=100)


LOSSES = [0.0, 0.06, 0.01, 0.05, 0.02, 0.04]


def judged(pair: tuple[TextLoss, TextLoss]) -> Verdict:
    return judge_text(*pair, perplexity_ratio=1.05)


def test_paragraphs_of_one_article_are_drawn_together() -> None:
    pair = lost_by_article(LOSSES, 10)
    alone, together = judged(pair), judged((of_articles(pair[0], 10), of_articles(pair[1], 10)))
    articles = judged(lost_by_article(LOSSES, 1))
    assert alone.drop == pytest.approx(together.drop)
    # Sixty paragraphs that are six articles say what six articles say, and not sixty.
    assert together.interval == pytest.approx(articles.interval)
    assert (alone.verdict, together.verdict) == ("pass", "inconclusive")
    assert "n = 60 documents in 6 clusters" in sentence(together)
    assert (together.n, together.clusters) == (60, 6)


def test_an_article_on_one_side_only_is_no_pair() -> None:
    now, base = lost_by_article(LOSSES, 10)
    got = judge_text(of_articles(now, 10), base, perplexity_ratio=1.05)
    assert (got.verdict, got.reason.partition(":")[0]) == ("error", "document 'd0' is in cluster 'article 0', in the baseline in None")


def test_one_document_that_holds_nine_tenths_of_the_tokens_decides_nothing() -> None:
    now, base = pair_of_texts(0.0)
    # 19 documents of 100 tokens and one of 17,100: (19,000)^2 / (17,100^2 + 19*100^2) = 1.23.
    now, base = (replace_document(one, 0, tokens=17_100, nll_sum=171 * one.documents[0].nll_sum) for one in (now, base))
    got = judged((now, base))
    assert got.verdict == "inconclusive"
    assert got.reason == "20 documents weigh as much as 1.2 of one size, and below 4 nothing is decided: measure more"


def test_one_document_that_carries_all_of_the_loss_is_named_in_place_of_a_number() -> None:
    now, base = pair_of_texts(0.0, wobble=0.0)
    got = judged((replace_document(now, 3, nll_sum=now.documents[3].nll_sum + 60), base))
    assert (got.verdict, got.n_needed) == ("inconclusive", None)
    assert got.reason.endswith("do not decide; document 'd3' carries all of the loss: read it")


def test_the_few_that_carry_more_than_half_of_the_loss_are_named_in_a_pass_too() -> None:
    now, base = pair_of_texts(0.001, n=60)  # by turns 0.3 nats more a document and 0.1 less
    for place in (7, 11, 13, 17):
        now = replace_document(now, place, nll_sum=now.documents[place].nll_sum + 5 + 0.1 * place)
    got = judged((now, base))
    assert got.verdict == "pass"
    assert "3 of 60 documents carry 56% of the loss ('d17', 'd13', 'd11'): read them" in got.reason


def test_a_loss_that_all_share_names_nobody() -> None:
    assert carriers({f"d{place}": 1.0 + 0.01 * place for place in range(50)}, "document").said is None
    # Five of fifty carry half where each loses nine times what the others do: 45 of 90 is not more than half.
    assert carriers({f"d{place}": 9.0 if place < 5 else 1.0 for place in range(50)}, "document").said is None
    found = carriers({f"d{place}": 9.1 if place < 5 else 1.0 for place in range(50)}, "document")
    assert (found.few, found.said) == (5, "5 of 50 documents carry 50% of the loss ('d0', 'd1', 'd2', 'd3', 'd4'): read them")
