"""Verdicts that a careful engineer would not sign, each seen once: what comes out instead."""

import math
from collections.abc import Callable

import msgspec
import pytest

from quantgate.judgement import sentence, unfit_to_approve
from quantgate.judgement.answers import judge_answers, judge_answers_unpaired, weigh_answers
from quantgate.judgement.comparison import judge_pair
from quantgate.judgement.rule import Others, decide
from quantgate.judgement.speed import judge_decode_tps
from quantgate.judgement.text import judge_text
from quantgate.judgement.weigh import weigh, weigh_beside
from quantgate.judgement.wellformed import malformed
from quantgate.records import Answers, Approval, DeviceHealth, DocumentTopK, Throughput
from quantgate.registry import Tolerance
from tests_fixtures.doubles.examples import MIXED, answers, speed, text_loss, topk, with_provenance
from tests_fixtures.doubles.pairs import changed, pair_of_answers, pair_of_texts
from tests_fixtures.judgement.test_groups import GROUPS, of_groups


def test_a_suite_that_cannot_lose_as_much_as_the_tolerance_clears_nobody() -> None:
    base = answers("+" * 30 + "-" * 970)
    got = judge_answers(answers("-" * 1000, "nvfp4"), base, accuracy_points=4.0)
    assert got.verdict == "inconclusive"
    assert "BF16 itself gets 3.0% right, so all of it could be lost within the tolerance of 4 points" in got.reason
    assert judge_answers(answers("-" * 1000, "nvfp4"), base, accuracy_points=2.0).verdict == "fail"


def test_groups_that_differ_between_the_sides_are_no_pair() -> None:
    base = of_groups(dict.fromkeys(GROUPS, 80))
    now = msgspec.structs.replace(base, items=[msgspec.structs.replace(item, group="all") for item in base.items])
    got = judge_answers(now, base, accuracy_points=4.0)
    assert got.reason.startswith("item 'q0' is in group 'all', in the baseline in 'add'")


def test_answers_that_never_came_on_the_baseline_s_side_may_hide_a_loss() -> None:
    right = "-" * 48 + MIXED * 5 + MIXED[:152]
    base = changed(answers(right), 48 / 1200, finish_reason="length")
    got = judge_answers(answers(right, "nvfp4"), base, accuracy_points=4.0)
    assert got.verdict == "pass"
    assert "48 of the baseline's 1200 answers never came (cut off, or inside their reasoning), 0 here (p = 3.6e-15)" in got.reason


def strangers(one: Answers) -> Answers:
    return msgspec.structs.replace(one, items=[msgspec.structs.replace(item, id=f"x{item.id}") for item in one.items])


def test_unpaired_accuracies_are_looked_at_by_group() -> None:
    now, base = of_groups({"add": 40, "sort": 90, "count": 90}, "nvfp4"), of_groups(dict.fromkeys(("add", "sort", "count"), 80))
    got = judge_answers_unpaired(strangers(now), base, accuracy_points=12.0)
    assert (got.verdict, got.reason.partition(":")[0]) == ("fail", "lost in group add")


def test_unpaired_accuracies_of_another_mix_are_told() -> None:
    base, now = of_groups({"easy": 90, "hard": 60}), of_groups({"easy": 90, "hard": 60}, "nvfp4")
    few = msgspec.structs.replace(now, items=now.items[:110])
    got = judge_answers_unpaired(strangers(few), base, accuracy_points=4.0)
    assert "the groups stand in other proportions on either side (by up to 41 points): look at each by itself" in got.reason


def test_unpaired_accuracies_that_pair_in_part_or_are_of_another_suite_are_told() -> None:
    base, now = answers(MIXED), answers(MIXED, "nvfp4")
    part = msgspec.structs.replace(now, items=[*now.items[:-1], strangers(now).items[-1]])
    assert "199 ids are on both sides" in judge_answers_unpaired(part, base, accuracy_points=4.0).reason
    other = with_provenance(strangers(now), suite_fingerprint="s9")
    assert "the suite is another (s0 and s9)" in judge_answers_unpaired(other, base, accuracy_points=4.0).reason


