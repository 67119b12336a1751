"""A record that was stopped early: judged on what was asked, by the question that ended it, and by no other as if it were whole."""

import msgspec
import pytest

from quantgate.judgement import Others, figure, judge_answers, judge_answers_unpaired, malformed, sentence, unfit_to_approve
from quantgate.judgement.early import in_order, why_not
from quantgate.judgement.rule import decide
from quantgate.judgement.weigh import weigh, weigh_beside
from quantgate.records import Answers, decode, encode
from quantgate.registry import Tolerance
from tests_fixtures.doubles.examples import with_provenance
from tests_fixtures.doubles.stopped import ask, candidate, record_of, suite_of, watch_over

BASE = suite_of(1000)


def ended(wrong_every: int = 0, points: float = 5.0) -> Answers:
    """A checkpoint's record, stopped early."""
    items, stopped = ask(watch_over(BASE, points=points), candidate(BASE, wrong_every))
    assert stopped is not None
    return record_of(items, stopped)


def test_a_pass_is_judged_on_what_was_asked_and_says_how_far_it_was_asked() -> None:
    measured = ended()
    got = judge_answers(measured, BASE, accuracy_points=5.0)
    n = len(measured.items)
    assert (got.verdict, got.n, got.drop) == ("pass", n, 0.0)
    assert n < 400
    saved = f"about {100 - n / 10:.0f} % of the tokens saved"
    assert f"; stopped early after {n} of 1,000 items: pass is certain (error at most 2.5 %); {saved}" in sentence(got)


def test_a_fail_too() -> None:
    measured = ended(wrong_every=6)
    got = judge_answers(measured, BASE, accuracy_points=5.0)
    assert (got.verdict, got.n) == ("fail", len(measured.items))
    assert "fail is certain (error at most 2.5 %)" in sentence(got)


def test_a_whole_record_says_nothing_of_it_and_reads_as_it_did() -> None:
    whole = record_of(list(candidate(BASE).values()), None)
    assert "stopped" not in sentence(judge_answers(whole, BASE, accuracy_points=5.0))
    assert b'"stopped"' not in encode(whole)
    measured = ended()
    assert decode(encode(measured), Answers, "it") == measured


def test_another_tolerance_decides_only_what_is_certain_under_it() -> None:
    measured = ended()
    assert judge_answers(measured, BASE, accuracy_points=9.0).verdict == "pass"
    strict = judge_answers(measured, BASE, accuracy_points=2.0)
    assert strict.verdict == "inconclusive"
    said = f"stopped early after {len(measured.items)} of 1,000 items, when its pass against BF16 under 5 points was certain"
    assert strict.reason == f"{said}; that does not decide this: measure it whole"


def test_since_an_approval_it_decides_only_what_is_certain_both_ways() -> None:
    measured = ended(wrong_every=6)
    own = record_of(list(candidate(BASE, wrong_every=6).values()), None)
    assert decide(weigh(measured, own, Tolerance(accuracy_points=30.0), own=True)).verdict == "pass"
    other = decide(weigh(measured, own, Tolerance(accuracy_points=1.0), own=True))
    assert (other.verdict, other.against) == ("inconclusive", "own")
    assert "that does not decide this" in other.reason


def test_it_takes_no_part_in_holm_s_correction_where_it_decides_nothing() -> None:
    assert weigh(ended(), BASE, Tolerance(accuracy_points=2.0)).is_idle


def test_items_other_than_the_first_of_the_order_are_an_error() -> None:
    measured = ended()
    last = next(item for item in BASE.items if item.id not in {one.id for one in measured.items})
    swapped = msgspec.structs.replace(measured, items=[*measured.items[1:], last])
    got = judge_answers(swapped, BASE, accuracy_points=5.0)
    assert got.verdict == "error"
    assert got.reason.endswith("and these are not the first of the suite's fixed order: measure it again")


def test_a_baseline_with_more_or_fewer_items_is_an_error() -> None:
    got = judge_answers(ended(), suite_of(1200), accuracy_points=5.0)
    assert (got.verdict, got.reason.partition("items, ")[2]) == ("error", "and the baseline has 1,200: measure both alike again")


