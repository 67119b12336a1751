"""What the sandbox's tests share."""

import pytest

from quantgate.errors import ConfigurationError
from quantgate.sandbox import probe


@pytest.fixture(scope="session")
def sandbox() -> None:
    """Skip where there is none, in the words that a user would see."""
    try:
        probe()
    except ConfigurationError as error:
        pytest.skip(str(error))
