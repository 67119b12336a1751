"""This environment's own vLLM is asked: what it reads, what it refuses, what it leaves without a value."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantgate.checkpoint.encoding import Tensor
from quantgate.checkpoint.engine import Engine, tell
from tests_fixtures.doubles.made_checkpoints import REFERENCE, change, configure

pytestmark = pytest.mark.thorough
LAYER = "model.layers.2"
Tensors = dict[str, Tensor]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    pytest.importorskip("vllm")
    with Engine() as engine:
        yield engine


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[str], Path]:
    return lambda precision: shutil.copytree(REFERENCE / precision, tmp_path / precision)


def errors(engine: Engine, folder: Path) -> list[tuple[str, str]]:
    return [(one.check, one.where) for one in tell(engine.ask(folder)) if one.severity == "error"]


@pytest.mark.parametrize("precision", ["bf16", "fp8", "nvfp4"])
def test_sound_checkpoints_are_read_whole(engine: Engine, precision: str) -> None:
    answer = engine.ask(REFERENCE / precision)
    assert (answer.stage, answer.unwritten, answer.partly, answer.casts, answer.unused) == ("done", [], [], {}, [])
    assert [one.check for one in tell(answer)] == ["engine-loads"]
    assert sum(answer.seconds.values()) < 30


def transposed(tensors: Tensors) -> None:
    dtype, codes = tensors[f"{LAYER}.mlp.down_proj.weight"]
    tensors[f"{LAYER}.mlp.down_proj.weight"] = (dtype, np.ascontiguousarray(codes.T))


def renamed(tensors: Tensors) -> None:
    tensors[f"{LAYER}.mlp.down_proj.weight_scale_inv"] = tensors.pop(f"{LAYER}.mlp.down_proj.weight_scale")


def besides(tensors: Tensors) -> None:
    tensors["mtp.fc.weight"] = tensors["model.norm.weight"]


def another_algorithm(raw: dict[str, Any]) -> None:
    raw["quantization_config"] = {"quant_method": "modelopt", "quant_algo": "NVFP4_AWQ", "group_size": 16, "ignore": ["lm_head"]}


def layers_too_few(raw: dict[str, Any]) -> None:
    raw["layer_types"] = ["full_attention"] * 4


def a_string(raw: dict[str, Any]) -> None:
    raw["quantization_config"]["kv_cache_scheme"] = "FP8"


@pytest.mark.parametrize("edit", [transposed, renamed, besides])
def test_tensors_that_do_not_fit_are_refused_by_name(engine: Engine, copy: Callable[[str], Path], edit: Callable[[Tensors], None]) -> None:
    ((check, where),) = errors(engine, change(copy("fp8"), edit))
    assert check == "engine-refuses"
    assert where.startswith((f"{LAYER}.mlp.down_proj.", "mtp."))


@pytest.mark.parametrize("edit", [another_algorithm, layers_too_few, a_string])
def test_configurations_are_refused_before_a_tensor_is_read(
    engine: Engine, copy: Callable[[str], Path], edit: Callable[[dict[str, Any]], None]
) -> None:
    assert errors(engine, configure(copy("fp8"), edit)) == [("engine-refuses", "config.json")]


@pytest.mark.parametrize(
    ("precision", "lost", "where"),
    [
        ("fp8", f"{LAYER}.mlp.down_proj.weight_scale", f"{LAYER}.mlp.down_proj.weight_scale"),
        ("fp8", f"{LAYER}.mlp.up_proj.weight_scale", f"{LAYER}.mlp.gate_up_proj.weight_scale"),
        ("fp8", f"{LAYER}.input_layernorm.weight", f"{LAYER}.input_layernorm.weight"),
        ("nvfp4", f"{LAYER}.self_attn.v_proj.weight_scale", f"{LAYER}.self_attn.qkv_proj.weight_scale"),
        ("nvfp4", f"{LAYER}.self_attn.o_proj.input_global_scale", f"{LAYER}.self_attn.o_proj.input_global_scale"),
    ],
)
def test_a_tensor_that_is_not_there_leaves_its_parameter_unwritten(
    engine: Engine, copy: Callable[[str], Path], precision: str, lost: str, where: str
) -> None:
    assert errors(engine, change(copy(precision), lambda tensors: tensors.pop(lost))) == [("engine-unwritten", where)]


def test_plain_weights_that_are_copied_into_codes_are_seen(engine: Engine, copy: Callable[[str], Path]) -> None:
    name = f"{LAYER}.self_attn.o_proj"

    def plain(tensors: Tensors) -> None:
        del tensors[f"{name}.weight_scale"]
        tensors[f"{name}.weight"] = ("BF16", np.zeros_like(tensors[f"{name}.weight"][1], np.uint16))

    assert errors(engine, change(copy("fp8"), plain)) == [("engine-unwritten", f"{name}.weight_scale"), ("engine-cast", f"{name}.weight")]


def test_what_a_server_is_given_is_given_here(engine: Engine) -> None:
    assert engine.ask(REFERENCE / "bf16", ["--quantization", "fp8", "--chat-template", "x"]).quantization == "fp8"
