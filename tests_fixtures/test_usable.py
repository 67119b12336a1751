"""Suites that cannot discriminate, a second run as the floor, graded answers, and how far distributions moved."""

import math

import msgspec
import pytest

from fixtures import usable, verdict
from fixtures.divergence import divergence, kl_lower_bound
from fixtures.noise import in_words, noise_of
from fixtures.records import Answers, DocumentTopK, Noise
from tests_fixtures.examples import answers, text_loss

MIXED = "++++-" * 40


def changed(measured: Answers, share: float, **fields: object) -> Answers:
    """The first `share` of the items with these fields."""
    last = round(share * len(measured.items))
    items = [msgspec.structs.replace(item, **fields) if place < last else item for place, item in enumerate(measured.items)]
    return msgspec.structs.replace(measured, items=items)


def judged(measured: Answers, baseline: Answers) -> tuple[str, str]:
    got = verdict.judge_answers(measured, baseline, accuracy_points=8.0)
    return got.verdict, got.reason


def test_answers_cut_off_by_length_are_no_measurement() -> None:
    sound = answers(MIXED)
    assert judged(changed(sound, 0.05, finish_reason="length"), sound)[0] == "pass"
    cut = changed(sound, 0.06, finish_reason="length")
    said = "6% of the measurement's answers were cut off by length: raise the suite's max_tokens, 1 now"
    assert judged(cut, sound) == ("error", said)
    assert judged(sound, cut) == ("error", said.replace("measurement", "baseline"))
    assert verdict.unfit_to_approve(cut) == said
    assert verdict.unfit_to_approve(sound) is None


def test_answers_that_cannot_be_read_are_no_measurement() -> None:
    sound = answers(MIXED)
    outcome, reason = judged(changed(sound, 0.06, parsed=False), sound)
    assert (outcome, reason.partition(":")[0]) == ("error", "6% of the measurement's answers hold no answer that can be read")


def test_one_answer_that_ends_inside_an_open_think_is_one_too_many() -> None:
    sound = answers(MIXED)
    outcome, reason = judged(changed(sound, 0.005, open_think=True), sound)
    assert outcome == "error"
    assert reason.startswith("1 of 200 answers of the measurement end inside an open <think> (q0 first): raise")


def test_a_checkpoint_that_lost_everything_fails_even_where_its_answers_are_cut_off() -> None:
    outcome, reason = judged(changed(answers("-" * 200), 1.0, finish_reason="length"), answers(MIXED))
    assert (outcome, reason.partition(",")[0]) == ("fail", "the drop reaches the tolerance")


@pytest.mark.parametrize(("right", "why"), [("-" * 200, "BF16 itself gets 0.0% right"), ("+" * 200, "BF16 gets 100.0% right")])
def test_a_suite_at_the_floor_or_the_ceiling_never_passes(right: str, why: str) -> None:
    outcome, reason = judged(answers(right), answers(right))
    assert outcome == "inconclusive"
    assert reason.startswith(f"the suite cannot discriminate: {why}")


def test_a_fail_names_the_group_that_lost_most() -> None:
    def grouped(right: str) -> Answers:
        one = answers(right)
        items = [msgspec.structs.replace(item, group="add" if place < 100 else "sort") for place, item in enumerate(one.items)]
        return msgspec.structs.replace(one, items=items)

    outcome, reason = judged(grouped("+++--" * 20 + "-" * 100), grouped(MIXED))
    assert outcome == "fail"
    assert reason.endswith("; most in sort: 80.0 to 0.0 %")


def test_a_drop_from_the_ceiling_is_still_a_fail() -> None:
    assert judged(answers("-" * 40 + "+" * 160), answers("+" * 200))[0] == "fail"


def test_a_gap_between_strict_and_flexible_answers_is_a_change_of_format() -> None:
    """The published case: strict 0.590 to 0.375, flexible 0.750 to 0.780."""
    before = changed(answers(MIXED), 0.16, strict=False, flexible=True)
    after = changed(answers(MIXED), 0.405, strict=False, flexible=True)
    assert usable.change_of_format(after, before) == "a change of format: answers right only when read flexibly went from 16.0 to 40.5 %"
    assert usable.change_of_format(before, before) is None


def test_a_second_run_is_the_floor() -> None:
    sound = answers("++--")
    other = [msgspec.structs.replace(sound.items[0], correct=False, answer="5"), msgspec.structs.replace(sound.items[1], answer=" 4.")]
    noise = noise_of(msgspec.structs.replace(sound, again=[*other, *sound.items[2:]]))
    assert noise == Noise(n=4, flipped=1, changed=2)
    assert in_words(noise, "bf16") == "bf16 asked twice flips 1 of 4 answers and words 2 otherwise"
    assert in_words(noise_of(msgspec.structs.replace(sound, again=sound.items)), "bf16") is None
    assert noise_of(sound) is None


def test_a_second_run_of_texts_is_the_largest_change_of_a_document() -> None:
    text = text_loss(nll_sums=[20.0, 30.0])
    again = [msgspec.structs.replace(text.documents[1], nll_sum=30.5)]
    noise = noise_of(msgspec.structs.replace(text, again=again))
    assert noise == Noise(n=1, max_nll_per_token=0.05)
    assert in_words(noise, "bf16") == "bf16 measured twice moves a document by up to 0.05 nats/token"


