"""What all tests of the harness share."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests_fixtures.doubles.fake_llmcompressor import Bench
    from tests_fixtures.doubles.gated_project import GatedProject
    from tests_fixtures.doubles.stub_server import Stub


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """A shell that starts a command in the background has it ignore Ctrl-C, and whatever it starts too; here it has to arrive."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no worker of pytest-xdist ran the test: a pytest that it starts has workers of its own or none."""
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST")]:
        monkeypatch.delenv(name)


@pytest.fixture
def gated(pytester: pytest.Pytester, no_worker: None) -> "GatedProject":  # noqa: ARG001 (what it does is wanted)
    """A small project that gates with quantgate's plugin."""
    from tests_fixtures.doubles.gated_project import GatedProject

    return GatedProject(pytester)


@pytest.fixture
def bench(tmp_path: Path) -> "Bench":
    """A model to quantize, and programs that stand in for llm-compressor."""
    from tests_fixtures.doubles.fake_llmcompressor import Bench

    return Bench(tmp_path)


@pytest.fixture(scope="module")
def running() -> Iterator["Stub"]:
    """A stub of a server that a module's tests share, each telling it how to behave."""
    from tests_fixtures.doubles.stub_server import stub

    with stub() as one:
        yield one


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests are about does not depend on how busy the machine is."""
    from quantgate.measure.load import trust

    monkeypatch.setattr(trust, "CPU_SHARE_LIMIT", 99.0)
    monkeypatch.setattr(trust, "LAG_SHARE_LIMIT", 1e6)


@pytest.fixture(scope="session")
def sandbox() -> None:
    """Skip where there can be none, in the words that a user would see. One that can be made and does not hold is a failure."""
    from quantgate.errors import ConfigurationError
    from quantgate.sandbox import probe

    try:
        probe()
    except ConfigurationError as error:
        if re.search(r"no bwrap on this machine|0\.8 or newer|first program here \(refused", str(error)):
            pytest.skip(str(error))
        raise
