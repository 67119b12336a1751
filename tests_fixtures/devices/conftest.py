"""What the tests of devices share."""

from pathlib import Path

import pytest

from quantgate.devices import nvml


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The machine that the tests run on hides no device and has no PCI bus."""
    monkeypatch.setattr(nvml, "PCI_DEVICES", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
