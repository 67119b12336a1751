"""Every branch of the rule, each with data small enough to work out by hand."""

import math
from collections.abc import Callable

import msgspec
import pytest

from fixtures import comparable, stats, verdict
from fixtures.errors import ConfigurationError
from fixtures.records import (
    Answer,
    Answers,
    Discordant,
    DocumentLoss,
    TextLoss,
    Verdict,
    encode,
)
from fixtures.rule import Others, error
from fixtures.wording import TEXT_UNIT, sentence
from tests_fixtures.examples import PROVENANCE, with_provenance


def answers(right: str, checkpoint: str = "nvfp4") -> Answers:
    """One item per letter, "+" for right; ids q0, q1, …"""
    items = [
        Answer(
            id=f"q{number}",
            group="add",
            correct=letter == "+",
            answer="4",
            extracted="4",
            strict=True,
            flexible=True,
            parsed=True,
            open_think=False,
            finish_reason="stop",
            completion_tokens=3,
        )
        for number, letter in enumerate(right)
    ]
    accuracy = right.count("+") / max(1, len(right))
    return Answers(
        family="reference",
        checkpoint=checkpoint,
        precision="nvfp4",
        suite="reference-questions",
        provenance=PROVENANCE,
        items=items,
        accuracy=accuracy,
        by_group={"add": accuracy},
    )


def pair_of_answers(regressed: int, improved: int, n: int) -> tuple[Answers, Answers]:
    """A measurement and its baseline with so many discordant items; four of five others are right under both."""
    both = ("++++-" * n)[: n - regressed - improved]
    return answers("-" * regressed + "+" * improved + both), answers("+" * regressed + "-" * improved + both, "bf16")


def text(losses: list[float], tokens: int = 100, checkpoint: str = "nvfp4") -> TextLoss:
    """One document per entry, which is its NLL per token; ids d0, d1, …"""
    documents = [
        DocumentLoss(id=f"d{number}", tokens=tokens, nll_sum=loss * tokens, top1_nll_sum=0.3 * tokens) for number, loss in enumerate(losses)
    ]
    nll = sum(losses) / max(1, len(losses))
    return TextLoss(
        family="reference",
        checkpoint=checkpoint,
        precision="nvfp4",
        suite="reference-text",
        provenance=PROVENANCE,
        documents=documents,
        nll_per_token=nll,
        perplexity=math.exp(nll),
        top1_perplexity=math.exp(0.3),
    )


def pair_of_texts(loss: float, wobble: float = 0.002, n: int = 20) -> tuple[TextLoss, TextLoss]:
    """Documents that lose `loss` nats per token, half of them `wobble` more and half of them less."""
    before = [2.0 + 0.1 * (number % 5) for number in range(n)]
    after = [nll + loss + wobble * (-1) ** number for number, nll in enumerate(before)]
    return text(after), text(before, checkpoint="bf16")


def judged(pair: tuple[Answers, Answers], points: float = 4.0, suites: int = 1) -> Verdict:
    return verdict.judge_answers(*pair, accuracy_points=points, others=Others(suites))


def test_equal_answers_pass_with_an_interval_of_some_width() -> None:
    got = judged(pair_of_answers(0, 0, 200))
    # (200*d - 1/4)^2 = z^2*200*d*(1 - d): 40768.29*d^2 - 868.2918*d + 0.0625 = 0, so d = 0.0212261.
    limit = 2.12261
    assert (got.verdict, got.drop, got.p_value, got.reason) == ("pass", 0.0, 1.0, "within tolerance")
    assert got.interval == pytest.approx((-limit, limit), rel=1e-5)
    # No discordance was seen, so the default of 5 % carries the power.
    assert got.mde == pytest.approx(280 * math.sqrt(0.05 / 200), rel=1e-3)


def test_a_real_loss_within_tolerance_passes_and_says_so() -> None:
    got = judged(pair_of_answers(38, 18, 1200))
    assert (got.verdict, got.reason) == ("pass", "a real loss, within tolerance")
    assert got.interval is not None
    assert got.interval[0] > 0
    assert got.n_needed is None


def test_a_proven_loss_at_or_above_the_tolerance_fails() -> None:
    got = judged(pair_of_answers(30, 5, 400))
    assert (got.verdict, got.drop, got.n, got.discordant) == ("fail", 6.25, 400, Discordant(regressed=30, improved=5))
    assert got.p_value == stats.mcnemar_p(30, 5)


