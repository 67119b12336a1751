"""Fidelity: figures worked out by hand, and for each way of being wrong the words that name it."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from quantgate.checkpoint import schemes
from quantgate.checkpoint.decode import Linear
from quantgate.checkpoint.encoding import Tensor, bf16, encode, write_shard
from quantgate.checkpoint.fidelity import compare
from quantgate.checkpoint.findings import Finding
from quantgate.checkpoint.inspection import inspect_checkpoint
from quantgate.checkpoint.numerics import bf16_to_fp32
from quantgate.checkpoint.schemes import Scheme
from quantgate.checkpoint.storage import Weights, read_header
from quantgate.checkpoint.yardstick import decibels
from tests_fixtures.doubles.made_checkpoints import change, make_pair, read

O1, O2, DOWN = "model.layers.1.self_attn.o_proj", "model.layers.2.self_attn.o_proj", "model.layers.1.mlp.down_proj"
CHANNEL = Scheme(label="FP8", codes="fp8", bits=8, strategy="channel")


def test_figures_of_a_linear_are_worked_out_by_hand(tmp_path: Path) -> None:
    # w = (3, 4) in FP8 codes 3 and 4 under a scale of 2: d = 2w, so noise = signal = 25 a row, gain 2, cosine 1.
    write_shard({"m.weight": bf16(np.array([[3, 4]] * 2, np.float32))}, tmp_path / "base.safetensors")
    stored: dict[str, Tensor] = {
        "m.weight": ("F8_E4M3", np.array([[0x44, 0x48]] * 2, np.uint8)),
        "m.weight_scale": ("F32", np.full((2, 1), 2, np.float32)),
    }
    write_shard(stored, tmp_path / "own.safetensors")
    with Weights(read_header(tmp_path / "own.safetensors")) as own, Weights(read_header(tmp_path / "base.safetensors")) as base:
        found = compare(Linear("m", CHANNEL, own, 2, 2), base).fidelity
    assert (found.sqnr_db, found.relative_error, found.gain, found.rows) == (0.0, 1.0, 2.0, 2)
    assert found.cosine == pytest.approx(1.0)
    assert found.expected_db > 20


def test_decibels_of_nothing_and_of_no_number() -> None:
    assert decibels(100, 1) == 20
    assert decibels(1, 0) == math.inf
    assert decibels(0, 1) == -math.inf
    assert math.isnan(decibels(0, 0))
    assert math.isnan(decibels(1, math.nan))


def findings(folder: Path, base: Path, edit: Callable[[dict[str, Tensor]], object]) -> dict[str, Finding]:
    report = inspect_checkpoint(change(folder, edit), base)
    return {one.check: one for one in report.findings if one.area == "fidelity"}


def scaled(name: str, factor: float, rows: slice = slice(None)) -> Callable[[dict[str, Tensor]], object]:
    def edit(tensors: dict[str, Tensor]) -> None:
        tensors[f"{name}.weight_scale"][1][rows] *= factor

    return edit


def swap_nibbles(tensors: dict[str, Tensor]) -> None:
    codes = tensors[f"{O1}.weight_packed"][1]
    codes[...] = (codes >> 4) | (codes << 4)


def shift_groups(tensors: dict[str, Tensor]) -> None:
    codes = tensors[f"{DOWN}.weight_scale"][1]
    codes[...] = np.roll(codes, 1, -1)


def stale(tensors: dict[str, Tensor]) -> None:
    tensors[f"{O1}.weight_packed"] = tensors[f"{O2}.weight_packed"]


def towards_zero(tensors: dict[str, Tensor]) -> None:
    codes = tensors[f"{O1}.weight"][1]
    codes &= 0xFC


def other_revision(tensors: dict[str, Tensor]) -> None:
    drawn = np.random.default_rng(99).standard_normal((256, 256), np.float32) * np.float32(0.04)
    for part, tensor in encode(CHANNEL, drawn).items():
        tensors[f"{O1}.{part}"] = tensor


WAYS = {
    "nibbles": ("nvfp4", "fidelity-nibbles", swap_nibbles),
    "groups": ("nvfp4", "fidelity-groups-shifted", shift_groups),
    "codes of another layer": ("nvfp4", "another-layer", stale),
    "zeros": ("nvfp4", "fidelity-zero", lambda tensors: tensors[f"{O1}.weight_packed"][1].fill(0)),
    "twice": ("fp8-dynamic", "fidelity-scaled", scaled(O1, 2.0)),
    "a few rows twice": ("fp8-dynamic", "fidelity-rows", scaled(O1, 2.0, slice(0, 40))),
    "one row of 256 a little off": ("fp8-dynamic", "rows-apart", scaled(O1, 1.08, slice(9, 10))),
    "all a little off": ("fp8-dynamic", "fidelity-low", scaled(O1, 1.018)),
    "mantissa lost": ("fp8-dynamic", "fidelity-towards-zero", towards_zero),
    "other weights": ("fp8-dynamic", "fidelity-unrelated", other_revision),
    "not a number": ("fp8-dynamic", "decode-not-finite", scaled(O1, math.nan, slice(0, 1))),
    "blocks": (
        "qwen-fp8",
        "fidelity-scaled",
        lambda tensors: np.multiply(tensors[f"{O1}.weight_scale_inv"][1], 4, out=tensors[f"{O1}.weight_scale_inv"][1]),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_decode_is_named_for_what_it_is(way: str, tmp_path: Path) -> None:
    form, check, edit = WAYS[way]
    folder, base = make_pair(tmp_path, form, seed=3, hidden=256)
    seen = findings(folder, base, edit)
    assert list(seen) == [check]
    assert seen[check].where == (DOWN if way == "groups" else O1)
    assert seen[check].count == 1


def test_what_changes_nothing_is_not_found(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "nvfp4", seed=4, hidden=256)

    def halved_twice(tensors: dict[str, Tensor]) -> None:
        scales = tensors[f"{O1}.weight_scale"][1]
        assert scales.min() > 0x10
        scales -= 8
        tensors[f"{O1}.weight_global_scale"][1][...] /= 2

    assert findings(folder, base, halved_twice) == {}


def test_exchanged_layers_are_found_by_their_weights(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "int4", seed=5)

    def exchanged(tensors: dict[str, Tensor]) -> None:
        for name in [name for name in tensors if name.startswith("model.layers.1.")]:
            twin = name.replace("layers.1.", "layers.3.")
            tensors[name], tensors[twin] = tensors[twin], tensors[name]

    seen = findings(folder, base, exchanged)
    assert {check: one.count for check, one in seen.items()} == {"another-layer": 14}
    assert "with model.layers." in seen["another-layer"].value


@pytest.mark.parametrize(
    "scheme", [schemes.nvfp4(activations=True), CHANNEL, schemes.block_fp8((128, 128))], ids=["nvfp4", "fp8", "fp8-block"]
)
def test_a_matrix_larger_than_the_yardstick_s_sample_is_expected_from_the_sample(scheme: Scheme, tmp_path: Path) -> None:
    # Rows of sizes from 1 to 1,000: the sample's rows stand for all of them because formats scale with their rows.
    drawn = np.random.default_rng(8).standard_normal((700, 2048), np.float32) * np.geomspace(1e-3, 1, 700, dtype=np.float32)[:, None]
    raw = bf16(drawn)
    write_shard({"m.weight": raw}, tmp_path / "base.safetensors")
    write_shard({f"m.{part}": tensor for part, tensor in encode(scheme, bf16_to_fp32(raw[1])).items()}, tmp_path / "own.safetensors")
    with Weights(read_header(tmp_path / "own.safetensors")) as own, Weights(read_header(tmp_path / "base.safetensors")) as base:
        found = compare(Linear("m", scheme, own, 700, 2048), base).fidelity
    assert abs(found.sqnr_db - found.expected_db) < 0.5
    assert found.bad_rows == 0


def test_the_worst_linears_come_first(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "fp8-dynamic", seed=6)
    worst = inspect_checkpoint(change(folder, scaled(O2, 1.5)), base).worst
    assert (len(worst), worst[0].name) == (10, O2)
    assert len(read(folder)) == 9 + 4 * 7 * 2
