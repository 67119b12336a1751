"""The mutants: each differs from its source, twice alike; a harmless one means what its source meant."""

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mutation.catalogue import CATALOGUE
from mutation.mutant import REFERENCE, make, read_weights

if TYPE_CHECKING:
    import torch

SAMPLED = CATALOGUE[::4]
"""Every fourth mutant is made twice more, which is what the time allows."""


def state(folder: Path) -> dict[str, str]:
    """Every file and link below the folder: its content's checksum, and where a link points."""
    found = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            link = f" -> {file.readlink()}" if file.is_symlink() else ""
            found[str(file.relative_to(folder))] = hashlib.sha256(file.read_bytes()).hexdigest() + link
    return found


@pytest.fixture(scope="module")
def sources() -> dict[str, dict[str, str]]:
    return {name: state(REFERENCE / name) for name in ("bf16", "fp8", "nvfp4")}


def test_there_are_enough_mutants_and_no_two_of_one_name() -> None:
    kinds = Counter(mutant.kind for mutant in CATALOGUE)
    assert len({mutant.name for mutant in CATALOGUE}) == len(CATALOGUE)
    assert kinds["numeric"] + kinds["file"] >= 40
    assert kinds["harmless"] >= 10
    assert {mutant.source for mutant in CATALOGUE if mutant.kind == "numeric"} == {"bf16", "fp8", "nvfp4"}


def test_every_name_is_a_folder_s_and_every_summary_one_sentence() -> None:
    for mutant in CATALOGUE:
        assert set(mutant.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-"), mutant.name
        assert mutant.summary.endswith("."), mutant.name
        assert ". " not in mutant.summary, mutant.name
        assert mutant.summary[0].isupper(), mutant.name


@pytest.mark.thorough
def test_every_mutant_differs_from_its_source_and_no_two_are_alike(tmp_path: Path, sources: dict[str, dict[str, str]]) -> None:
    seen: dict[str, str] = {}
    for mutant in CATALOGUE:
        made = state(folder := make(mutant, tmp_path))
        shutil.rmtree(folder)
        assert made != sources[mutant.source], mutant.name
        twin = seen.setdefault(json.dumps([mutant.source, made]), mutant.name)
        assert twin == mutant.name, f"{mutant.name} is {twin}"


@pytest.mark.thorough
def test_a_mutant_is_the_same_every_time(tmp_path: Path) -> None:
    for mutant in SAMPLED:
        one, other = (state(make(mutant, tmp_path / where)) for where in ("one", "other"))
        assert one == other, mutant.name


def meaning(tensors: "dict[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    """Every tensor as the numbers it stands for: NVFP4 and FP8 linears decoded."""
    from mutation.stored import divisor
    from quantgate.vllm_plugin import fp4

    decoded = {}
    for name, tensor in tensors.items():
        prefix, _, last = name.rpartition(".")
        if last == "weight_packed":
            decoded[f"{prefix}.weight"] = fp4.decode(
                tensor, tensors[f"{prefix}.weight_scale"], divisor(tensors, prefix, "weight_global_scale")
            )
        elif last == "weight" and f"{name}_scale" in tensors:
            decoded[name] = tensor.float() * tensors[f"{name}_scale"].float()
        elif last not in ("weight_scale", "weight_global_scale"):
            decoded[name] = tensor.float()
    return decoded


@pytest.mark.thorough
def test_a_harmless_mutant_means_what_its_source_means(tmp_path: Path) -> None:
    from mutation.stored import read_tensors

    for mutant in CATALOGUE:
        if mutant.kind == "harmless":
            found, wanted = read_tensors(make(mutant, tmp_path)), read_weights(REFERENCE / mutant.source)
            assert found.keys() == wanted.keys(), mutant.name
            if any((found[name].float() != wanted[name].float()).any() for name in wanted):
                assert mutant.name in ("harmless-scales-and-divisor-halved", "harmless-negative-zeros"), mutant.name
                found, wanted = meaning(found), meaning(wanted)
            assert all((found[name].float() == wanted[name].float()).all() for name in wanted), mutant.name


def test_a_file_mutant_leaves_the_weights_alone(tmp_path: Path, sources: dict[str, dict[str, str]]) -> None:
    for mutant in CATALOGUE:
        if mutant.kind == "file":
            made = state(make(mutant, tmp_path))
            assert made["model.safetensors"] == sources[mutant.source]["model.safetensors"], mutant.name
