"""What a configuration declares of the bits of weights and activations, dialect by dialect."""

import json
from pathlib import Path
from typing import Any

import pytest

from quantgate.checkpoint import declared_numerics

ROOT = Path(__file__).parents[2]


def group(bits: int, activations: int | None) -> dict[str, Any]:
    inputs = None if activations is None else {"num_bits": activations, "type": "float"}
    return {"targets": ["Linear"], "weights": {"num_bits": bits}, "input_activations": inputs}


def ct(*groups: dict[str, Any]) -> dict[str, Any]:
    return {"quant_method": "compressed-tensors", "config_groups": {f"group_{number}": one for number, one in enumerate(groups)}}


def modelopt(algorithm: str, **more: Any) -> dict[str, Any]:
    return {"quant_method": "modelopt", "quant_algo": algorithm, **more}


@pytest.mark.parametrize(
    ("quantization", "declared"),
    [
        (None, ["W16A16"]),
        (ct(group(4, 4)), ["W4A4"]),
        (ct(group(4, None)), ["W4A16"]),
        (ct(group(8, 8)), ["W8A8"]),
        (ct(group(8, 8), group(4, 4), group(8, 8)), ["W8A8", "W4A4"]),
        (ct({"targets": ["Attention"], "weights": None, "input_activations": {"num_bits": 8}}), ["W16A16"]),
        ({"quant_method": "compressed_tensors", "config_groups": {"group_0": group(4, 8)}}, ["W4A8"]),
        (modelopt("NVFP4"), ["W4A4"]),
        (modelopt("NVFP4", config_groups={"group_0": {"input_activations": None}}), ["W4A16"]),
        (modelopt("W4A16_NVFP4"), ["W4A16"]),
        (modelopt("FP8_PB_WO"), ["W8A8"]),
        ({"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "FP8"}}, ["W8A8"]),
        (modelopt("MIXED_PRECISION", quantized_layers={"a": {"quant_algo": "FP8"}, "b": {"quant_algo": "NVFP4"}}), ["W8A8", "W4A4"]),
        (modelopt("W4A8_AWQ"), []),
        ({"quant_method": "fp8", "activation_scheme": "dynamic"}, ["W8A8"]),
        ({"quant_method": "fp8", "activation_scheme": "dynamic", "moe_quant_algo": "NVFP4"}, []),
        ({"quant_method": "gptq", "bits": 4, "dynamic": {"+:.*mlp": {"bits": 8}, "-:.*head": {}}}, ["W4A16", "W8A16"]),
        ({"quant_method": "awq", "w_bit": 4}, ["W4A16"]),
        ({"quant_method": "auto-round", "bits": 3, "extra_config": {"x": {"bits": 16}}}, ["W3A16"]),
        ({"quant_method": "mxfp4"}, ["W4A16"]),
        ({"quant_method": "bitsandbytes"}, []),
        ("nonsense", []),
    ],
)
def test_a_configuration_declares(tmp_path: Path, quantization: Any, declared: list[str]) -> None:
    config = {"model_type": "llama"} | ({"quantization_config": quantization} if quantization is not None else {})
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert declared_numerics(tmp_path) == declared


def test_modelopt_s_own_file_is_read_where_the_configuration_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "hf_quant_config.json").write_text('{"quantization": {"quant_algo": "NVFP4"}}', encoding="utf-8")
    assert declared_numerics(tmp_path) == ["W4A4"]


def test_of_a_folder_without_a_configuration_nothing_is_known(tmp_path: Path) -> None:
    assert declared_numerics(tmp_path) == []


def test_the_reference_family_declares_what_it_is() -> None:
    folder = ROOT / "fixtures" / "reference"
    assert [declared_numerics(folder / name) for name in ("bf16", "fp8", "nvfp4")] == [["W16A16"], ["W8A8"], ["W4A4"]]