def test_a_drop_exactly_at_the_tolerance_can_fail() -> None:
    # 16 of 400 are 4.0 points, and 16 heads in a row are no chance.
    assert judged(pair_of_answers(16, 0, 400), points=4.0).verdict == "fail"


def test_an_upper_end_exactly_at_the_tolerance_is_no_pass() -> None:
    pair = pair_of_answers(5, 3, 300)
    interval = judged(pair).interval
    assert interval is not None
    assert judged(pair, points=interval[1]).verdict == "inconclusive"
    assert judged(pair, points=math.nextafter(interval[1], math.inf)).verdict == "pass"


def test_too_few_items_are_inconclusive_and_name_the_number_that_would_do() -> None:
    # Discordance 4 of 60: d*(2.80/0.04)^2 = 326.7 (327.04 with 2.8016).
    got = judged(pair_of_answers(2, 2, 60))
    assert (got.verdict, got.n_needed) == ("inconclusive", 327)
    assert got.reason == "60 items do not decide, about 327 would"


def test_without_discordance_the_number_needed_takes_the_default() -> None:
    assert judged(pair_of_answers(0, 0, 50)).n_needed == 245
    got = verdict.judge_answers(*pair_of_answers(0, 0, 50), accuracy_points=4.0, others=Others(1), discordance=0.10)
    assert got.n_needed == 491


def test_a_drop_near_the_tolerance_does_not_ask_for_items_that_are_there() -> None:
    got = judged(pair_of_answers(52, 12, 1200))
    assert (got.verdict, got.n_needed) == ("inconclusive", 262)
    assert got.reason == "1200 items do not decide, so near the tolerance lies the drop (262 would clear a checkpoint without loss)"


def test_many_suites_turn_a_fail_into_inconclusive() -> None:
    # 10 against 1: p = 12/2048 = 0.00586, times 4 = 0.0234, times 5 = 0.0293.
    pair = pair_of_answers(10, 1, 150)
    four, five = judged(pair, suites=4), judged(pair, suites=5)
    assert four.verdict == "fail"
    assert four.p_value == pytest.approx(48 / 2048, rel=1e-9)
    assert "Holm's correction over 4 suites" in four.reason
    assert five.verdict == "inconclusive"
    assert five.p_value == pytest.approx(60 / 2048, rel=1e-9)
    assert "chance could explain the drop (p = 0.029" in five.reason


def test_suites_judged_before_share_holm_s_correction() -> None:
    # p = 0.00586 here; beside 0.001 of another suite Holm multiplies it by 4, as one of the five is already rejected.
    pair = pair_of_answers(10, 1, 150)
    got = verdict.judge_answers(*pair, accuracy_points=4.0, others=Others(5, [0.001]))
    assert got.verdict == "fail"
    assert got.p_value == pytest.approx(48 / 2048, rel=1e-9)
    assert got.p_value_alone == pytest.approx(12 / 2048, rel=1e-9)
    # McNemar's mid-p takes half of what is exactly as far: (1 + 11/2)/2048.
    assert got.p_value_mid == pytest.approx(6.5 / 2048, rel=1e-9)


def test_more_suites_judged_than_there_are_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="suites = 2 and 2 others judged"):
        verdict.judge_answers(*pair_of_answers(3, 1, 150), accuracy_points=4.0, others=Others(2, [0.1, 0.2]))


def test_an_adjusted_p_stops_at_one() -> None:
    assert judged(pair_of_answers(3, 3, 300), suites=7).p_value == 1.0


def test_answers_mirror_when_the_checkpoints_change_places() -> None:
    measured, baseline = pair_of_answers(9, 4, 300)
    forth, back = judged((measured, baseline)), judged((baseline, measured))
    assert forth.interval is not None
    assert (forth.drop, back.drop) == pytest.approx((5 / 3, -5 / 3), rel=1e-12)
    assert back.interval == (-forth.interval[1], -forth.interval[0])
    assert back.discordant == Discordant(regressed=4, improved=9)


def test_answers_pair_by_id_and_not_by_place() -> None:
    measured, baseline = pair_of_answers(9, 4, 300)
    turned = msgspec.structs.replace(measured, items=measured.items[::-1])
    assert judged((turned, baseline)) == judged((measured, baseline))


