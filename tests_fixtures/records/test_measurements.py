"""Measurements are frozen."""

import pytest

from tests_fixtures.doubles.examples import answers


def test_records_are_frozen() -> None:
    measured = answers()
    with pytest.raises(AttributeError, match="immutable"):
        measured.accuracy = 1.0  # type: ignore[misc]  # the point of the test
