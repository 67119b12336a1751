"""Does the code that the checkpoint writes pass as many checks as its BF16 original's?"""

import pytest

from fixtures.gate import Gate
from quantgate.measure import Sitting, measure_code
from quantgate.server import Serving
from quantgate.suites import CodeSuite


@pytest.mark.server
def test_code_recovers(server: Serving, code_suite: CodeSuite, again: int, sitting: Sitting, unsafe: bool, gate: Gate) -> None:
    gate(measure_code(server, code_suite, again, sitting, unsafe=unsafe))