def test_a_missing_item_is_an_error_that_names_it() -> None:
    measured, baseline = pair_of_answers(0, 0, 300)
    got = judged((msgspec.structs.replace(measured, items=[item for item in measured.items if item.id != "q7"]), baseline))
    assert (got.verdict, got.drop, got.tolerance) == ("error", None, 4.0)
    assert got.reason.startswith("item 'q7' is missing from the measurement (299 items measured, 300 in the baseline)")


def test_an_additional_item_is_an_error_that_names_it() -> None:
    got = judged((answers("+" * 301), answers("+" * 300)))
    assert got.verdict == "error"
    assert got.reason.startswith("item 'q300' is not in the baseline")


@pytest.mark.parametrize("side", ["measurement", "baseline"])
def test_an_item_that_stands_twice_is_an_error(side: str) -> None:
    once = answers("+" * 300)
    twice = msgspec.structs.replace(once, items=[*once.items, once.items[3]])
    got = judged((twice, once) if side == "measurement" else (once, twice))
    assert (got.verdict, got.reason) == ("error", f"item 'q3' stands 2 times in the {side}: measure again")


def test_no_items_at_all_are_an_error() -> None:
    assert judged((answers(""), answers(""))).reason == "the measurement has no items: measure again"


@pytest.mark.parametrize("name", ["suite", "tokenizer", "chat_template"])
def test_a_changed_fingerprint_is_an_error_with_the_old_and_the_new(name: str) -> None:
    measured, baseline = pair_of_answers(0, 0, 300)
    got = judged((with_provenance(measured, **{f"{name}_fingerprint": "new"}), with_provenance(baseline, **{f"{name}_fingerprint": "old"})))
    assert got.verdict == "error"
    assert got.reason.startswith(f"the {name.replace('_', ' ')} fingerprint changed from 'old' to 'new'".replace("chat_", "chat "))


def test_changed_sampling_is_an_error_that_names_the_setting() -> None:
    measured, baseline = pair_of_answers(0, 0, 300)
    warmer = with_provenance(measured, sampling={**PROVENANCE.sampling, "temperature": 0.7})
    assert judged((warmer, baseline)).reason.startswith("the sampling's temperature changed from 0 to 0.7")
    richer = with_provenance(measured, sampling={**PROVENANCE.sampling, "top_p": 0.9})
    assert judged((richer, baseline)).reason.startswith("the sampling's top_p changed from None to 0.9")


def test_another_suite_is_an_error() -> None:
    measured, baseline = pair_of_answers(0, 0, 300)
    assert judged((measured, msgspec.structs.replace(baseline, suite="mmlu"))).reason.startswith("the suite changed from 'mmlu'")


def test_a_new_engine_is_no_error() -> None:
    measured, baseline = pair_of_answers(0, 0, 300)
    assert judged((with_provenance(measured, vllm="2", torch="3", checkpoint_fingerprint="c1"), baseline)).verdict == "pass"


def test_a_baseline_of_another_device_class_is_used_and_named() -> None:
    measured, baseline = pair_of_answers(0, 0, 300)
    got = judged((measured, with_provenance(baseline, device_class="H200 TP1")))
    assert (got.verdict, got.reason) == ("pass", "within tolerance; on 'cpu', against a baseline of device class 'H200 TP1'")


@pytest.mark.parametrize("points", [0.0, -1.0, math.nan, math.inf])
def test_a_tolerance_for_answers_must_be_above_zero(points: float) -> None:
    with pytest.raises(ConfigurationError, match=r"accuracy_points = .* must lie above 0"):
        judged(pair_of_answers(0, 0, 10), points=points)


def test_a_suite_is_always_one_of_the_suites() -> None:
    with pytest.raises(ValueError, match="suites = 0"):
        judged(pair_of_answers(0, 0, 10), suites=0)


def test_equal_texts_pass_with_a_drop_of_nothing() -> None:
    measured, _ = pair_of_texts(0.0)
    got = verdict.judge_text(measured, measured, perplexity_ratio=1.05, others=Others(3))
    assert (got.verdict, got.drop, got.interval, got.p_value, got.n) == ("pass", 0.0, (0.0, 0.0), 1.0, 20)
    assert got.tolerance == pytest.approx(0.0487902, abs=1e-7)


