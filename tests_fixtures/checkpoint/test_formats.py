"""Formats one by one: what is read of each, and that what is not read is told and never called broken."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantgate.checkpoint.decode import AWQ_ORDER, Linear, unpacked
from quantgate.checkpoint.encoding import encode
from quantgate.checkpoint.findings import Finding
from quantgate.checkpoint.inspection import inspect_checkpoint
from quantgate.checkpoint.schemes import gptq
from quantgate.checkpoint.storage import Weights, read_header
from tests_fixtures.doubles.made_checkpoints import AWQ, change, configure, make_pair, read, write

Q0 = "model.layers.0.self_attn.q_proj"


def found(folder: Path, base: Path | None = None, severity: str = "") -> dict[str, Finding]:
    """Check → finding; errors and warnings, if nothing else is asked for."""
    seen = inspect_checkpoint(folder, base).findings
    return {one.check: one for one in seen if (one.severity == severity if severity else one.severity != "note")}


NOT_READ: dict[str, dict[str, Any]] = {
    "in quark": {"quant_method": "quark"},
    "in torchao": {"quant_method": "torchao"},
    "in experts_int8": {"quant_method": "experts_int8"},
    "AWQ in version gemv": {**AWQ, "version": "gemv"},
    "GPTQ in checkpoint_format marlin": {
        "quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False, "sym": True, "checkpoint_format": "marlin",
    },
    "AutoRound in auto_round:llm_compressor, mx_fp": {
        "quant_method": "auto-round", "bits": 4, "group_size": 32, "data_type": "mx_fp", "packing_format": "auto_round:llm_compressor",
    },
}  # fmt: skip


@pytest.mark.parametrize("label", NOT_READ)
def test_what_is_not_read_is_one_note_with_its_share_of_the_weights(label: str, tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "nvfp4", layers=2)
    configure(folder, lambda raw: raw.update(quantization_config=NOT_READ[label]))
    for original in (None, base):
        report = inspect_checkpoint(folder, original)
        assert ([one.check for one in report.findings], report.verdict) == (["not-looked-inside"], "pass")
        # 2 · (163,840 weights · 9 / 16 bytes + 7 · 8) of these and 17,408 bytes of embedding and norms
        assert report.findings[0].value == f"91 % of the weights are {label}"
        assert report.findings[0].meaning == "structure and scales not checked; vLLM decides"


def test_a_layer_whose_algorithm_is_not_read_leaves_the_others_looked_at(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "modelopt-nvfp4", layers=2)
    layers = {name.removesuffix(".weight"): {"quant_algo": "NVFP4"} for name in read(folder) if name.endswith("proj.weight")}
    mixed = {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "quantized_layers": layers | {Q0: {"quant_algo": "IQ4_XS"}}}
    configure(folder, lambda raw: raw.update(quantization_config=mixed))
    report = inspect_checkpoint(folder, base)
    assert report.linears == 13
    assert "are ModelOpt's IQ4_XS" in found(folder, base, "note")["not-looked-inside"].value


def test_gptq_with_an_order_is_decoded_by_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    order, weights = rng.permutation(64), rng.standard_normal((8, 64)).astype(np.float32)
    made = encode(gptq(4, 16), weights[:, order])  # column i of the grouping is column order[i] of the weights
    groups, codes = np.empty(64, np.int32), np.empty((8, 64), np.int64)
    groups[order] = np.arange(64) // 16
    codes[:, order] = unpacked(np.ascontiguousarray(made["qweight"][1].T), 4) + 8
    words = (codes.reshape(8, 8, 8) << (4 * np.arange(8))).sum(-1).astype(np.uint32).view(np.int32)
    parts = {**made, "qweight": ("I32", np.ascontiguousarray(words.T)), "g_idx": ("I32", groups)}
    folder = write(tmp_path / "a", {f"a.{part}": tensor for part, tensor in parts.items()}, {})
    with Weights(read_header(folder / "model.safetensors")) as stored:
        decoded = Linear("a", gptq(4, 16, ordered=True), stored, 8, 64).decode()
    largest = np.abs(weights[:, order].reshape(8, 4, 16)).max(-1)[:, groups]
    assert (np.abs(decoded - weights) <= 0.51 * largest / 7.5).all()  # half a step, and FP16's rounding of the scale


def test_awq_s_order_is_that_of_its_kernels(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, AWQ, layers=1)
    words = np.array([[int("0x76543210", 16)]], np.uint32).view(np.int32)  # the first four bits hold 0, the next 1 …
    scales, zeros = np.ones((1, 8), np.float16), np.zeros((1, 1), np.int32)
    change(folder, lambda t: t.update({"a.qweight": ("I32", words), "a.scales": ("F16", scales), "a.qzeros": ("I32", zeros)}))
    with Weights(read_header(folder / "model.safetensors")) as weights:
        decoded = Linear("a", gptq(4, None, form="awq", symmetric=False), weights, 8, 1).decode()
    assert decoded[:, 0].tolist() == np.argsort(AWQ_ORDER).tolist() == [0, 4, 1, 5, 2, 6, 3, 7]


def test_awq_is_looked_at_without_being_compared(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, AWQ, layers=2)
    report = inspect_checkpoint(folder, base)
    assert ([one.check for one in report.findings], report.linears) == (["weights-rewritten"], 14)
    change(folder, lambda t: t[f"{Q0}.scales"][1].__setitem__((0, 3), np.nan))
    assert found(folder, base)["scale-not-finite"].where == f"{Q0}.scales"


def test_gptq_s_linears_are_compared_and_what_it_left_alone_is_no_fault(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "gptq", layers=2)
    kept = "model.layers.0.self_attn.o_proj"
    original = read(base)[f"{kept}.weight"]

    def left_alone(tensors: dict[str, Any]) -> None:
        for part in ("qweight", "scales", "qzeros"):
            del tensors[f"{kept}.{part}"]
        tensors[f"{kept}.weight"] = original

    change(folder, left_alone)
    assert found(folder, base) == {}
    change(folder, lambda t: t["model.layers.1.mlp.up_proj.scales"][1].__imul__(np.float16(2)))
    assert found(folder, base)["fidelity-scaled"].where == "model.layers.1.mlp.up_proj"


def gpt_oss(tmp_path: Path, edit: Any = None) -> Path:
    rng = np.random.default_rng(3)
    tensors: dict[str, Any] = {"model.embed_tokens.weight": ("BF16", np.full((64, 32), 0x3C00, np.uint16))}
    for layer in range(2):
        stem = f"model.layers.{layer}.mlp.experts.down_proj"
        tensors[f"model.layers.{layer}.self_attn.q_proj.weight"] = ("BF16", np.full((32, 32), 0x3C00, np.uint16))
        tensors[f"{stem}_blocks"] = ("U8", rng.integers(0, 256, (4, 32, 2, 16), np.uint8))
        tensors[f"{stem}_scales"] = ("U8", np.full((4, 32, 2), 120, np.uint8))
    if edit:
        edit(tensors)
    config = {"model_type": "gpt_oss", "num_hidden_layers": 2, "vocab_size": 64, "quantization_config": {"quant_method": "mxfp4"}}
    return write(tmp_path / "gpt-oss", tensors, config)


EXPERTS = "model.layers.1.mlp.experts.down_proj"
BLOCKS: dict[str, Any] = {
    "": None,
    "scale-not-finite": lambda t: t[f"{EXPERTS}_scales"][1].__setitem__((2, 0, 0), 255),
    "scale-zero": lambda t: t[f"{EXPERTS}_scales"][1].fill(0),
    "tensor-shape": lambda t: t.update({f"{EXPERTS}_scales": ("U8", np.full((4, 32, 1), 120, np.uint8))}),
    "tensor-missing": lambda t: t.pop(f"{EXPERTS}_scales"),
}


@pytest.mark.parametrize("check", BLOCKS)
def test_gpt_oss_experts_are_looked_at_for_shape_and_scales(check: str, tmp_path: Path) -> None:
    folder = gpt_oss(tmp_path, BLOCKS[check])
    assert list(found(folder)) == ([check] if check else [])
    assert found(folder, severity="note")["not-looked-inside"].value.endswith(" of the weights are experts in mxfp4")


def test_experts_in_one_tensor_are_not_looked_inside(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "modelopt-nvfp4", layers=2)
    codes = np.ones((2, 64, 128), np.uint8)
    change(folder, lambda t: t.update({f"model.layers.{i}.mlp.experts.gate_up_proj": ("U8", codes) for i in range(2)}))
    assert "experts in one tensor" in found(folder, severity="note")["not-looked-inside"].value


@pytest.mark.parametrize(("dtype", "severity"), [("F4", "note"), ("F6_E2M3", "note"), ("C64", "note"), ("F99", "error")])
def test_a_dtype_that_only_we_do_not_read_is_no_fault(dtype: str, severity: str, tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "bf16", layers=1)
    change(folder, lambda t: t.update({"a.weight": (dtype, np.ones(4, np.uint8))}))
    check = "not-looked-inside" if severity == "note" else "dtype-unknown"
    assert found(folder, severity=severity)[check].where == "a.weight"


def test_weights_in_the_other_half_precision_are_a_warning(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "nvfp4", layers=2)
    configure(folder, lambda raw: raw.update(dtype="float16"))
    configure(base, lambda raw: raw.update(dtype="bfloat16"))
    assert found(folder, base, "error") == {}
    assert found(folder, base, "warning")["config-dtype"].value == "dtype of the weights float16, the base's bfloat16"
