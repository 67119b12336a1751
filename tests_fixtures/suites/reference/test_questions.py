"""Which questions are held out."""

import random

from quantgate.suites.reference import questions


def test_one_question_in_sixteen_is_held_out() -> None:
    rng = random.Random(3)
    drawn = [questions.add(rng, 12)[0] for _ in range(8000)]
    # 500 expected, standard deviation sqrt(8000/16 * 15/16) = 21.7.
    assert abs(sum(map(questions.held_out, drawn)) - 500) < 4 * 21.7