def test_a_text_loss_below_the_tolerance_passes_as_real() -> None:
    got = verdict.judge_text(*pair_of_texts(0.02), perplexity_ratio=1.05, others=Others(1))
    assert (got.verdict, got.reason, got.unit) == ("pass", "a real loss, within tolerance", "ln(PPL ratio)")
    assert got.drop == pytest.approx(0.02, abs=1e-12)


def test_a_text_loss_above_the_tolerance_fails() -> None:
    got = verdict.judge_text(*pair_of_texts(0.08), perplexity_ratio=1.05, others=Others(3))
    assert got.verdict == "fail"
    assert got.p_value == pytest.approx(3 / 10_001, rel=1e-9)


def test_a_noisy_text_loss_is_inconclusive_with_quadratic_need() -> None:
    got = verdict.judge_text(*pair_of_texts(0.02, wobble=0.2), perplexity_ratio=1.05, others=Others(1))
    assert got.verdict == "inconclusive"
    assert got.interval is not None
    standard_error = (got.interval[1] - got.interval[0]) / 2 / 1.959964
    assert got.mde == pytest.approx(2.80 * standard_error, rel=1e-3)
    assert got.n_needed == pytest.approx(20 * (2.80 * standard_error / math.log(1.05)) ** 2, rel=3e-3)


def test_texts_mirror_when_the_checkpoints_change_places() -> None:
    measured, baseline = pair_of_texts(0.03, wobble=0.01)
    forth = verdict.judge_text(measured, baseline, perplexity_ratio=1.05, others=Others(1))
    back = verdict.judge_text(baseline, measured, perplexity_ratio=1.05, others=Others(1))
    assert forth.interval is not None
    assert back.drop == pytest.approx(-0.03, abs=1e-12)
    assert back.interval == pytest.approx((-forth.interval[1], -forth.interval[0]), abs=1e-12)


def test_two_documents_are_too_few_to_decide() -> None:
    got = verdict.judge_text(*pair_of_texts(0.0, n=2), perplexity_ratio=1.05, others=Others(1))
    assert (got.verdict, got.interval, got.mde) == ("inconclusive", None, None)
    assert got.reason == "2 documents are too few to show a spread: measure more"
    assert "n = 2 documents" in sentence(got)


def replace_document(record: TextLoss, place: int, **changes: object) -> TextLoss:
    documents = list(record.documents)
    documents[place] = msgspec.structs.replace(documents[place], **changes)
    return msgspec.structs.replace(record, documents=documents)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_a_number_that_is_none_is_an_error_that_names_the_document(number: float, side: int) -> None:
    pair = list(pair_of_texts(0.0))
    pair[side] = replace_document(pair[side], 4, nll_sum=number)
    got = verdict.judge_text(*pair, perplexity_ratio=1.05, others=Others(1))
    assert got.verdict == "error"
    assert got.reason.startswith(f"documents['d4'].nll_sum is {number} in the {('measurement', 'baseline')[side]}")


def test_a_perplexity_that_is_no_number_is_an_error() -> None:
    measured, baseline = pair_of_texts(0.0)
    got = verdict.judge_text(msgspec.structs.replace(measured, perplexity=math.nan), baseline, perplexity_ratio=1.05, others=Others(1))
    assert got.reason.startswith("perplexity is nan in the measurement")


def test_a_drop_that_is_no_number_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    # Finite inputs can still leave the range of a float when they are summed.
    monkeypatch.setattr(verdict, "bootstrap_log_ratio", lambda *_: stats.Estimate(math.nan, (math.nan, math.nan), math.nan, 20))
    got = verdict.judge_text(*pair_of_texts(0.0), perplexity_ratio=1.05, others=Others(1))
    assert got.verdict == "error"
    assert got.reason.startswith("the drop is nan")


def test_another_number_of_tokens_is_an_error_with_both_numbers() -> None:
    measured, baseline = pair_of_texts(0.0)
    got = verdict.judge_text(replace_document(measured, 2, tokens=99), baseline, perplexity_ratio=1.05, others=Others(1))
    assert got.reason == "document 'd2' has 99 scored tokens, 100 in the baseline: encode both alike"


def test_a_document_without_tokens_is_an_error() -> None:
    measured, baseline = (replace_document(record, 2, tokens=0) for record in pair_of_texts(0.0))
    assert "'d2' has 0 scored tokens" in verdict.judge_text(measured, baseline, perplexity_ratio=1.05, others=Others(1)).reason


