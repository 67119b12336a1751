"""Does the checkpoint answer as well as its BF16 original?"""

import pytest

from fixtures.gate import Gate
from quantgate.judgement import Watch
from quantgate.measure import Sitting, measure_answers
from quantgate.server import Serving
from quantgate.suites import QuestionSuite


@pytest.mark.server
def test_answers_recover(
    server: Serving, question_suite: QuestionSuite, again: int, sitting: Sitting, watch: Watch | None, gate: Gate
) -> None:
    gate(measure_answers(server, question_suite, again, sitting, watch))
