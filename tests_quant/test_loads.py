"""Would vLLM read the checkpoint, every parameter of it? Its own loader is asked on the CPU, before a server is booted."""

import importlib.util
from collections.abc import Iterator

import pytest

from fixtures.parametrization import one_for_each_checkpoint
from fixtures.state import State
from fixtures.unexpected import repeat
from quantgate.checkpoint import Engine, as_served, tell
from quantgate.registry import Checkpoint, Family, local_folder

__test__ = importlib.util.find_spec("vllm") is not None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    one_for_each_checkpoint(metafunc, "loaded")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as engine:
        yield engine


def test_engine_reads_it(loaded: tuple[Family, Checkpoint], engine: Engine, quantgate: State) -> None:
    _, checkpoint = loaded
    if quantgate.pool.is_attached:  # a server that runs has read it already, whatever its version is
        return
    found = tell(engine.ask(local_folder(checkpoint), as_served(checkpoint.serve), checkpoint.serve.env))
    repeat(quantgate.publish, checkpoint, found)
    errors = [f"{one.where}: {one.value}: {one.meaning}" for one in found if one.severity == "error"]
    if errors:
        quantgate.unsound.setdefault(str(checkpoint), errors[0])  # which fails what needs a server of it at once
        pytest.fail(f"{checkpoint}: {'; '.join(errors)} (see `quantgate inspect --engine {checkpoint.path}`)", pytrace=False)