def test_a_text_that_got_better_by_more_than_the_tolerance_points_at_the_baseline() -> None:
    now, base = pair_of_texts(-0.5)
    assert "better by more than the tolerance, which quantization does not do" in judge_text(now, base, perplexity_ratio=1.05).reason


def test_one_checkpoint_at_two_times_is_compared_both_ways() -> None:
    worse, better = pair_of_answers(40, 0, 400)
    before = msgspec.structs.replace(better, checkpoint="nvfp4", precision="nvfp4", provenance=worse.provenance)
    assert judge_pair(worse, before, Tolerance(accuracy_points=4.0)).verdict == "fail"


def test_another_family_is_told() -> None:
    other = msgspec.structs.replace(answers(MIXED, "nvfp4"), family="qwen3-14b")
    assert "the baseline is of another family, reference" in judge_answers(other, answers(MIXED), accuracy_points=8.0).reason


def troubled(one: Throughput) -> Throughput:
    return msgspec.structs.replace(one, health=DeviceHealth(copy_gb_s=1.0, matmul_tflops=1.0, trouble="another process uses 60 %"))


def test_a_speed_measured_on_a_busy_device_is_no_baseline_and_decides_nothing() -> None:
    busy, free = troubled(speed([50.0, 50.1, 49.9])), speed([55.0, 55.1, 54.9])
    assert unfit_to_approve(busy) == "another process uses 60 %; measure again on a device that is well and free"
    got = judge_decode_tps(free, busy, decode_tps_ratio=0.95)
    assert (got.verdict, got.reason.partition(";")[0]) == ("inconclusive", "its baseline was measured where another process uses 60 %")


@pytest.mark.parametrize("figures", [[100.0, 200.0, 201.0], [0.0, 201.0, 201.0], [-1.0, 200.0, 201.0]], ids=["a change", "zero", "below"])
def test_what_changed_for_good_is_not_what_runs_differ_by(figures: list[float]) -> None:
    reasons = [None, "a faster kernel", None]
    history = [
        Approval(when="2026-01-01", by="Ada", figure=f, vllm="vllm 1", device_name="x", checkpoint_fingerprint="c", reason=reason)
        for f, reason in zip(figures, reasons, strict=True)
    ]
    approved = msgspec.structs.replace(speed([200.0, 201.0, 202.0]), history=history)
    assert judge_decode_tps(speed([140.0, 141.0, 142.0]), approved, decode_tps_ratio=0.95).verdict == "fail"


def test_a_divergence_is_asked_against_bf16_and_not_since_an_approval() -> None:
    """A checkpoint's own baseline holds no likeliest tokens."""
    now = text_loss("nvfp4")
    strict = Tolerance(perplexity_ratio=1.05, kl_nats=0.05)
    assert decide(weigh(now, now, strict, own=True)).verdict == "pass"
    assert decide(weigh(now, text_loss(), strict)).reason.startswith("kl_nats is set, and the two sides do not hold the likeliest tokens")


def test_where_only_proof_fails_a_group_needs_it_too() -> None:
    base, now = of_groups(dict.fromkeys(GROUPS, 80)), of_groups({**dict.fromkeys(GROUPS, 82), "add": 72}, "nvfp4")
    for fail_when, outcome in (("likely", "fail"), ("proven", "pass")):
        found = weigh_answers(now, base, accuracy_points=4.0, group_points=6.0, fail_when=fail_when)  # type: ignore[arg-type]  # a literal
        assert decide(found).verdict == outcome


def test_the_first_token_is_not_judged_on_a_cpu() -> None:
    one = speed([100.0, 101.0])
    assert weigh_beside(one, one, Tolerance(ttft_ratio=1.2)) is None


def test_a_text_that_fell_to_pieces_fails_beside_any_number_of_suites() -> None:
    got = judge_text(*pair_of_texts(7.0), perplexity_ratio=1.05, others=Others(252))
    assert got.verdict == "fail"


