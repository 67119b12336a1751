"""Did vLLM choose the kernel that this checkpoint is meant to run on?"""

import pytest

from fixtures.server import Server


@pytest.mark.server
def test_expected_kernel_ran(server: Server, expected_kernel: str) -> None:
    assert expected_kernel in server.kernels(), f"{server.model}: models.toml expects {expected_kernel}; see {server.log}"
