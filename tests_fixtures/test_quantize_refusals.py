"""What `quantgate quantize` refuses, one sentence each, before anything is made: options, models, disks, memories, recipes."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from fixtures import devices
from fixtures.errors import ConfigurationError
from fixtures.quantize import base, recipes
from tests_fixtures.fake_llmcompressor import Bench
from tests_fixtures.made_checkpoints import configure


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


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


Edit = Callable[[Bench], object]


def replaced(**keys: Any) -> Edit:
    return lambda bench: configure(bench.model, lambda raw: raw.update(keys))


def pickled(bench: Bench) -> None:
    (bench.model / "model.safetensors").rename(bench.model / "pytorch_model.bin")


def quantized(bench: Bench) -> None:
    bench.model = bench.checkpoint


REFUSALS: dict[str, tuple[dict[str, Any], Edit | None, str]] = {
    "unknown scheme": ({"scheme": "NVFP"}, None, r"--scheme NVFP: no such scheme \(did you mean NVFP4\?\); there are NVFP4, .*W4A16, and"),
    "uncalibrated": ({"calibrate": None}, None, r"NVFP4 needs to see activations: .*--calibrate ultrachat .*--repair-input-scales$"),
    "both": ({"repair_input_scales": True}, None, r"--repair-input-scales stands in for calibration; leave it out, or --calibrate"),
    "nothing to repair": (
        {"scheme": "FP8_DYNAMIC", "calibrate": None, "repair_input_scales": True},
        None,
        "FP8_DYNAMIC has no input scales",
    ),
    "needs no data": ({"scheme": "FP8_BLOCK"}, None, r"--scheme FP8_BLOCK uses no calibration data; leave --calibrate and --data-dir out"),
    "unknown data": ({"calibrate": "wiki"}, None, r"--calibrate wiki: no data set; name ultrachat, reference, a hub id \(org/name\), or a"),
    "no samples": ({"samples": 0}, None, r"--samples 0: at least 1 is needed"),
    "quantized": ({}, quantized, r"is quantized already \(NVFP4\); name the BF16 original"),
    "pickles": ({}, pickled, r"holds its weights as pickles alone \(pytorch_model.bin\), which run code"),
    "no config": ({}, lambda bench: (bench.model / "config.json").unlink(), r"is no model: there is no config.json in .*original; name a"),
    "own code": ({}, replaced(auto_map={"AutoModel": "m.M"}), r"brings code of its own \(auto_map in config.json\), which is not run here"),
    "experts": ({}, replaced(num_experts=8), r"has num_experts in config.json: parts of it must stay .* give it with --recipe"),
    "cut off": (
        {},
        lambda bench: os.truncate(bench.model / "model.safetensors", 300_000),
        r"is not whole: model.safetensors: 300,000 of .* bytes: cut off",
    ),
    "no rotation": ({"rotate": True}, replaced(model_type="gemma2"), r"--rotate: .* is a gemma2; .* known of llama, mistral, qwen2, qwen3"),
    "no rule": ({"calibrate": None, "repair_input_scales": True}, replaced(model_type="gemma2"), r"is a gemma2; the rule holds for llama,"),
    "no such activation": ({"calibrate": None, "repair_input_scales": True}, replaced(hidden_act="relu2"), "has the activation relu2; the"),
    "nowhere": ({"model": "./nowhere"}, None, r"./nowhere: there is no such folder, and a hub id looks like org/name"),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_what_cannot_be_done_is_one_sentence_and_nothing_is_left(why: str, bench: Bench) -> None:
    asked, edit, said = REFUSALS[why]
    if edit is not None:
        edit(bench)
    with pytest.raises(ConfigurationError, match=said) as error:
        bench.make("sys.exit('was run')", **asked)
    assert "\n" not in str(error.value)
    assert not bench.output.parent.exists()


def test_an_output_that_exists_is_refused_and_left_alone(bench: Bench) -> None:
    bench.output.parent.mkdir()
    bench.output.symlink_to("nowhere")
    with pytest.raises(ConfigurationError, match=rf"^-o {bench.output} exists already; remove it, or name another folder$"):
        bench.make()
    assert bench.output.is_symlink()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("s_stage:\n  m_modifiers:\n    SpinQuantModifier:\n      rotations: [R1, R4]\n", "SpinQuant's R4 is applied while the model runs"),
        ("modifiers: []\n", "is no recipe: it has no stage"),
    ],
)
def test_recipes_that_cannot_be_served_are_refused(text: str, said: str, bench: Bench) -> None:
    (bench.root / "own.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=said):
        bench.make(scheme=None, recipe=bench.root / "own.yaml")
