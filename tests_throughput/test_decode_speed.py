"""Does the checkpoint decode as fast as was asked of it?"""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fixtures.gate import Gate
from quantgate.measure import measure_throughput
from quantgate.records import Throughput
from quantgate.server import Serving
from quantgate.suites import LoadSuite


@pytest.mark.server
@pytest.mark.throughput
def test_decode_speed_holds(
    server: Serving, bf16_speed: Serving | Throughput | None, load: LoadSuite, benchmark: BenchmarkFixture, gate: Gate
) -> None:
    gate(measure_throughput(server, bf16_speed, load, benchmark))
