"""Losses on text judged by perplexity, a second run as the floor, and how far distributions moved."""

import math

import msgspec
import pytest

from quantgate import stats
from quantgate.errors import ConfigurationError
from quantgate.judgement import text as text_rule
from quantgate.judgement.rule import Others
from quantgate.judgement.text import judge_text
from quantgate.judgement.text import noise_of as noise_of_text
from quantgate.judgement.wording import noise_in_words, sentence
from quantgate.records import Noise
from tests_fixtures.doubles.examples import text_loss, topk
from tests_fixtures.doubles.pairs import pair_of_texts


def test_equal_texts_pass_with_a_drop_of_nothing() -> None:
    measured, _ = pair_of_texts(0.0)
    got = judge_text(measured, measured, perplexity_ratio=1.05, others=Others(3))
    assert (got.verdict, got.drop, got.interval, got.p_value, got.n) == ("pass", 0.0, (0.0, 0.0), 1.0, 20)
    assert got.tolerance == pytest.approx(0.0487902, abs=1e-7)


def test_a_text_loss_below_the_tolerance_passes_as_real() -> None:
    got = judge_text(*pair_of_texts(0.02), perplexity_ratio=1.05, others=Others(1))
    assert (got.verdict, got.reason, got.unit) == ("pass", "a real loss, within tolerance", "ln(PPL ratio)")
    assert got.drop == pytest.approx(0.02, abs=1e-12)


@pytest.mark.parametrize("share", [None, 0.8, 0.81])
def test_a_client_at_its_limit_is_noted_and_voids_nothing(share: float | None) -> None:
    now, base = pair_of_texts(0.02)
    got = judge_text(msgspec.structs.replace(now, client_cpu_share=share), base, perplexity_ratio=1.05, others=Others(1))
    assert got.verdict == "pass"
    said = "; the client used 81% of a core while it asked: the figures hold, and the server could have gone faster"
    assert got.reason == "a real loss, within tolerance" + (said if share == 0.81 else "")


def test_a_text_loss_above_the_tolerance_fails() -> None:
    got = judge_text(*pair_of_texts(0.08), perplexity_ratio=1.05, others=Others(3))
    assert got.verdict == "fail"
    # No replicate is as far, and Student's tail says how far that is: t = 0.08/0.00046 with 19 degrees of freedom, three times.
    assert got.p_value is not None
    assert got.p_value < 1e-20


def test_a_noisy_text_loss_is_inconclusive_with_quadratic_need() -> None:
    got = judge_text(*pair_of_texts(0.02, wobble=0.2), perplexity_ratio=1.05, others=Others(1))
    assert got.verdict == "inconclusive"
    assert got.interval is not None
    standard_error = (got.interval[1] - got.interval[0]) / 2 / 1.959964
    assert got.mde == pytest.approx(2.80 * standard_error, rel=1e-3)
    assert got.n_needed == pytest.approx(20 * (2.80 * standard_error / math.log(1.05)) ** 2, rel=3e-3)


def test_texts_mirror_when_the_checkpoints_change_places() -> None:
    measured, baseline = pair_of_texts(0.03, wobble=0.01)
    forth = judge_text(measured, baseline, perplexity_ratio=1.05, others=Others(1))
    back = judge_text(baseline, measured, perplexity_ratio=1.05, others=Others(1))
    assert forth.interval is not None
    assert back.drop == pytest.approx(-0.03, abs=1e-12)
    assert back.interval == pytest.approx((-forth.interval[1], -forth.interval[0]), abs=1e-12)


def test_two_documents_are_too_few_to_decide() -> None:
    got = judge_text(*pair_of_texts(0.0, n=2), perplexity_ratio=1.05, others=Others(1))
    assert (got.verdict, got.interval, got.mde) == ("inconclusive", None, None)
    assert got.reason == "2 documents weigh as much as 2.0 of one size, and below 4 nothing is decided: measure more"
    assert "n = 2 documents" in sentence(got)


