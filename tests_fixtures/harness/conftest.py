"""A server that answers as its questions say, and harnesses that ask it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from quantgate.registry import Checkpoint
from quantgate.server import Endpoint, Serving
from tests_fixtures.doubles.fake_harnesses import Programs
from tests_fixtures.doubles.scripted import Scripted, scripted_server

REFERENCE = Path(__file__).parents[2] / "fixtures" / "reference" / "bf16"
QUESTIONS = ["right 0", "wrong 0", "right 1", "cut off 0", "right 2", "wrong 1"]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    monkeypatch.setenv("QUANTGATE_API_KEY", "a-secret-key")
    with scripted_server("reference/bf16") as found:
        found.little.key = "a-secret-key"
        yield found


@pytest.fixture
def server(scripted: Scripted) -> Serving:
    return Endpoint(scripted.url, Checkpoint(name="bf16", precision="bf16", path=str(REFERENCE), family="reference"), REFERENCE)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    return Programs(tmp_path, QUESTIONS, monkeypatch)
