"""What CUDA_VISIBLE_DEVICES leaves of a machine."""

import pytest

from quantgate.devices import choice
from quantgate.errors import ConfigurationError
from tests_fixtures.doubles.machines import at


@pytest.mark.parametrize(
    ("setting", "left"),
    [
        ("3, 1", ["GPU-d1", "GPU-b1"]),
        ("0,-1,1", ["GPU-a1"]),
        ("1,GPU-a", ["GPU-b1"]),
        ("GPU-b,1", ["GPU-b1"]),
        ("GPU-b,GPU-zz,GPU-a", ["GPU-b1"]),
        ("1gpu2,2", ["GPU-b1", "GPU-c1"]),
        ("-1", []),
        ("NoDevFiles", []),
        ("", []),
    ],
)
def test_cuda_visible_devices_leaves_what_cuda_would_see(setting: str, left: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    at("8 x H200", monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", setting)
    assert [device.uuid for device in choice.gpus()] == left


@pytest.mark.parametrize("setting", ["0,0", "GPU-", "MIG-a", "99", "first"])
def test_a_cuda_visible_devices_that_names_nothing_is_no_silent_cpu(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at("8 x H200", monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", setting)
    with pytest.raises(ConfigurationError, match=rf"^--gpu=auto: CUDA_VISIBLE_DEVICES='{setting}' .*; to run on the CPU, say --gpu=cpu$"):
        choice.select("auto")
