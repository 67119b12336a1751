"""Options of the benchmarks that pytest runs."""

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("benchmarks beside other load generators")
    group.addoption("--pairs", type=int, default=3, metavar="N", help="rounds of each client, alternating (3)")
    group.addoption("--guidellm", type=Path, metavar="FILE", help="its program, in an environment of its own; without it, it is left out")
