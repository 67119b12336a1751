"""Does the checkpoint do as well as its BF16 original at the tasks of other harnesses?"""

import pytest

from fixtures.gate import Gate
from quantgate.harness import measure_harness
from quantgate.measure import Sitting
from quantgate.server import Serving
from quantgate.suites import HarnessSuite


@pytest.mark.server
def test_task_recovers(server: Serving, harness_suite: HarnessSuite, again: int, sitting: Sitting, gate: Gate) -> None:
    gate(measure_harness(server, harness_suite, again, sitting))
