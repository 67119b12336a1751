"""A client at its limit voids the measurement."""

import pytest

from quantgate.errors import MeasurementError
from quantgate.measure.load.saturation import raise_if_saturated
from tests_fixtures.doubles.examples import client_use


def test_a_client_at_the_limit_of_its_core_voids_the_measurement_and_says_so() -> None:
    with pytest.raises(MeasurementError) as error:
        raise_if_saturated(client_use(cpu_share=0.93, processes=2), 10.0)
    assert str(error.value) == (
        "the client was the bottleneck: a process of it used 93% of a core (80% is the limit), so the measurement is void; "
        "ask with more client processes than 2"
    )


def test_a_client_that_reads_late_voids_the_measurement_and_says_so() -> None:
    with pytest.raises(MeasurementError) as error:
        raise_if_saturated(client_use(lag_ms_p99=12.5), 20.0)
    assert str(error.value) == (
        "the client read late: its p99 lag was 12.50 ms, and the p99 gap between chunks 20.00 ms (50% of that is the limit), "
        "so the measurement is void; give the client a core of its own"
    )
    raise_if_saturated(client_use(lag_ms_p99=9.9, cpu_share=0.79), 20.0)
