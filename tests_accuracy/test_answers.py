"""Does the checkpoint answer as well as its BF16 original?"""

import pytest

from fixtures.gate import Gate
from fixtures.measure import measure_answers
from fixtures.server import Server
from fixtures.suites import QuestionSuite


@pytest.mark.server
def test_answers_recover(server: Server, question_suite: QuestionSuite, again: int, gate: Gate) -> None:
    gate(measure_answers(server, question_suite, again))
