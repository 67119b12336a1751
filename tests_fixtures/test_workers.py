"""Several workers: speed is not measured beside them, and the usage error says what to run instead."""

from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.workers import pytest_xdist_node_collection_finished

SPEED, TEXT = "tests_throughput/test_decode_speed.py::test_a", "tests_accuracy/test_perplexity.py::test_b"


@pytest.mark.parametrize(
    ("expression", "ids", "said"),
    [
        ("nvfp4", [TEXT, SPEED], "run -m '(nvfp4) and not throughput' -n 2, then -m '(nvfp4) and throughput'"),
        ("", [TEXT, SPEED], "run -m 'not throughput' -n 2, then -m 'throughput'"),
        ("nvfp4 and throughput", [SPEED], "run this without -n"),
    ],
)
def test_speed_beside_other_workers_is_a_usage_error_that_says_how(expression: str, ids: list[str], said: str) -> None:
    node: Any = SimpleNamespace(config=SimpleNamespace(option=SimpleNamespace(markexpr=expression, numprocesses=2)))
    with pytest.raises(pytest.UsageError) as error:
        pytest_xdist_node_collection_finished(node, ids)
    assert str(error.value) == f"speed is not measured beside other workers: {said}"


def test_without_speed_there_is_nothing_to_refuse() -> None:
    node: Any = SimpleNamespace(config=SimpleNamespace(option=SimpleNamespace(markexpr="", numprocesses=2)))
    pytest_xdist_node_collection_finished(node, [TEXT])