def test_a_stopped_record_is_no_baseline() -> None:
    measured = ended()
    got = judge_answers(record_of(measured.items, None, "fp8"), measured, accuracy_points=5.0)
    assert (got.verdict, got.reason) == (
        "error",
        f"the baseline was stopped early after {len(measured.items)} of 1,000 items: measure it whole",
    )
    assert str(unfit_to_approve(measured)).endswith("and a baseline holds all of them: measure it without --stop-early")
    assert unfit_to_approve(record_of(list(candidate(BASE).values()), None)) is None


def test_a_record_that_holds_more_than_was_asked_is_none() -> None:
    measured = ended()
    assert malformed(measured) is None
    assert "and holds" in str(malformed(msgspec.structs.replace(measured, items=BASE.items)))


def test_what_the_baseline_said_of_items_that_were_not_asked_is_no_note() -> None:
    """Forty cut off and forty in another form, none of them among those asked."""
    measured = ended()
    asked = {item.id for item in measured.items}
    rest = [item for item in BASE.items if item.id not in asked and not item.correct][:40]
    odd = {item.id: msgspec.structs.replace(item, finish_reason="length", flexible=True) for item in rest}
    base = msgspec.structs.replace(BASE, items=[odd.get(item.id, item) for item in BASE.items])
    assert judge_answers(measured, base, accuracy_points=5.0).reason == judge_answers(measured, BASE, accuracy_points=5.0).reason
    whole = judge_answers(record_of(BASE.items, None), base, accuracy_points=5.0).reason
    assert "a change of format" in whole
    assert "40 of the baseline's 1000 answers never came" in whole


def test_its_accuracy_is_told_as_that_of_what_was_asked() -> None:
    measured = ended()
    right = sum(item.correct for item in measured.items)
    assert figure(measured) == f"accuracy {100 * right / len(measured.items):.2f} % of {len(measured.items)} asked"
    assert figure(BASE) == "accuracy 80.00 %"


def test_unpaired_it_is_an_error() -> None:
    measured = ended()
    other = with_provenance(BASE, suite_fingerprint="s1")
    got = judge_answers_unpaired(measured, other, accuracy_points=5.0)
    assert (got.verdict, "compared in pairs only" in got.reason) == ("error", True)


def test_the_length_of_its_answers_is_judged_on_what_was_asked() -> None:
    measured = ended()
    found = weigh_beside(measured, BASE, Tolerance(accuracy_points=5.0, length_ratio=1.2))
    assert found is not None
    assert (decide(found).verdict, decide(found).n) == ("pass", len(measured.items))


def test_holm_s_correction_stays_that_of_the_run() -> None:
    """Certain alone, and undecided where far more suites are asked than the watch was told of."""
    measured = ended(wrong_every=50, points=1.0)
    words = [judge_answers(measured, BASE, accuracy_points=1.0, others=Others(suites)).verdict for suites in (1, 1000)]
    assert words == ["fail", "inconclusive"]


def test_the_order_is_the_suite_s_own_whatever_order_the_ids_came_in() -> None:
    ids = [f"q{place}" for place in range(50)]
    found = in_order(ids, "a")
    assert found == in_order(reversed(ids), "a") != in_order(ids, "b")
    assert sorted(found) == sorted(ids) != found


@pytest.mark.parametrize(
    ("change", "said"),
    [({"cluster": "talk"}, "clusters"), ({"score": 0.5}, "graded"), ({"id": "other"}, "not those of the baseline"), ({}, "")],
)
def test_what_cannot_be_ended_early_is_told(change: dict[str, object], said: str) -> None:
    ids = [item.id for item in BASE.items]
    changed = msgspec.structs.replace(BASE, items=[msgspec.structs.replace(BASE.items[0], **change), *BASE.items[1:]])
    why = why_not(changed, ids)
    assert (why is None) == (said == "")
    assert said in str(why)


def test_a_mean_in_which_items_do_not_weigh_the_same_cannot_be_ended_early() -> None:
    changed = msgspec.structs.replace(BASE, mean="category", category_mean=BASE.accuracy)
    assert "do not weigh the same" in str(why_not(changed, [item.id for item in BASE.items]))
