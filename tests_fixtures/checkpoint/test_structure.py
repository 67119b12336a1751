"""Structure: what the configuration promises against what lies there; shards against their index."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantgate.checkpoint.encoding import Tensor, write_shard
from quantgate.checkpoint.findings import Finding, grouped
from quantgate.checkpoint.inspection import inspect_checkpoint
from quantgate.checkpoint.names import fused_with, kind_of, layer_of
from quantgate.checkpoint.shards import INDEX
from quantgate.checkpoint.storage import row_blocks
from quantgate.errors import ConfigurationError
from tests_fixtures.doubles.made_checkpoints import FORMATS, change, configure, make_pair, read

Q0 = "model.layers.0.self_attn.q_proj"


def found(folder: Path, base: Path | None = None) -> dict[str, Finding]:
    """Check → finding, errors and warnings."""
    return {one.check: one for one in inspect_checkpoint(folder, base).findings if one.severity != "note"}


@pytest.mark.parametrize("form", FORMATS)
def test_a_sound_checkpoint_has_no_findings(form: str, tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, form, seed=len(form), hidden=256, layers=3, tails=True)
    report = inspect_checkpoint(folder, base)
    assert (report.findings, report.verdict) == ([], "pass")
    assert report.linears == (0 if form == "bf16" else 21)


def test_modelopt_s_own_file_is_read_where_config_json_says_nothing(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "modelopt-nvfp4", layers=2)
    configure(folder, lambda raw: raw.pop("quantization_config"))
    quantization = {"quant_algo": "NVFP4", "group_size": 16, "kv_cache_quant_algo": None, "exclude_modules": ["lm_head"]}
    told = {"producer": {"name": "modelopt"}, "quantization": quantization}
    (folder / "hf_quant_config.json").write_text(json.dumps(told), encoding="utf-8")
    assert found(folder, base) == {}
    told["quantization"] = {"quant_algo": "NVFP5"}
    (folder / "hf_quant_config.json").write_text(json.dumps(told), encoding="utf-8")
    assert "quant_algo is NVFP5" in found(folder)["quantization-config"].value


def stored(name: str, dtype: str, raw: Any) -> Callable[[dict[str, Tensor]], object]:
    """The edit that puts a tensor there."""
    return lambda tensors: tensors.update({name: (dtype, raw)})


def every_other_scale(tensors: dict[str, Tensor]) -> None:
    tensors[f"{Q0}.weight_scale"] = ("F8_E4M3", tensors[f"{Q0}.weight_scale"][1][:, ::2].copy())


def not_quantized(tensors: dict[str, Tensor]) -> None:
    del tensors[f"{Q0}.weight_packed"]
    tensors[f"{Q0}.weight"] = ("BF16", np.zeros((128, 128), np.uint16))


EMBEDDING = "model.embed_tokens.weight"
EDITS: dict[str, tuple[str, Callable[[dict[str, Tensor]], object]]] = {
    "tensor-missing": ("promised by NVFP4", lambda t: t.pop(f"{Q0}.weight_scale")),
    "tensor-dtype": ("U8, promised F8_E4M3", lambda t: t.update({f"{Q0}.weight_scale": ("U8", t[f"{Q0}.weight_scale"][1])})),
    "tensor-shape": ("[128, 4], promised [128, 8]", every_other_scale),
    "tensor-besides": ("I32", lambda t: t.update({f"{Q0}.weight_g_idx": ("I32", np.zeros(128, np.int32))})),
    "not-quantized": ("BF16, promised NVFP4", not_quantized),
    "quantized-although-ignored": ("ignore in the configuration", stored("lm_head.weight", "F8_E4M3", np.ones((64, 128), np.uint8))),
    "plain-not-finite": ("1 of 128", lambda t: t["model.layers.1.input_layernorm.weight"][1].__setitem__(3, 0x7FC0)),
    "changed-norm": ("1 of 128 values differ", lambda t: t["model.layers.1.input_layernorm.weight"][1].__setitem__(3, 0x4000)),
    "plain-dtype-or-shape": ("[32, 128], the base's BF16 [64, 128]", lambda t: t.update({EMBEDDING: ("BF16", t[EMBEDDING][1][:32])})),
    "tensor-not-in-base": ("F32", lambda t: t.update({"model.rotary": ("F32", np.ones(4, np.float32))})),
    "layer-besides": ("2 layers promised", stored("model.layers.2.input_layernorm.weight", "BF16", np.ones(128, np.uint16))),
    "cache-scales-besides": ("1 modules", lambda t: t.update({"model.layers.0.self_attn.k_scale": ("F32", np.ones(1, np.float32))})),
}  # fmt: skip


@pytest.mark.parametrize("check", EDITS)
def test_a_changed_tensor_is_named_with_what_was_seen(check: str, tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "nvfp4", layers=2)
    value, edit = EDITS[check]
    seen = found(change(folder, edit), base)
    assert value in seen[check].value
    assert seen.keys() - {check} <= {"changed-tensor", "embedding-shape", "tensor-not-in-base"}


CONFIGURATIONS: dict[str, tuple[str, Callable[[dict[str, Any]], object]]] = {
    "quantization-config": ("group_size is 32; NVFP4 has 16", lambda q: q["config_groups"]["group_0"]["weights"].update(group_size=32)),
    "fused-parts-differ": ("NVFP4 and not quantized", lambda q: q["ignore"].append(Q0)),
    "not-quantized": (
        "BF16, promised NVFP4",
        lambda q: (q.update(ignore=[]), q["config_groups"]["group_0"].update(targets=["Linear", "lm_head"])),
    ),
    "cache-scales-missing": ("none stored", lambda q: q.update(kv_cache_scheme={"num_bits": 8, "type": "float", "dynamic": False})),
}


@pytest.mark.parametrize("check", CONFIGURATIONS)
def test_a_configuration_that_does_not_fit_the_weights_is_named(check: str, tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "nvfp4", layers=2)
    change(folder, lambda t: t.update({"lm_head.weight": ("BF16", np.ones((64, 128), np.uint16))}))
    value, edit = CONFIGURATIONS[check]
    assert value in found(configure(folder, lambda raw: edit(raw["quantization_config"])))[check].value


def test_quantized_tensors_without_a_configuration_are_named_once(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "nvfp4", layers=2)
    seen = found(configure(folder, lambda raw: raw.pop("quantization_config")))
    assert seen["no-quantization-config"].count == 14


def test_a_layer_without_a_tensor_that_the_others_have_is_found_without_a_base(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "bf16", layers=4)
    seen = found(change(folder, lambda t: t.pop("model.layers.2.mlp.up_proj.weight")))
    assert seen["tensor-missing"].where == "model.layers.2.mlp.up_proj.weight"
    configure(folder, lambda raw: raw.update(num_hidden_layers=5))
    assert found(folder)["layer-missing"].where == "model.layers.4"


def sharded(tmp_path: Path) -> Path:
    folder, _ = make_pair(tmp_path, "bf16", layers=2)
    tensors = read(folder)
    (folder / "model.safetensors").unlink()
    names = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    where = {name: names[place % 2] for place, name in enumerate(tensors)}
    for shard in names:
        write_shard({name: tensors[name] for name in tensors if where[name] == shard}, folder / shard)
    size = sum(raw.nbytes for _, raw in tensors.values())
    (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": size}, "weight_map": where}), encoding="utf-8")
    return folder


def cut(file: Path, size: int) -> None:
    file.write_bytes(file.read_bytes()[:size])


def lengthen(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"more")


SHARDS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "shard-missing": ("9 tensors", lambda folder: (folder / "model-00002-of-00002.safetensors").unlink()),
    "shard-truncated": ("bytes", lambda folder: cut(folder / "model-00002-of-00002.safetensors", 20_000)),
    "shard-unreadable": ("9 tensors", lambda folder: cut(folder / "model-00002-of-00002.safetensors", 100)),
    "shard-too-long": ("bytes", lambda folder: lengthen(folder / "model-00002-of-00002.safetensors")),
    "index-total-size": ("total_size 1", lambda folder: configure(folder, lambda raw: raw["metadata"].update(total_size=1), INDEX)),
    "index-without-tensor": (
        "model-00001",
        lambda folder: configure(folder, lambda raw: raw["weight_map"].update(ghost="model-00001-of-00002.safetensors"), INDEX),
    ),
    "index-malformed": ("KeyError", lambda folder: configure(folder, lambda raw: raw.pop("weight_map"), INDEX)),
}  # fmt: skip


@pytest.mark.parametrize("check", SHARDS)
def test_a_broken_shard_is_one_finding_and_not_one_for_each_of_its_tensors(check: str, tmp_path: Path) -> None:
    folder = sharded(tmp_path)
    assert found(folder) == {}
    value, damage = SHARDS[check]
    damage(folder)
    seen = found(folder)
    assert list(seen) == [check]
    assert value in seen[check].value


def test_what_is_no_checkpoint_is_refused_in_one_sentence(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "nvfp4", layers=1)
    with pytest.raises(ConfigurationError, match="is quantized itself"):
        inspect_checkpoint(base, folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ConfigurationError, match=r"pickles alone \(pytorch_model.bin\)"):
        inspect_checkpoint(folder)
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(ConfigurationError, match=r"holds no \*\.safetensors file"):
        inspect_checkpoint(folder)
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="a pointer that git-lfs left"):
        inspect_checkpoint(folder)


def test_a_base_of_another_size_is_one_finding(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path / "one", "nvfp4", layers=1)
    _, other = make_pair(tmp_path / "other", "nvfp4", hidden=256, layers=2)
    seen = found(folder, other)
    assert list(seen) == ["other-model"]
    assert seen["other-model"].value == "hidden_size 128 and 256, num_hidden_layers 1 and 2"


def test_names_tell_layer_kind_and_fused_parts() -> None:
    assert (layer_of(Q0), layer_of("lm_head.weight")) == (0, None)
    assert kind_of("model.layers.3.mlp.experts.17.w1") == "model.layers.*.mlp.experts.*.w1"
    assert fused_with("a.0.mlp.up_proj") == ("a.0.mlp.gate_proj", "a.0.mlp.up_proj")
    assert fused_with("a.0.mlp.down_proj") == ("a.0.mlp.down_proj",)


def test_findings_of_one_kind_are_one_line_with_the_worst() -> None:
    def finding(where: str, badness: float) -> Finding:
        return Finding(severity="error", area="scales", check="c", where=where, value=where, meaning="m", badness=badness)

    note = Finding(severity="note", area="size", check="n", where="w", value="v", meaning="m")
    merged = grouped([note, finding("a", 1), finding("b", 3), finding("c", 2)])
    assert [(one.check, one.where, one.count) for one in merged] == [("c", "b", 3), ("n", "w", 1)]
    assert merged[0].places == ["a", "b", "c"]


def test_blocks_of_rows_cover_all_rows_once_in_multiples() -> None:
    assert row_blocks(10, 4, block_bytes=16) == [(0, 4), (4, 8), (8, 10)]
    assert row_blocks(300, 100, multiple=128, block_bytes=13_000) == [(0, 128), (128, 256), (256, 300)]
    assert row_blocks(3, 10**9, block_bytes=16) == [(0, 1), (1, 2), (2, 3)]
