"""The large sample: held out, and apart from the suites."""

import random
from collections import Counter

from quantgate.suites.reference.questions import held_out


def test_the_large_sample_shares_nothing_with_the_suites_and_is_held_out() -> None:
    from mutation import sample
    from quantgate import suites

    asked, suite = sample.asked(400), suites.reference_questions(None)
    assert Counter(question.group for question in asked) == dict.fromkeys({question.group for question in suite.questions}, 80)
    assert not {question.prompt for question in asked} & {question.prompt for question in suite.questions}
    assert all(held_out(question.prompt) for question in asked)
    beginnings = {" ".join(document.text.split()[:20]) for document in suites.reference_text(None).documents}
    assert not beginnings & {" ".join(document.split()[:20]) for document in sample.documents(64)}


def test_a_level_gives_out_when_all_its_held_out_questions_are_drawn() -> None:
    from mutation.sample import distinct

    seen = {"multiply 999 9"}
    found = distinct(random.Random(1), "multiply", 31, 600, seen)
    # 900 · 9 products, of which one in sixteen is held out: 506 expected, standard deviation sqrt(8,100/16 · 15/16) = 21.8.
    products = [f"multiply {left} {right}" for left in range(100, 1000) for right in range(1, 10)]
    assert {question.prompt for question in found} == {product for product in products if held_out(product)} - {"multiply 999 9"}
    assert len(found) < 600
    assert {question.prompt for question in found} < seen
