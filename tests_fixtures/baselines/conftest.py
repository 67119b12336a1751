"""A cache of its own for each test, and stores that are no network's."""

from pathlib import Path

import pytest

from quantgate.baselines.store import Store


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache, which nothing else uses."""
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store in a folder, as a share over NFS would be."""
    return f"file://{tmp_path}/store"


@pytest.fixture
def store(url: str) -> Store:
    return Store(url)
