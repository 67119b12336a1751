"""Answers judged item by item: suites that cannot discriminate, a second run as the floor, grades and clusters."""

import math

import msgspec
import pytest

from quantgate.errors import ConfigurationError
from quantgate.judgement.answers import change_of_format, judge_answers
from quantgate.judgement.answers import noise_of as noise_of_answers
from quantgate.judgement.rule import Others
from quantgate.judgement.wording import noise_in_words
from quantgate.records import Answers, Discordant, Noise
from tests_fixtures.doubles.examples import MIXED, answers
from tests_fixtures.doubles.pairs import changed, judged, outcome_of, pair_of_answers


def test_without_discordance_the_number_needed_takes_the_default() -> None:
    assert judged(pair_of_answers(0, 0, 50)).n_needed == 309
    got = judge_answers(*pair_of_answers(0, 0, 50), accuracy_points=4.0, others=Others(1), discordance=0.10)
    assert got.n_needed == 530


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


@pytest.mark.parametrize("points", [0.0, -1.0, math.nan, math.inf])
def test_a_tolerance_for_answers_must_be_above_zero(points: float) -> None:
    with pytest.raises(ConfigurationError, match=r"accuracy_points = .* must lie above 0"):
        judged(pair_of_answers(0, 0, 10), points=points)


def test_a_checkpoint_that_lost_everything_fails_even_where_its_answers_are_cut_off() -> None:
    outcome, reason = outcome_of(changed(answers("-" * 200), 1.0, finish_reason="length"), answers(MIXED))
    assert (outcome, reason.partition(" (")[0]) == ("fail", "proven beyond the tolerance")


def test_a_suite_at_the_floor_never_passes() -> None:
    outcome, reason = outcome_of(answers("-" * 200), answers("-" * 200))
    assert outcome == "inconclusive"
    assert reason.startswith("the suite cannot discriminate: BF16 itself gets 0.0% right")


def test_at_the_ceiling_answers_that_decide_do_and_it_is_said() -> None:
    # 200 equal answers: Tango's interval without discordance ends at (z^2 + ...)/n, below 2.5 points and far below 8.
    outcome, reason = outcome_of(answers("+" * 200), answers("+" * 200))
    assert (outcome, reason) == ("pass", "within tolerance; BF16 gets 100.0% right, so a loss of ability need not show")


def test_at_the_ceiling_too_few_answers_say_that_the_suite_cannot_tell() -> None:
    outcome, reason = outcome_of(answers("+" * 20), answers("+" * 20))
    assert outcome == "inconclusive"
    said = "BF16 gets 100.0% right, so a loss of ability need not show; ask something harder"
    assert reason == f"the suite cannot discriminate: {said}"


def scored(right: str, scores: str) -> Answers:
    """Answers marked as in `right` whose scores are 1 for "+" and 0 for "-"."""
    one = answers(right)
    items = [msgspec.structs.replace(item, score=float(score == "+")) for item, score in zip(one.items, scores, strict=True)]
    return msgspec.structs.replace(one, items=items)


def test_scores_of_0_and_1_are_what_is_counted() -> None:
    # 320 of 400 right become none: 80 points, with 320 that regressed and none that improved.
    before, after = scored("++++-" * 80, "++++-" * 80), scored("-" * 400, "-" * 400)
    got = judge_answers(after, before, accuracy_points=2.0)
    assert (got.verdict, got.drop) == ("fail", 80.0)
    assert got.discordant == Discordant(regressed=320, improved=0)
    # `correct` says nothing beside a score; what contradicts it is no record (see wellformed).
    assert judge_answers(scored("++++-" * 80, "-" * 400), before, accuracy_points=2.0).drop == 80.0


def test_a_drop_from_the_ceiling_is_still_a_fail() -> None:
    assert outcome_of(answers("-" * 40 + "+" * 160), answers("+" * 200))[0] == "fail"


