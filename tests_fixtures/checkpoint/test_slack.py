"""Limits with the slack that engines have, and zeros that are zero; what stands beside a model and what it serves without."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from quantgate.checkpoint.encoding import Tensor, bf16, encode, write_shard
from quantgate.checkpoint.inspection import inspect_checkpoint
from quantgate.checkpoint.numerics import bf16_to_fp32
from tests_fixtures.doubles.made_checkpoints import FORMATS, change, configure, make_pair, plan_of, read

GATE, UP = "model.layers.1.mlp.gate_proj", "model.layers.1.mlp.up_proj"
O1 = "model.layers.1.self_attn.o_proj"


def seen(folder: Path, base: Path | None = None) -> dict[str, str]:
    """Check → severity; errors and warnings."""
    return {one.check: one.severity for one in inspect_checkpoint(folder, base).findings if one.severity != "note"}


@pytest.mark.parametrize(
    ("factor", "severity"),
    [(1.0004, ""), (1.003, ""), (1 / 1.003, ""), (1.01, "warning"), (1.02, "error"), (1.077, "error"), (0.5, "error")],
)
@pytest.mark.parametrize("form", ["nvfp4", "modelopt-nvfp4"])
def test_fused_scales_may_lie_as_far_apart_as_bf16_rounds(form: str, factor: float, severity: str, tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, form)
    scheme, tensors = plan_of(FORMATS[form]).scheme_of(UP), read(base)
    assert scheme is not None
    weights = {name: bf16_to_fp32(tensors[f"{name}.weight"][1]) for name in (GATE, UP)}
    amax = max(float(np.abs(one).max()) for one in weights.values())
    again = encode(scheme, weights[UP], amax * factor)
    change(folder, lambda stored: stored.update({f"{UP}.{part}": tensor for part, tensor in again.items()}))
    assert seen(folder).get("fused-weights-differ", "") == severity


def zero(rows: slice, columns: slice) -> Callable[[dict[str, Tensor]], object]:
    return lambda tensors: tensors[f"{O1}.weight"][1].__setitem__((rows, columns), 0)


@pytest.mark.parametrize(
    ("form", "rows", "columns"),
    [
        ("int4", slice(7, 8), slice(0, 32)), ("int4", slice(3, 9), slice(32, 128)), ("int8", slice(7, 8), slice(None)),
        ("fp8-dynamic", slice(2, 4), slice(None)), ("nvfp4", slice(0, 90), slice(None)), ("fp8-block", slice(0, 128), slice(None)),
    ],
)  # fmt: skip
def test_a_scale_of_0_over_weights_that_are_0_is_no_damage(form: str, rows: slice, columns: slice, tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, form, hidden=256 if form == "fp8-block" else 128)
    change(base, zero(rows, columns))
    scheme = plan_of(FORMATS[form]).scheme_of(O1)
    assert scheme is not None
    again = encode(scheme, bf16_to_fp32(read(base)[f"{O1}.weight"][1]))
    change(folder, lambda tensors: tensors.update({f"{O1}.{part}": tensor for part, tensor in again.items()}))
    assert "scale-zero" not in seen(folder)
    assert seen(folder, base) == {}


@pytest.mark.parametrize(("form", "where"), [("int4", (7, 1)), ("int8", (7, 0)), ("fp8-dynamic", (3, 0)), ("fp8-block", (0, 0))])
def test_a_scale_of_0_over_anything_else_is_one(form: str, where: tuple[int, int], tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, form)
    change(folder, lambda tensors: tensors[f"{O1}.weight_scale"][1].__setitem__(where, 0))
    assert seen(folder)["scale-zero"] == "error"


@pytest.mark.parametrize("stem", ["mtp.layers.0.mlp.up_proj", "mtp.fc", "model.mtp.norm", "model.eagle.fc", "medusa_head.0"])
def test_a_draft_head_that_was_not_exported_is_a_warning(stem: str, tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "fp8-dynamic")
    change(base, lambda tensors: tensors.update({f"{stem}.weight": bf16(np.ones((8, 8), np.float32))}))
    assert seen(folder, base) == {"draft-missing": "warning"}


def test_a_part_of_the_model_that_was_not_exported_is_an_error(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "fp8-dynamic")
    change(base, lambda tensors: tensors.update({"model.final.weight": bf16(np.ones((8, 8), np.float32))}))
    assert seen(folder, base) == {"tensor-missing": "error"}


def test_a_copy_of_a_tied_embedding_is_nothing_and_another_tensor_in_its_place_is(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "fp8-dynamic")
    change(folder, lambda tensors: tensors.update({"lm_head.weight": tensors["model.embed_tokens.weight"]}))
    assert seen(folder, base) == {}
    assert seen(folder) == {}
    change(folder, lambda tensors: tensors["lm_head.weight"][1].__setitem__((3, 4), 0x4000))
    assert seen(folder, base) == {"tied-copy-differs": "warning"}


def test_an_output_layer_of_its_own_is_no_copy(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "fp8-dynamic")
    for one in (folder, base):
        tensors = read(one)
        tensors["lm_head.weight"] = bf16(np.ones(tensors["model.embed_tokens.weight"][1].shape, np.float32))
        write_shard(tensors, one / "model.safetensors")
        configure(one, lambda raw: raw.update(tie_word_embeddings=False))
    assert seen(folder, base) == {}
