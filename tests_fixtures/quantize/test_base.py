"""The model to quantize: what it needs of memories and disks, before anything is made."""

import shutil
from types import SimpleNamespace

import msgspec
import pytest

from quantgate import devices
from quantgate.errors import ConfigurationError
from quantgate.quantize import base, recipes
from tests_fixtures.doubles.fake_llmcompressor import Bench


def test_too_little_memory_and_disk_are_told_before_anything_is_made(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    small = devices.Device(name="CPU", memory_gib=8.0, memory_used_gib=7.0)
    monkeypatch.setattr(devices, "cpu", lambda: small)
    monkeypatch.setattr(base, "_text", lambda _: "")
    with pytest.raises(ConfigurationError, match=r"needs 1\.5 GiB of memory \(0\.0 of weights\), and 1\.0 GiB are free; free some"):
        bench.make()
    monkeypatch.setattr(devices, "cpu", lambda: msgspec.structs.replace(small, memory_used_gib=0.0))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0.05 * 2**30))
    with pytest.raises(ConfigurationError) as error:
        bench.make()
    where = bench.root
    assert str(error.value) == (
        f"-o {bench.output} needs 0.1 GiB in {where}, which has 0.1 GiB free; free some, or name a folder on a larger disk"
    )
    assert bench.left() == []


def test_memory_counts_what_calibration_keeps_between_two_layers(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    # 2^30 tokens of 128 numbers, two bytes each: 256 GiB.
    monkeypatch.setattr(devices, "cpu", lambda: devices.Device(name="CPU", memory_gib=64.0, memory_used_gib=0.0))
    model = base.look("m", bench.model, recipes.choose("NVFP4", None))
    with pytest.raises(ConfigurationError, match=r"needs 257\.5 GiB of memory \(0\.0 of weights, 256\.0 between layers\), and 64\.0"):
        base.require_memory(model, 2**30, is_rotated=False)
    base.require_memory(model, 2**20, is_rotated=True)


def test_a_container_s_limit_counts_where_it_is_nearer(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"memory.max": f"{4 * 2**30}\n", "memory.current": f"{3 * 2**30}\n", "memory.stat": f"anon 5\ninactive_file {2**30}\n"}
    monkeypatch.setattr(base, "_text", lambda file: files[file.name])
    monkeypatch.setattr(devices, "cpu", lambda: devices.Device(name="CPU", memory_gib=64.0, memory_used_gib=0.0))
    assert base.free_memory_gib() == 2.0
    files["memory.max"] = "max\n"
    assert base.free_memory_gib() == 64.0


def test_the_size_to_be_made_is_worked_out_by_hand(bench: Bench) -> None:
    # A layer: 4 · 128 · 128 + 3 · 256 · 128 weights at 4.5 bits; the embedding (64 · 128) and two norms of 128 in BF16.
    model = base.look("m", bench.model, recipes.choose("NVFP4", None))
    plain = 2 * (64 * 128 + 2 * 2 * 128)
    wanted = 2 * (4 * 128 * 128 + 3 * 256 * 128) * 4.5 / 8 + plain
    assert base.made_gib(model, recipes.choose("NVFP4", None), is_rotated=False) == pytest.approx(wanted / 2**30 + 0.1)
    assert base.made_gib(model, recipes.choose("NVFP4", None), is_rotated=True) == pytest.approx((wanted + 2 * 64 * 128) / 2**30 + 0.1)
