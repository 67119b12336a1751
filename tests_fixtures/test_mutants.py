"""The mutants: each does what it says, twice alike; a harmless one means what its source meant; truth decodes as others do."""

import hashlib
import json
import math
import random
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.mutants.catalogue import CATALOGUE
from fixtures.mutants.mutant import REFERENCE, Mutant, make, read_weights
from fixtures.reference.questions import held_out

if TYPE_CHECKING:
    import torch

DOWN = "model.layers.3.mlp.down_proj"
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


def named(name: str) -> Mutant:
    return next(mutant for mutant in CATALOGUE if mutant.name == name)


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
    from fixtures import fp4
    from fixtures.mutants.stored import divisor

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
    from fixtures.mutants.stored import read_tensors

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


def test_four_bits_and_three_scales_are_worked_out_by_hand() -> None:
    # Byte 0xD2 is the codes 2 and 13, low one first: 1 and -3. Group scales 2 and 0.5 over a divisor of 4.
    import torch

    from fixtures import fp4

    packed = torch.full((1, 16), 0xD2, dtype=torch.uint8)
    scales = torch.tensor([[2.0, 0.5]]).to(torch.float8_e4m3fn)
    decoded = fp4.decode(packed, scales, torch.tensor([4.0]))
    assert decoded.tolist() == [[0.5, -1.5] * 8 + [0.125, -0.375] * 8]


def test_packing_is_the_inverse_of_unpacking_for_every_byte() -> None:
    import torch

    from fixtures import fp4

    every = torch.arange(256, dtype=torch.uint8).reshape(2, 128)
    assert torch.equal(fp4.pack(fp4.unpack(every)), every)


def test_quantizing_the_original_again_gives_what_is_stored_nearly_everywhere() -> None:
    import torch

    from fixtures.mutants.nvfp4_edits import quantized

    stored = read_weights(REFERENCE / "nvfp4")
    weight = read_weights(REFERENCE / "bf16")[f"{DOWN}.weight"].float()
    packed, scales = quantized(weight, stored[f"{DOWN}.weight_global_scale"])
    # llm-compressor finds group scales in BF16: a few are one FP8 step away from those found in FP32.
    assert (scales.float() == stored[f"{DOWN}.weight_scale"].float()).float().mean() > 0.95
    assert torch.eq(packed, stored[f"{DOWN}.weight_packed"]).float().mean() > 0.95


def test_of_fused_parts_the_largest_divisor_counts_and_a_nan_stays() -> None:
    import torch

    from fixtures.mutants.stored import divisor

    block = "model.layers.0.self_attn"
    tensors = {
        f"{block}.{part}_proj.weight_global_scale": torch.tensor([value]) for part, value in zip("qkv", (3.0, 5.0, 4.0), strict=True)
    }
    assert divisor(tensors, f"{block}.q_proj", "weight_global_scale").tolist() == [5.0]
    tensors[f"{block}.v_proj.weight_global_scale"] = torch.tensor([math.nan])
    assert divisor(tensors, f"{block}.q_proj", "weight_global_scale").isnan().all()


def difference(mutant: str, tensor: str, tmp_path: Path) -> Any:
    """The mutant's tensor and its source's, both FP32."""
    one = named(mutant)
    return read_weights(make(one, tmp_path))[tensor].float(), read_weights(REFERENCE / one.source)[tensor].float()


def test_doubling_scales_ends_at_what_fp8_can_hold(tmp_path: Path) -> None:
    made, before = difference("nvfp4-down3-scales-doubled", f"{DOWN}.weight_scale", tmp_path)
    assert (made == (2 * before).clamp(max=448)).all()
    assert (made == 448).float().mean() > 0.05


def test_swapped_nibbles_are_swapped(tmp_path: Path) -> None:
    made, before = difference("nvfp4-v3-nibbles-swapped", "model.layers.3.self_attn.v_proj.weight_packed", tmp_path)
    assert (made == 16 * (before % 16) + before // 16).all()


def test_a_wrong_rope_theta_stands_under_both_names(tmp_path: Path) -> None:
    config = json.loads((make(named("nvfp4-rope-theta-of-another-model"), tmp_path) / "config.json").read_text(encoding="utf-8"))
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 1e6


def test_the_large_sample_shares_nothing_with_the_suites_and_is_held_out() -> None:
    from fixtures import suites
    from fixtures.mutants import sample

    asked, suite = sample.asked(400), suites.reference_questions(None)
    assert Counter(question.group for question in asked) == dict.fromkeys({question.group for question in suite.questions}, 80)
    assert not {question.prompt for question in asked} & {question.prompt for question in suite.questions}
    assert all(held_out(question.prompt) for question in asked)
    beginnings = {" ".join(document.text.split()[:20]) for document in suites.reference_text(None).documents}
    assert not beginnings & {" ".join(document.split()[:20]) for document in sample.documents(64)}


def test_a_level_gives_out_when_all_its_held_out_questions_are_drawn() -> None:
    from fixtures.mutants.sample import distinct

    seen = {"multiply 999 9"}
    found = distinct(random.Random(1), "multiply", 31, 600, seen)
    # 900 · 9 products, of which one in sixteen is held out: 506 expected, standard deviation sqrt(8,100/16 · 15/16) = 21.8.
    products = [f"multiply {left} {right}" for left in range(100, 1000) for right in range(1, 10)]
    assert {question.prompt for question in found} == {product for product in products if held_out(product)} - {"multiply 999 9"}
    assert len(found) < 600
    assert {question.prompt for question in found} < seen


def loss(nll: list[float], correct: list[bool]) -> Any:
    from fixtures.mutants.loss import Loss

    return Loss(nll, [10] * len(nll), correct)


def test_a_loss_against_its_base_is_worked_out_by_hand() -> None:
    from fixtures.mutants.truth import against

    # 30 tokens at 1 nat, then at 1.1: ratio e^0.1, ln 1.05 = 0.04879 tolerated. Two of four right become one of four: 25 points.
    base, measured = loss([10, 10, 10], [True, True, False, False]), loss([10, 11, 12], [True, False, False, False])
    found = against(base, measured, {"perplexity_ratio": 1.05, "accuracy_points": 50.0})
    assert found["perplexity_ratio"] == pytest.approx(math.exp(0.1))
    assert found["accuracy_drop_points"] == 25
    assert found["discordance"] == 0.25
    assert found["multiple"] == pytest.approx(0.1 / math.log(1.05))
    assert found["harmful"]
    # Differences 0, 1, 2: standard deviation 1, so sqrt(3) / 30 a token.
    assert found["ln_ratio_standard_error"] == pytest.approx(math.sqrt(3) / 30)


def test_a_loss_that_is_no_number_is_void_and_harmful() -> None:
    from fixtures.mutants.truth import against

    void = against(loss([10.0], [True]), loss([math.nan], [False]), {"perplexity_ratio": 1.05, "accuracy_points": 4.0})
    assert void == {"void": True, "harmful": True, "multiple": None}
