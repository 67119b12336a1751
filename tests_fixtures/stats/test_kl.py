"""How far two distributions are apart: exact where all tokens are known, a lower bound elsewhere."""

import math

import pytest

from quantgate.records import DocumentTopK
from quantgate.stats import divergence, kl_lower_bound
from tests_fixtures.doubles.examples import topk


def test_divergence_is_exact_where_all_tokens_are_known_and_a_lower_bound_elsewhere() -> None:
    p, q = {1: 0.5, 2: 0.3, 3: 0.2}, {1: 0.4, 2: 0.4, 3: 0.2}
    exact = 0.5 * math.log(0.5 / 0.4) + 0.3 * math.log(0.3 / 0.4)
    logs = [{token: math.log(share) for token, share in one.items()} for one in (p, q)]
    assert kl_lower_bound(*logs) == pytest.approx((exact, 0.0), abs=1e-9)
    # Token 2 unknown on one side: {1} and the rest, 0.5 ln(0.5/0.4) + 0.5 ln(0.5/0.6).
    del logs[1][2]
    coarse = 0.5 * math.log(0.5 / 0.4) + 0.2 * math.log(1.0) + 0.3 * math.log(0.3 / 0.4)
    assert kl_lower_bound(*logs) == pytest.approx((coarse, 0.3), abs=1e-9)
    del logs[1][3]
    coarser = 0.5 * math.log(0.5 / 0.4) + 0.5 * math.log(0.5 / 0.6)
    assert kl_lower_bound(*logs) == pytest.approx((coarser, 0.5), abs=1e-9)
    assert coarser < exact


def test_divergence_panel_by_hand() -> None:
    before = [topk(0.3, {1: 0.5, 2: 0.3, 3: 0.2}), topk(0.5, {1: 0.5, 2: 0.5}, "d1")]
    after = [topk(0.4, {2: 0.45, 1: 0.35, 3: 0.2}), topk(0.5, {1: 0.5, 2: 0.5}, "d1")]
    got = divergence(before, after)
    assert got is not None
    first = 0.5 * math.log(0.5 / 0.35) + 0.3 * math.log(0.3 / 0.45)
    assert got.kl_nats.mean == pytest.approx(first / 2, abs=1e-9)
    assert (got.documents, got.positions, got.top1_agreement) == (2, 2, 0.5)
    assert got.rms_delta_p == pytest.approx(math.sqrt(0.1**2 / 2))
    assert got.abs_delta_p.p50 == pytest.approx(0.05)
    assert got.tail_mass == pytest.approx(0.0, abs=1e-9)


def test_samples_pair_by_document_and_others_give_no_divergence() -> None:
    one, other = topk(0.3, {1: 0.5, 2: 0.5}), topk(0.3, {1: 0.25, 2: 0.75}, "d1")
    assert divergence([one, other], [other, one]) == divergence([one, other], [one, other])
    assert divergence([one], [other]) is None
    assert divergence([], [one]) is None


def test_the_interval_is_that_of_the_mean_it_stands_beside() -> None:
    def positions(one: DocumentTopK, times: int) -> DocumentTopK:
        return DocumentTopK(id=one.id, own=one.own * times, tokens=one.tokens * times, logprobs=one.logprobs * times)

    same, moved = {1: 0.5, 2: 0.5}, {1: 0.25, 2: 0.75}
    before = [positions(topk(0.5, same), 3), topk(0.5, same, "d1")]
    after = [positions(topk(0.5, moved), 3), topk(0.5, same, "d1")]
    got = divergence(before, after)
    assert got is not None
    assert got.kl_interval is not None
    # Three positions of one document at a, one of another at 0: mean 3a/4. Residuals add up to 3a/4 and -3a/4 by document,
    # se^2 = 2/1 * 2 * (3a/4)^2 / 4^2, so se = 0.375 a; t with one degree of freedom is 12.706.
    a = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert got.kl_nats.mean == pytest.approx(0.75 * a)
    assert got.kl_interval == pytest.approx((0.75 * a - 12.7062 * 0.375 * a, 0.75 * a + 12.7062 * 0.375 * a), rel=1e-5)
