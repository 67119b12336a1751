"""When a suite is ended: with the verdict that the whole would have, and not before everything that is asked of it is certain."""

import math
import random

import msgspec
import pytest

from quantgate import stats
from quantgate.judgement import judge_answers
from quantgate.judgement.watch import LOOKS, Question, Watch
from tests_fixtures.doubles.stopped import SEED, ask, candidate, record_of, suite_of, watch_over

BASE = suite_of(1000)


@pytest.mark.parametrize(("wrong_every", "word"), [(0, "pass"), (6, "fail")])
def test_it_ends_with_the_verdict_of_the_whole(wrong_every: int, word: str) -> None:
    now = candidate(BASE, wrong_every)
    items, stopped = ask(watch_over(BASE), now)
    assert stopped is not None
    assert (stopped.verdict, stopped.asked, stopped.planned) == (word, len(items), 1000)
    assert stopped.asked < 500
    assert stopped.e_value >= 40
    assert stopped.tokens_saved == 10 * (1000 - stopped.asked)
    assert judge_answers(record_of(list(now.values()), None), BASE, accuracy_points=5.0).verdict == word


def test_a_loss_near_the_tolerance_is_asked_to_the_end() -> None:
    items, stopped = ask(watch_over(BASE), candidate(BASE, wrong_every=16))  # 5.0 points
    assert (len(items), stopped) == (1000, None)


def test_a_suite_too_small_for_its_tolerance_is_asked_to_the_end() -> None:
    base = suite_of(100)
    assert ask(watch_over(base, points=1.0), candidate(base))[1] is None


def test_a_fail_waits_for_more_where_more_suites_are_asked() -> None:
    now = candidate(BASE, wrong_every=50)
    alone, among = (ask(watch_over(BASE, points=1.0, suites=suites), now)[1] for suites in (1, 5))
    assert alone is not None
    assert among is not None
    assert (alone.verdict, alone.suites, among.suites) == ("fail", 1, 5)
    assert alone.asked < among.asked


def test_a_group_that_may_still_fail_keeps_a_pass_waiting() -> None:
    alike = candidate(BASE)
    grouped = suite_of(1000, {"rare": 10})
    whole, split = (ask(watch_over(base), candidate(base))[1] for base in (BASE, grouped))
    assert whole is not None
    assert split is not None
    assert whole.asked < split.asked
    # Every other item of a group of a hundred is lost, five points of the whole at most: it is not ended with a pass.
    fallen = candidate(grouped, wrong_every=2, wrong_in="rare")
    assert sum(fallen[item.id].correct for item in grouped.items) < sum(item.correct for item in alike.values())
    got = ask(watch_over(grouped, points=8.0), fallen)[1]
    assert got is None or got.verdict == "fail"


def test_every_question_has_to_be_certain() -> None:
    now = candidate(BASE)
    own = record_of(list(now.values()), None)
    drift = Question(baseline=own, accuracy_points=3.0, both_ways=True)
    one, two = ask(watch_over(BASE), now)[1], ask(watch_over(BASE, drift), now)[1]
    assert one is not None
    assert two is not None
    assert one.asked < two.asked
    unlike = record_of(list(candidate(BASE, wrong_every=16).values()), None)  # a gain of 5 points, both ways no pass under 5
    assert ask(watch_over(BASE, Question(baseline=unlike, accuracy_points=5.0, both_ways=True)), now)[1] is None


def test_since_an_approval_a_gain_ends_it_as_a_change() -> None:
    before = record_of(list(candidate(BASE, wrong_every=6).values()), None)
    ids = [item.id for item in BASE.items]
    watch = Watch([Question(baseline=before, accuracy_points=5.0, both_ways=True)], ids, SEED, "nvfp4")
    stopped = ask(watch, candidate(BASE))[1]
    assert stopped is not None
    assert stopped.verdict == "fail"


def test_all_that_has_to_be_certain_at_once_shares_the_error() -> None:
    base = suite_of(1000, {"rare": 10})
    items, stopped = ask(watch_over(base), candidate(base))
    assert stopped is not None
    rare = sum(item.group == "rare" for item in items)
    parts = [
        stats.log_e_that_it_passes(0, 0, len(items), 1000, 0.05),
        stats.log_e_that_it_does_not_fail(0, 0, rare, 100, 0.15),
        stats.log_e_that_it_does_not_fail(0, 0, len(items) - rare, 900, 0.15),
    ]
    assert stopped.e_value == pytest.approx(math.exp(min(parts)) / 3, rel=1e-9)


def test_what_the_rule_would_not_say_does_not_end_it() -> None:
    """Certain by its counts, and half of the answers cut off: the verdict would be an error."""
    cut = {name: msgspec.structs.replace(item, finish_reason="length") for name, item in candidate(BASE).items()}
    assert ask(watch_over(BASE), cut)[1] is None


def test_a_suite_that_bf16_gets_all_wrong_does_not_end_with_a_pass() -> None:
    wrong = [msgspec.structs.replace(item, correct=False) for item in BASE.items]
    floor = msgspec.structs.replace(BASE, items=wrong)
    assert ask(watch_over(floor), {item.id: item for item in wrong})[1] is None


def test_it_is_looked_at_a_hundred_times_at_most() -> None:
    watch, looked = watch_over(BASE), 0
    now = candidate(BASE, wrong_every=16)
    for asked in range(1, 1001):
        looked += watch.is_due(asked)
        assert watch([now[name] for name in watch.order[:asked]]) is None
    assert LOOKS / 2 < looked <= LOOKS


def test_of_suites_without_loss_and_with_the_tolerance_s_few_end_falsely() -> None:
    """A small sibling of benchmarks/stop_early.py: both kinds of false verdict, and that something is saved."""
    draw, asked, false = random.Random(7), 0, 0
    base = suite_of(500)
    for suite in range(60):
        loss = (0.0, 0.05, 0.15)[suite % 3]
        now = {}
        for item in base.items:
            flips = draw.random() < (loss / 0.8 + 0.02 if item.correct else 0.08)
            now[item.id] = msgspec.structs.replace(item, correct=item.correct != flips)
        items, stopped = ask(watch_over(base), now, at_once=10)
        whole = judge_answers(record_of(list(now.values()), None), base, accuracy_points=5.0).verdict
        asked += len(items)
        false += stopped is not None and stopped.verdict != whole
    assert false <= 1
    assert asked < 0.75 * 60 * 500