def test_graded_answers_are_judged_by_their_mean() -> None:
    """Ten points less on each of 40 items, half of them 0.02 off: t says +- 0.65, and 40 items prove no more than +- 9.867:
    the root of (40*d - 1/4)^2 = z^2*40*d*(1 - d)."""
    base = answers("+" * 30 + "-" * 10)
    before = msgspec.structs.replace(base, items=[msgspec.structs.replace(item, score=0.5) for item in base.items])
    wobble = [0.4 + 0.02 * (-1) ** place for place in range(40)]
    after = msgspec.structs.replace(base, items=[msgspec.structs.replace(i, score=w) for i, w in zip(base.items, wobble, strict=True)])
    got = verdict.judge_answers(after, before, accuracy_points=8.0)
    assert (got.verdict, got.discordant, got.n) == ("fail", None, 40)
    assert got.drop == pytest.approx(10.0)
    assert got.interval == pytest.approx((10 - 9.867, 10 + 9.867), abs=2e-3)


def test_graded_answers_that_scatter_have_the_interval_of_their_scatter() -> None:
    """Differences of 0.5 and -0.3 in turn: mean 10 points, s = 40*sqrt(40/39), t(39, 0.975) = 2.02269."""
    base = answers("++++-" * 8)
    before = msgspec.structs.replace(base, items=[msgspec.structs.replace(item, score=0.5) for item in base.items])
    now = [msgspec.structs.replace(item, score=0.0 if place % 2 else 0.8) for place, item in enumerate(base.items)]
    got = verdict.judge_answers(msgspec.structs.replace(base, items=now), before, accuracy_points=8.0)
    half = 2.02269 * 40 / math.sqrt(39)
    assert got.interval == pytest.approx((10 - half, 10 + half), rel=1e-4)
    assert got.verdict == "inconclusive"


@pytest.mark.parametrize("field", [{"cluster": "c"}, {"score": 0.5}])
def test_answers_graded_or_clustered_on_one_side_alone_do_not_compare(field: dict[str, object]) -> None:
    base = answers(MIXED)
    other = msgspec.structs.replace(base, items=[msgspec.structs.replace(item, **field) for item in base.items])
    assert judged(base, other)[0] == judged(other, base)[0] == "error"


def test_a_few_graded_answers_without_any_change_do_not_pass() -> None:
    base = answers("++++-" * 2)
    same = msgspec.structs.replace(base, items=[msgspec.structs.replace(item, score=0.5) for item in base.items])
    assert verdict.judge_answers(same, same, accuracy_points=8.0).verdict == "inconclusive"


def test_items_of_one_conversation_count_as_one_another_s_kin() -> None:
    """Ten conversations of four turns that fall together: the interval is as wide as that of ten items, not of forty."""
    base, worse = answers(("++++" * 8) + ("----" * 2)), answers("----" * 2 + "++++" * 6 + "----" * 2)
    clusters = [f"conversation {place // 4}" for place in range(40)]
    pair = [
        msgspec.structs.replace(one, items=[msgspec.structs.replace(i, cluster=c) for i, c in zip(one.items, clusters, strict=True)])
        for one in (worse, base)
    ]
    got = verdict.judge_answers(pair[0], pair[1], accuracy_points=8.0)
    assert got.verdict == "inconclusive"
    assert got.drop == pytest.approx(20.0)
    # Two of ten conversations lost everything: t(9) says +- 30.16, and ten without a change +- 31.22.
    assert got.interval == pytest.approx((20 - 31.222, 20 + 31.222), abs=2e-3)


def topk(own: float, probabilities: dict[int, float], name: str = "d0") -> DocumentTopK:
    """One document of one position."""
    ranked = sorted(probabilities.items(), key=lambda one: -one[1])
    logprobs = [[math.log(p) for _, p in ranked]]
    return DocumentTopK(id=name, own=[math.log(own)], tokens=[[t for t, _ in ranked]], logprobs=logprobs)


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


@pytest.mark.parametrize(("kl_nats", "wanted"), [(None, "pass"), (0.9, "pass"), (0.01, "fail"), (0.05, "inconclusive")])
def test_a_divergence_gates_only_where_models_toml_asks(kl_nats: float | None, wanted: str) -> None:
    before = [topk(0.5, {1: 0.5, 2: 0.3, 3: 0.2}, f"d{place}") for place in range(3)]
    # 0.0264, 0.0264 and 0.0893 nats: mean 0.047 [-0.043, 0.138]; with all three alike the interval is the point.
    near, far = {1: 0.4, 2: 0.4, 3: 0.2}, {1: 0.3, 2: 0.4, 3: 0.3}
    spread = [near, near, far] if wanted == "inconclusive" else [far] * 3
    after = [topk(0.5, one, f"d{place}") for place, one in enumerate(spread)]
    base, now = (msgspec.structs.replace(text_loss("nvfp4"), topk=sample) for sample in (before, after))
    assert verdict.judge_text(now, base, perplexity_ratio=1.05, kl_nats=kl_nats).verdict == wanted


def test_an_alarm_is_raised_where_the_distribution_moved_more_than_the_loss() -> None:
    before = [topk(0.5, {1: 0.5, 2: 0.3, 3: 0.2})]
    after = [topk(0.5, {1: 0.3, 2: 0.4, 3: 0.3})]
    base, now = (msgspec.structs.replace(text_loss("nvfp4"), topk=sample) for sample in (before, after))
    got = verdict.judge_text(now, base, perplexity_ratio=1.05)
    assert got.verdict == "pass"
    assert "look closer: the distributions moved by 0.088 nats (KL) or more" in got.reason
