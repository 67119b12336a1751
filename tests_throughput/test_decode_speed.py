"""Does the checkpoint decode as fast as was asked of it?"""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fixtures.gate import Gate
from fixtures.measure import measure_throughput
from fixtures.server import Server
from fixtures.suites import LoadSuite


@pytest.mark.server
@pytest.mark.throughput
def test_decode_speed_holds(server: Server, bf16_server: Server | None, load: LoadSuite, benchmark: BenchmarkFixture, gate: Gate) -> None:
    gate(measure_throughput(server, bf16_server, load, benchmark))