def test_a_perplexity_equal_to_the_top_1_perplexity_is_a_bug_in_the_harness() -> None:
    measured, baseline = pair_of_texts(0.0)
    bug = msgspec.structs.replace(measured, top1_perplexity=measured.perplexity)
    for pair, side in (((bug, baseline), "measurement"), ((measured, bug), "baseline")):
        got = verdict.judge_text(*pair, perplexity_ratio=1.05, others=Others(1))
        assert got.verdict == "error"
        assert got.reason.startswith(f"the {side}'s perplexity and top-1 perplexity are both")
        assert "either the harness read the likeliest token instead of the one that stands there, or the model gives every" in got.reason


@pytest.mark.parametrize("ratio", [1.0, 0.9, 0.0, -1.0, math.nan, math.inf])
def test_a_perplexity_ratio_must_be_above_one(ratio: float) -> None:
    with pytest.raises(ConfigurationError, match=r"perplexity_ratio = .* must lie above 1"):
        verdict.judge_text(*pair_of_texts(0.0), perplexity_ratio=ratio, others=Others(1))


def test_what_changed_since_the_approval_is_listed_and_a_core_is_no_change() -> None:
    before = with_provenance(text([2.0]), device_name="CPU X core 0", vllm="vllm 1", kernels=["A"])
    now = with_provenance(text([2.0]), device_name="CPU X core 1", vllm="vllm 2", kernels=["B"], checkpoint_fingerprint="c1")
    assert comparable.since_approval(now, before) == [
        "the weights changed",
        "vllm went from vllm 1 to vllm 2",
        "kernels went from A to B",
    ]
    assert comparable.since_approval(with_provenance(before, device_name="CPU X"), before) == []


def test_the_sentence_on_answers() -> None:
    # (38 - 18)/1200 = 1.67 points.
    assert sentence(judged(pair_of_answers(38, 18, 1200))) == (
        "pass: reference/nvfp4 reference-questions: 1.67 points worse [0.44, 2.99], tolerance 4.00, "
        "n = 1200 (38 regressed, 18 improved); a real loss, within tolerance"
    )


def test_the_sentence_on_better_answers_turns_the_interval_to_the_word() -> None:
    line = sentence(judged(pair_of_answers(18, 38, 1200)))
    assert "1.67 points better [0.44, 2.99], tolerance 4.00" in line


def test_the_sentence_on_a_fail_names_suite_drop_and_tolerance() -> None:
    line = sentence(judged(pair_of_answers(30, 5, 400), suites=3))
    assert line.startswith("fail: reference/nvfp4 reference-questions: 6.25 points worse [")
    assert "tolerance 4.00, n = 400 (30 regressed, 5 improved); the drop reaches the tolerance" in line


def test_the_sentence_on_text_speaks_of_perplexity_in_per_cent() -> None:
    # exp(0.02) = 1.0202, ln 1.05 is 5 %.
    line = sentence(verdict.judge_text(*pair_of_texts(0.02), perplexity_ratio=1.05, others=Others(1)))
    assert line.startswith("pass: reference/nvfp4 reference-text: perplexity +2.02 % [+1.9")
    assert line.endswith("tolerance +5.00 %, n = 20 documents; a real loss, within tolerance")


def test_the_sentence_survives_a_loss_beyond_all_measure() -> None:
    measured, baseline = pair_of_texts(600.0, wobble=500.0)
    assert sentence(verdict.judge_text(measured, baseline, perplexity_ratio=1.05, others=Others(1))).startswith("fail: ")


def test_the_sentence_on_what_was_not_measured_is_its_reason() -> None:
    got = error(text([2.0]), TEXT_UNIT, "the server died")
    assert got.verdict == "error"
    assert sentence(got) == "error: reference/nvfp4 reference-text: the server died"


@pytest.mark.parametrize(
    "judge",
    [
        lambda: judged(pair_of_answers(2, 2, 60)),
        lambda: judged((answers(""), answers(""))),
        lambda: verdict.judge_text(*pair_of_texts(0.0, n=1), perplexity_ratio=1.05, others=Others(1)),
    ],
)
def test_every_verdict_can_be_written(judge: Callable[[], Verdict]) -> None:
    got = judge()
    assert msgspec.json.decode(encode(got), type=Verdict) == got