def test_a_gap_between_strict_and_flexible_answers_is_a_change_of_format() -> None:
    """The published case: strict 0.590 to 0.375, flexible 0.750 to 0.780."""
    before = changed(answers(MIXED), 0.16, strict=False, flexible=True)
    after = changed(answers(MIXED), 0.405, strict=False, flexible=True)
    assert change_of_format(after, before) == "a change of format: answers right only when read flexibly went from 16.0 to 40.5 %"
    assert change_of_format(before, before) is None


def test_a_second_run_is_the_floor() -> None:
    sound = answers("++--")
    other = [msgspec.structs.replace(sound.items[0], correct=False, answer="5"), msgspec.structs.replace(sound.items[1], answer=" 4.")]
    noise = noise_of_answers(msgspec.structs.replace(sound, again=[*other, *sound.items[2:]]))
    assert noise == Noise(n=4, flipped=1, changed=2)
    assert noise_in_words(noise, "bf16") == "bf16 asked twice flips 1 of 4 answers and words 2 otherwise"
    assert noise_in_words(noise_of_answers(msgspec.structs.replace(sound, again=sound.items)), "bf16") is None
    assert noise_of_answers(sound) is None


def graded(worths: list[float], checkpoint: str = "bf16") -> Answers:
    """Answers with these scores."""
    one = answers("-" * len(worths), checkpoint)
    items = [msgspec.structs.replace(item, score=worth) for item, worth in zip(one.items, worths, strict=True)]
    return msgspec.structs.replace(one, items=items)


def test_graded_answers_are_judged_by_their_mean() -> None:
    """Ten points less on each of 40 items, half of them 0.02 off: t says +- 0.65, and 40 items prove no more than +- 10.38:
    the root of (40*d - 1/4)^2 = t^2*40*d*(1 - d), t(39, 0.975) = 2.0227. So ten are no proof of a loss, and fourteen are."""
    ten, fourteen = ([worth + 0.02 * (-1) ** place for place in range(40)] for worth in (0.4, 0.36))
    got = judge_answers(graded(ten, "nvfp4"), graded([0.5] * 40), accuracy_points=8.0)
    assert (got.verdict, got.discordant, got.n) == ("inconclusive", None, 40)
    assert got.drop == pytest.approx(10.0)
    assert got.interval == pytest.approx((10 - 10.379, 10 + 10.379), abs=2e-3)
    assert judge_answers(graded(fourteen, "nvfp4"), graded([0.5] * 40), accuracy_points=8.0).verdict == "fail"


@pytest.mark.parametrize(("n", "outcome"), [(40, "inconclusive"), (400, "fail")])
def test_scores_that_all_fell_alike_fail_only_where_the_interval_shows_a_loss(n: int, outcome: str) -> None:
    got = judge_answers(graded([0.45] * n, "nvfp4"), graded([0.5] * n), accuracy_points=4.0)
    assert got.verdict == outcome
    assert got.interval is not None
    assert (got.interval[0] > 0) == (outcome == "fail")


def test_graded_answers_that_scatter_have_the_interval_of_their_scatter() -> None:
    """Differences of 0.5 and -0.3 in turn: mean 10 points, s = 40*sqrt(40/39), t(39, 0.975) = 2.02269."""
    base = answers("++++-" * 8)
    before = msgspec.structs.replace(base, items=[msgspec.structs.replace(item, score=0.5) for item in base.items])
    now = [msgspec.structs.replace(item, score=0.0 if place % 2 else 0.8) for place, item in enumerate(base.items)]
    got = judge_answers(msgspec.structs.replace(base, items=now), before, accuracy_points=8.0)
    half = 2.02269 * 40 / math.sqrt(39)
    assert got.interval == pytest.approx((10 - half, 10 + half), rel=1e-4)
    assert got.verdict == "inconclusive"


def test_a_few_graded_answers_without_any_change_do_not_pass() -> None:
    base = answers("++++-" * 2)
    same = msgspec.structs.replace(base, items=[msgspec.structs.replace(item, score=0.5) for item in base.items])
    assert judge_answers(same, same, accuracy_points=8.0).verdict == "inconclusive"
