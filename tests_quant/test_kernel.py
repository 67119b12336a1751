"""Did vLLM choose the kernel that this checkpoint is meant to run on?"""

import pytest

from quantgate.server import Serving


@pytest.mark.server
def test_expected_kernel_ran(server: Serving, expected_kernel: str) -> None:
    chosen = server.kernels()
    assert expected_kernel in chosen, f"{server.model}: models.toml expects {expected_kernel}, and vLLM chose {', '.join(chosen) or 'none'}"
