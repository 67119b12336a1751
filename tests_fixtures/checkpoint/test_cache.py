"""Scales of the KV cache: values, gaps, places, and a scheme that nobody follows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantgate.checkpoint.encoding import Tensor
from quantgate.checkpoint.inspection import inspect_checkpoint
from tests_fixtures.doubles.made_checkpoints import change, configure, make_pair

Tensors = dict[str, Tensor]
SCHEME = {"type": "float", "num_bits": 8, "strategy": "tensor", "symmetric": True, "dynamic": False}
NAMES = {"fp8-dynamic": "model.layers.{}.self_attn.{}_scale", "modelopt-fp8": "model.layers.{0}.self_attn.{1}_proj.{1}_scale"}


def made(root: Path, form: str, edit: Callable[[Tensors, str], object] = lambda *_: None) -> Path:
    """A checkpoint with k and v scales of 0.02 in all four layers; `edit` also gets the pattern of their names."""
    folder, _ = make_pair(root, form)
    names = NAMES[form]

    def add(tensors: Tensors) -> None:
        tensors.update({names.format(layer, kind): ("F32", np.full(1, 0.02, np.float32)) for layer in range(4) for kind in "kv"})
        edit(tensors, names)

    configure(folder, lambda raw: raw["quantization_config"].update(kv_cache_scheme=SCHEME))
    return change(folder, add)


def put(value: float, *kinds: str) -> Callable[[Tensors, str], object]:
    def edit(tensors: Tensors, names: str) -> None:
        for kind in kinds:
            tensors[names.format(2, kind)][1][...] = value

    return edit


def without(*layers: int) -> Callable[[Tensors, str], object]:
    return lambda tensors, names: [tensors.pop(names.format(layer, kind)) for layer in layers for kind in "kv"]


def seen(folder: Path) -> dict[str, str]:
    return {one.check: one.severity for one in inspect_checkpoint(folder).findings if one.severity != "note"}


CASES: dict[str, tuple[Callable[[Tensors, str], object], dict[str, str], dict[str, str]]] = {
    "sound": (lambda *_: None, {}, {}),
    "k of 0": (put(0, "k"), {"cache-scale-not-positive": "error"}, {"cache-scale-not-positive": "error"}),
    "v of 0": (put(0, "v"), {"cache-scale-not-positive": "error"}, {"cache-scale-not-positive": "error"}),
    "k below 0": (put(-1, "k"), {"cache-scale-not-positive": "warning"}, {"cache-scale-not-positive": "error"}),
    "v below 0": (put(-1, "v"), {"cache-scale-not-positive": "warning"}, {"cache-scale-not-positive": "warning"}),
    "both below 0": (put(-1, "k", "v"), {"cache-scale-not-positive": "warning"}, {"cache-scale-not-positive": "warning"}),
    "NaN": (put(np.nan, "k"), {"plain-not-finite": "error"}, {"plain-not-finite": "error"}),
    "one layer without": (without(2), {"cache-scales-missing": "warning"}, {"cache-scales-missing": "warning"}),
    "three layers without": (without(0, 1, 3), {"cache-scales-missing": "warning"}, {"cache-scales-missing": "warning"}),
    "none": (without(0, 1, 2, 3), {"cache-scales-missing": "warning"}, {"cache-scales-missing": "warning"}),
}


@pytest.mark.parametrize("form", NAMES)
@pytest.mark.parametrize("way", CASES)
def test_scales_of_the_cache_are_judged_by_what_vllm_makes_of_them(way: str, form: str, tmp_path: Path) -> None:
    edit, as_they_are, modelopt = CASES[way]
    assert seen(made(tmp_path, form, edit)) == (as_they_are if form == "fp8-dynamic" else modelopt)


def test_a_gap_says_how_many_layers_have_none(tmp_path: Path) -> None:
    found = next(one for one in inspect_checkpoint(made(tmp_path, "fp8-dynamic", without(1, 3))).findings if one.severity == "warning")
    assert (found.where, found.value) == ("model.layers.1", "2 of 4 layers have no scales for the KV cache")


def moved_to_a_tower(tensors: Tensors, names: str) -> None:
    for layer in range(4):
        for kind in "kv":
            tensors[f"visual.blocks.{layer}.attn.{kind}_scale"] = tensors.pop(names.format(layer, kind))


def test_a_vision_tower_keeps_no_cache(tmp_path: Path) -> None:
    assert seen(made(tmp_path / "alone", "fp8-dynamic", moved_to_a_tower)) == {"cache-scales-missing": "warning"}

    def besides(tensors: Tensors, _: str) -> None:
        tensors["visual.blocks.0.attn.k_scale"] = ("F32", np.full(1, 0.02, np.float32))

    assert seen(made(tmp_path / "besides", "fp8-dynamic", besides)) == {"cache-scales-in-tower": "warning"}


@pytest.mark.parametrize("scheme", ["NVFP4", "FP8", {"type": "float", "num_bits": 4}])
def test_modelopt_s_scheme_that_vllm_passes_over_is_told(scheme: Any, tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "modelopt-nvfp4")
    configure(folder, lambda raw: raw["quantization_config"].update(kv_cache_scheme=scheme))
    assert seen(folder).get("cache-scheme") == "warning"


@pytest.mark.parametrize("scheme", ["NVFP4", 8, ["float"]])
def test_a_scheme_that_is_no_object_ends_in_a_sentence(scheme: Any, tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "fp8-dynamic")
    configure(folder, lambda raw: raw["quantization_config"].update(kv_cache_scheme=scheme))
    found = next(one for one in inspect_checkpoint(folder).findings if one.check == "quantization-config")
    assert f"kv_cache_scheme is {scheme!r}" in found.value


def test_scales_that_nobody_asks_for_are_named(tmp_path: Path) -> None:
    folder = made(tmp_path, "fp8-dynamic")
    configure(folder, lambda raw: raw["quantization_config"].pop("kv_cache_scheme"))
    assert seen(folder) == {"cache-scales-besides": "warning"}