def test_a_drop_that_is_no_number_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    # Finite inputs can still leave the range of a float when they are summed.
    monkeypatch.setattr(text_rule, "bootstrap_log_ratio", lambda *_: stats.Estimate(math.nan, (math.nan, math.nan), math.nan, 20))
    got = judge_text(*pair_of_texts(0.0), perplexity_ratio=1.05, others=Others(1))
    assert got.verdict == "error"
    assert got.reason.startswith("the drop is nan")


@pytest.mark.parametrize("ratio", [1.0, 0.9, 0.0, -1.0, math.nan, math.inf])
def test_a_perplexity_ratio_must_be_above_one(ratio: float) -> None:
    with pytest.raises(ConfigurationError, match=r"perplexity_ratio = .* must lie above 1"):
        judge_text(*pair_of_texts(0.0), perplexity_ratio=ratio, others=Others(1))


def test_a_second_run_of_texts_is_the_largest_change_of_a_document() -> None:
    text = text_loss(nll_sums=[20.0, 30.0])
    again = [msgspec.structs.replace(text.documents[1], nll_sum=30.5)]
    noise = noise_of_text(msgspec.structs.replace(text, again=again))
    assert noise == Noise(n=1, max_nll_per_token=0.05)
    assert noise_in_words(noise, "bf16") == "bf16 measured twice moves a document by up to 0.05 nats/token"


@pytest.mark.parametrize(("kl_nats", "wanted"), [(None, "pass"), (0.9, "pass"), (0.01, "fail"), (0.05, "inconclusive")])
def test_a_divergence_gates_only_where_models_toml_asks(kl_nats: float | None, wanted: str) -> None:
    before = [topk(0.5, {1: 0.5, 2: 0.3, 3: 0.2}, f"d{place}") for place in range(3)]
    # 0.0264, 0.0264 and 0.0893 nats: mean 0.047 [-0.043, 0.138]; with all three alike the interval is the point.
    near, far = {1: 0.4, 2: 0.4, 3: 0.2}, {1: 0.3, 2: 0.4, 3: 0.3}
    spread = [near, near, far] if wanted == "inconclusive" else [far] * 3
    after = [topk(0.5, one, f"d{place}") for place, one in enumerate(spread)]
    base, now = (msgspec.structs.replace(text_loss("nvfp4"), topk=sample) for sample in (before, after))
    assert judge_text(now, base, perplexity_ratio=1.05, kl_nats=kl_nats).verdict == wanted


def test_a_divergence_that_is_surely_there_and_not_surely_too_large_decides_nothing() -> None:
    # Three documents at 0.0253 nats, three at 0.0880: mean 0.0567, standard error 0.0140, t(5) 2.571. A KL is never below 0.
    before = [topk(0.5, {1: 0.5, 2: 0.3, 3: 0.2}, f"d{place}") for place in range(6)]
    near, far = {1: 0.4, 2: 0.4, 3: 0.2}, {1: 0.3, 2: 0.4, 3: 0.3}
    after = [topk(0.5, one, f"d{place}") for place, one in enumerate([near, far] * 3)]
    base, now = (msgspec.structs.replace(text_loss("nvfp4"), topk=sample) for sample in (before, after))
    got = judge_text(now, base, perplexity_ratio=1.05, kl_nats=0.05)
    assert got.verdict == "inconclusive"
    assert "KL >= 0.057 nats [0.021, 0.093], at most 0.05 wanted" in got.reason


def test_an_alarm_is_raised_where_the_distribution_moved_more_than_the_loss() -> None:
    before = [topk(0.5, {1: 0.5, 2: 0.3, 3: 0.2})]
    after = [topk(0.5, {1: 0.3, 2: 0.4, 3: 0.3})]
    base, now = (msgspec.structs.replace(text_loss("nvfp4"), topk=sample) for sample in (before, after))
    got = judge_text(now, base, perplexity_ratio=1.05)
    assert got.verdict == "pass"
    assert "look closer: the distributions moved by 0.088 nats (KL) or more" in got.reason
