"""What was set for pip is uv's too."""

import pytest

from quantgate import uv


def test_what_was_set_for_pip_is_handed_on_to_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*uv.PIP_TO_UV, *uv.PIP_TO_UV.values(), "UV_INDEX_STRATEGY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "index")
    monkeypatch.setenv("PIP_CERT", "cert")
    monkeypatch.setenv("SSL_CERT_FILE", "own")
    found = uv.environment()
    assert (found["UV_INDEX"], found["UV_INDEX_STRATEGY"], found["SSL_CERT_FILE"]) == ("index", "unsafe-best-match", "own")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    assert uv.torch_source({}) == ({}, ["--torch-backend=cpu"])
