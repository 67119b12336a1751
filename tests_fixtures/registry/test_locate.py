"""A checkpoint's place: a folder is itself, a hub id is resolved into the cache."""

from pathlib import Path

import pytest

from quantgate.errors import ConfigurationError
from quantgate.registry import locate


def test_a_hub_id_is_resolved_into_the_cache_and_a_folder_is_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quantgate.registry.hub.fetch", lambda name, revision, _: tmp_path / f"{name}@{revision}")
    assert locate("org/name", "abc") == tmp_path / "org/name@abc"
    assert locate(str(tmp_path)) == tmp_path
    with pytest.raises(ConfigurationError, match="no such folder"):
        locate("./org/name")
    with pytest.raises(ConfigurationError, match="--revision=abc belongs to a hub id"):
        locate(str(tmp_path), "abc")