BAD_TOPK: dict[str, Callable[[DocumentTopK], list[DocumentTopK]]] = {
    "twice": lambda one: [one, one],
    "empty": lambda one: [msgspec.structs.replace(one, own=[], tokens=[], logprobs=[])],
    "a hole": lambda one: [msgspec.structs.replace(one, tokens=[[]], logprobs=[[]])],
    "unlike": lambda one: [msgspec.structs.replace(one, logprobs=[[-1.0]])],
    "above one": lambda one: [msgspec.structs.replace(one, own=[800.0])],
}


@pytest.mark.parametrize("damage", BAD_TOPK)
def test_likeliest_tokens_that_cannot_be_are_no_record(damage: str) -> None:
    one = msgspec.structs.replace(text_loss(), topk=BAD_TOPK[damage](topk(0.5, {1: 0.5, 2: 0.3})))
    assert (malformed(one) or "").startswith("document 'd0' ")


def test_an_answer_that_holds_none_is_not_right() -> None:
    one = changed(answers("+" * 20), 0.05, parsed=False, strict=False, flexible=False)
    assert malformed(one) == "item 'q0' is marked right, and no answer was found in it: one of the two is not so"


def test_a_loss_that_is_plain_is_not_told_as_one_that_need_not_show() -> None:
    """95 of 5,000 lost at the ceiling: 1.9 points of 2, p = 3e-29."""
    got = judge_answers(answers("-" * 95 + "+" * 4905, "nvfp4"), answers("+" * 5000), accuracy_points=2.0)
    assert got.verdict == "inconclusive"
    assert got.reason.startswith("5000 items do not decide, so near the tolerance lies the drop")


def test_a_drop_that_is_the_tolerance_but_for_rounding_reaches_it() -> None:
    base, now = answers("+" * 41_500 + "-" * 8_500), strangers(answers("+" * 40_500 + "-" * 9_500, "nvfp4"))
    assert judge_answers_unpaired(now, base, accuracy_points=2.0).verdict == "fail"


def test_the_line_is_one_line_whatever_a_name_holds_and_however_large_a_figure() -> None:
    now, base = pair_of_texts(0.0)
    documents = [msgspec.structs.replace(one, nll_sum=one.nll_sum + 9_000 * (place == 3)) for place, one in enumerate(now.documents)]
    line = sentence(
        judge_text(
            msgspec.structs.replace(now, documents=documents, suite="a\nb"),
            msgspec.structs.replace(base, suite="a\nb"),
            perplexity_ratio=1.05,
        )
    )
    assert "\n" not in line
    assert len(line) < 400


@pytest.mark.parametrize("spelt", ["STOP", "EOS", "None", "not_recorded"])
def test_an_ending_is_known_in_any_spelling(spelt: str) -> None:
    now = changed(answers(MIXED, "nvfp4"), 1.0, finish_reason=spelt)
    assert judge_answers(now, answers(MIXED), accuracy_points=8.0).verdict == "pass"


def test_two_words_for_unknown_are_not_a_change() -> None:
    now, base = with_provenance(answers(MIXED, "nvfp4"), suite_fingerprint=""), with_provenance(answers(MIXED), suite_fingerprint="unknown")
    assert judge_answers(now, base, accuracy_points=8.0).verdict == "pass"


def test_one_document_alone_decides_nothing_even_where_nothing_changed() -> None:
    one = text_loss(nll_sums=[20.0])
    assert judge_text(one, one, perplexity_ratio=1.05).verdict == "inconclusive"


@pytest.mark.parametrize("points", [1e-300, 1e-9])
def test_a_number_that_nobody_would_measure_is_not_advised(points: float) -> None:
    got = judge_answers(*pair_of_answers(2, 2, 60), accuracy_points=points)
    assert (got.verdict, got.n_needed) == ("inconclusive", None)
    assert math.isfinite(got.mde or 0.0)
