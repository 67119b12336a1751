"""Weights that are meant not to be the base's rounded ones: one warning that guesses why, and damage stays damage beside it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from quantgate.checkpoint.encoding import Tensor, bf16, encode, write_shard
from quantgate.checkpoint.inspection import inspect_checkpoint
from quantgate.checkpoint.names import fused_with
from quantgate.checkpoint.numerics import Floats, bf16_to_fp32
from tests_fixtures.doubles.made_checkpoints import FORMATS, change, make_pair, plan_of, read

Move = Callable[[str, Floats, np.random.Generator], Floats]
O1 = "model.layers.1.self_attn.o_proj"


def moved(root: Path, form: str, move: Move) -> tuple[Path, Path]:
    """(a checkpoint of the base's linears after `move`, the base)."""
    folder, base = make_pair(root, form, seed=21, hidden=256)
    plan, rng, tensors = plan_of(FORMATS[form]), np.random.default_rng(5), read(base)
    new = {
        name.removesuffix(".weight"): move(name.removesuffix(".weight"), bf16_to_fp32(raw), rng)
        for name, (_, raw) in tensors.items() if name.endswith("_proj.weight")
    }  # fmt: skip
    kept = {name: tensor for name, tensor in tensors.items() if name.removesuffix(".weight") not in new}
    for name, weights in new.items():
        scheme = plan.scheme_of(name)
        assert scheme is not None
        amax = max(float(np.abs(new[other]).max()) for other in fused_with(name))
        parts = encode(scheme, weights.astype(np.float32), amax if scheme.codes == "fp4" else None)
        kept.update({f"{name}.{part}": tensor for part, tensor in parts.items()})
    write_shard(kept, folder / "model.safetensors")
    return folder, base


def by(share: float, *parts: str) -> Move:
    """Noise of this share of each weight's size, on the projections named, or on all."""

    def move(name: str, weights: Floats, rng: np.random.Generator) -> Floats:
        if parts and not name.endswith(parts):
            return weights
        noise = rng.standard_normal(weights.shape, np.float32)
        return np.asarray(weights + share * np.sqrt(np.square(weights).mean()) * noise, np.float32)

    return move


def seen(folder: Path, base: Path) -> dict[str, tuple[str, int]]:
    """Check → (severity, count); errors and warnings."""
    return {one.check: (one.severity, one.count) for one in inspect_checkpoint(folder, base).findings if one.severity != "note"}


@pytest.mark.parametrize(
    ("form", "move", "count"),
    [
        ("nvfp4", by(0.10), 28),
        ("fp8-dynamic", by(0.10), 28),
        ("fp8-dynamic", by(0.03), 28),
        ("int4", by(0.11), 28),
        ("qwen-fp8", by(0.05), 28),
        ("modelopt-nvfp4", by(0.10), 28),
        ("fp8-dynamic", by(0.08, "o_proj", "down_proj"), 8),  # a direction taken out of what writes to the residual stream
    ],
)
def test_weights_moved_a_little_in_a_whole_kind_are_one_warning(form: str, move: Move, count: int, tmp_path: Path) -> None:
    assert seen(*moved(tmp_path, form, move)) == {"weights-moved": ("warning", count)}


@pytest.mark.parametrize(
    ("move", "check"),
    [
        (by(0.16), "fidelity-noise"),  # another training run
        (lambda name, weights, rng: by(0.10)(name, weights, rng) if name == O1 else weights, "fidelity-noise"),  # one alone
        (lambda name, weights, rng: by(0.05)(name, weights, rng) * 1.1, "fidelity-noise"),  # and scaled
    ],
)
def test_what_no_training_does_stays_an_error(move: Move, check: str, tmp_path: Path) -> None:
    assert seen(*moved(tmp_path, "fp8-dynamic", move))[check][0] == "error"


def test_damage_is_named_beside_weights_that_moved(tmp_path: Path) -> None:
    folder, base = moved(tmp_path, "fp8-dynamic", by(0.06))

    def doubled(tensors: dict[str, Tensor]) -> None:
        tensors[f"{O1}.weight_scale"][1][...] *= 2

    assert seen(change(folder, doubled), base) == {"weights-moved": ("warning", 27), "fidelity-scaled": ("error", 1)}


def test_norms_trained_with_the_linears_belong_to_the_same_warning(tmp_path: Path) -> None:
    folder, base = moved(tmp_path, "fp8-dynamic", by(0.06))

    def trained(tensors: dict[str, Tensor]) -> None:
        for name, (dtype, raw) in tensors.items():
            if name.endswith("norm.weight") and dtype == "BF16":
                tensors[name] = bf16(bf16_to_fp32(raw) * np.float32(1.02))

    assert seen(change(folder, trained), base) == {"weights-moved": ("warning", 36)}


def test_a_norm_changed_by_itself_is_damage(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "fp8-dynamic", seed=21, hidden=256)

    def one(tensors: dict[str, Tensor]) -> None:
        name = "model.layers.1.input_layernorm.weight"
        tensors[name] = bf16(bf16_to_fp32(tensors[name][1]) * np.float32(1.02))

    assert seen(change(folder, one), base) == {"changed-norm": ("error", 1)}


def test_a_recipe_with_gptq_says_why_and_nothing_is_warned_of(tmp_path: Path) -> None:
    folder, base = moved(tmp_path, "int4", by(0.11))
    (folder / "recipe.yaml").write_text("a_stage:\n  a_modifiers:\n    GPTQModifier:\n      targets: [Linear]\n", encoding="utf-8")
    assert seen(folder, base) == {}
