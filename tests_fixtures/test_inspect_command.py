"""Companions by meaning, and the command: what it prints, its exit codes, and what it says of a hub that will not give."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fixtures.checkpoint import inspect_checkpoint
from fixtures.checkpoint.locate import locate
from fixtures.checkpoint.show import show
from fixtures.cli import main
from fixtures.errors import ConfigurationError
from tests_fixtures.made_checkpoints import change, configure, make_pair

Raw = dict[str, Any]


def exchange(raw: Raw) -> None:
    words = raw["model"]["vocab"]
    first, last = list(words)[0], list(words)[-1]  # noqa: RUF015 (both ends)
    words[first], words[last] = words[last], words[first]


EDITS: dict[str, tuple[str, Callable[[Raw], object]]] = {
    "tokenizer": ("tokenizer.json", exchange),
    "chat-template": ("tokenizer_config.json", lambda raw: raw.update(chat_template="{{ messages }}")),
    "tokenizer-eos_token": ("tokenizer_config.json", lambda raw: raw.update(eos_token="<|no|>")),  # noqa: S106 (no password)
    "tokenizer-model_max_length": ("tokenizer_config.json", lambda raw: raw.update(model_max_length=17)),
    "generation-eos_token_id": ("generation_config.json", lambda raw: raw.update(eos_token_id=[4, 5])),
    "generation-temperature": ("generation_config.json", lambda raw: raw.update(temperature=0.7)),
    "config-rope": ("config.json", lambda raw: raw.update(rope_theta=1e6)),
    "config-tie_word_embeddings": ("config.json", lambda raw: raw.update(tie_word_embeddings=False)),
    "config-rms_norm_eps": ("config.json", lambda raw: raw.update(rms_norm_eps=1e-2)),
}


@pytest.mark.parametrize("check", EDITS)
def test_a_companion_that_means_something_else_is_named(check: str, tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "bf16", layers=1)
    for one in (folder, base):
        configure(one, lambda raw: raw.update(rope_theta=10_000, rms_norm_eps=1e-6))
    name, edit = EDITS[check]
    if check == "chat-template":
        (folder / "chat_template.jinja").unlink()
    checks = [one.check for one in inspect_checkpoint(configure(folder, edit, name), base).findings]
    assert check in checks
    assert set(checks) <= {check, "output-layer-missing"}


SAME: dict[str, tuple[str, Callable[[Raw], object]]] = {
    "a truncation saved": (
        "tokenizer.json",
        lambda raw: raw.update(truncation={"direction": "Right", "max_length": 9, "strategy": "LongestFirst", "stride": 0}),
    ),
    "no limit": ("tokenizer_config.json", lambda raw: raw.update(model_max_length=10**30) if "model_max_length" not in raw else None),
    "one end token as a list": ("generation_config.json", lambda raw: raw.update(eos_token_id=[4])),
    "defaults spelt out": ("generation_config.json", lambda raw: raw.update(do_sample=False, temperature=1.0)),
    "angles under the new name": (
        "config.json",
        lambda raw: raw.update(rope_parameters={"rope_theta": raw.pop("rope_theta"), "rope_type": "default"}),
    ),
    "a dtype's old name": ("config.json", lambda raw: raw.update(torch_dtype=raw.pop("dtype"), transformers_version="9")),
}


@pytest.mark.parametrize("way", SAME)
def test_another_way_of_writing_the_same_is_not_named(way: str, tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "bf16", layers=1)
    for one in (folder, base):
        configure(one, lambda raw: raw.update(rope_theta=10_000, dtype="bfloat16"))
    name, edit = SAME[way]
    assert inspect_checkpoint(configure(folder, edit, name), base).findings == []


def test_missing_papers_are_a_note_and_nothing_more(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "bf16", layers=1)
    (folder / "LICENSE").unlink()
    report = inspect_checkpoint(folder)
    assert [(one.severity, one.value) for one in report.findings] == [("note", "no licence")]
    assert report.verdict == "pass"


def test_exit_codes_and_one_json_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, base = make_pair(tmp_path, "nvfp4", layers=2)
    assert main(["inspect", str(folder), "--against", str(base), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["verdict"], report["linears"], report["formats"], report["findings"]) == ("pass", 14, ["NVFP4"], [])
    name = "model.layers.1.mlp.up_proj.input_global_scale"
    change(folder, lambda tensors: tensors[name][1].fill(float("nan")))
    assert main(["inspect", str(folder), "--json"]) == 1
    assert [one["where"] for one in json.loads(capsys.readouterr().out)["findings"]] == [name]
    assert main(["inspect", str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"error: {name}: nan: memory that no calibration wrote to")
    assert lines[1:] == ["fail: 1 error"]
    assert main(["inspect", str(tmp_path / "nowhere"), "--json"]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)


def test_sizes_are_worked_out_by_hand(tmp_path: Path) -> None:
    # 6 matrices of 128x128 and one of each 256x128, counted: q, k, v, o (4 · 16,384) and gate, up, down (3 · 32,768) weights a layer.
    folder, _ = make_pair(tmp_path, "nvfp4", layers=1)
    size = inspect_checkpoint(folder).size
    weights = 4 * 128 * 128 + 3 * 256 * 128
    assert size.bytes_by_dtype == {"U8": weights // 2, "F8_E4M3": weights // 16, "BF16": 2 * (64 * 128 + 2 * 128), "F32": 7 * 2 * 4}
    assert size.bf16_bytes == 2 * (weights + 64 * 128 + 2 * 128)
    assert size.compression_ratio == size.bf16_bytes / size.total_bytes
    assert size.smallest_device == "8 GiB"


def test_a_terminal_shows_it_within_100_columns(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "nvfp4", layers=2)
    change(folder, lambda tensors: tensors["model.layers.1.mlp.up_proj.weight_packed"][1].fill(0x21))
    with (tmp_path / "out").open("w", encoding="utf-8") as file:
        show(inspect_checkpoint(folder, base), Console(file=file, force_terminal=True, width=140, color_system=None))
    lines = (tmp_path / "out").read_text(encoding="utf-8").splitlines()
    assert max(map(len, lines)) <= 100
    assert any("mlp.up_proj" in line and line.startswith("error") for line in lines)


def test_a_hub_id_is_resolved_into_the_cache_and_a_folder_is_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fixtures.hub.fetch", lambda name, revision, _: tmp_path / f"{name}@{revision}")
    assert locate("org/name", "abc") == tmp_path / "org/name@abc"
    assert locate(str(tmp_path)) == tmp_path
    with pytest.raises(ConfigurationError, match="no such folder"):
        locate("./org/name")
    with pytest.raises(ConfigurationError, match="--revision=abc belongs to a hub id"):
        locate(str(tmp_path), "abc")
