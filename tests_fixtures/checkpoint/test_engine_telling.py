"""The engine's answer as findings, and beside those of the files."""

from pathlib import Path

import msgspec
import pytest

from quantgate.checkpoint import inspect_checkpoint
from quantgate.checkpoint.engine import Answer, Problem, tell, with_engine
from tests_fixtures.doubles.made_checkpoints import change, make_pair

DONE = Answer(vllm="0.99.0", stage="done", parameters=1234)


def refused(stage: str, kind: str, text: str, reading: str = "", line: str = "") -> Answer:
    return Answer(vllm="0.99.0", stage=stage, error=Problem(kind, text, "utils.py:_load_module", line), reading=reading)


def short(answer: Answer) -> list[tuple[str, str, str, str]]:
    return [(one.severity, one.check, one.where, one.value) for one in tell(answer)]


@pytest.mark.parametrize(
    ("answer", "where", "value"),
    [
        (
            refused("weights", "ValueError", "There is no module or parameter named 'a.b'. The available parameters are {…}", "model.a.b"),
            "model.a.b", "ValueError: There is no module or parameter named 'a.b'.",
        ),
        (refused("weights", "AssertionError", "", "x.weight", "assert a == b"), "x.weight", "AssertionError: assert a == b"),
        (
            refused("configuration", "ValidationError", "Value error, ModelOpt currently\n only supports: ['FP8']"),
            "config.json", "ValidationError: ModelOpt currently only supports: ['FP8']",
        ),
        (refused("model", "AttributeError", "'str' has no 'items'"), "config.json", "AttributeError: 'str' has no 'items'"),
        (refused("cache scales", "AssertionError", "", "", "assert k > 0"), "cache scales", "AssertionError: assert k > 0"),
    ],
)  # fmt: skip
def test_a_refusal_is_an_error_in_the_engines_words_and_with_its_version(answer: Answer, where: str, value: str) -> None:
    (one,) = tell(answer)
    assert (one.severity, one.check, one.where, one.value) == ("error", "engine-refuses", where, value)
    assert one.meaning.startswith("vLLM 0.99.0 refuses its ") or one.meaning.startswith("vLLM 0.99.0 refuses to build the model")
    assert one.meaning.endswith("(utils.py:_load_module), and no server of this version will start with this checkpoint")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("ValueError", "Failed to find a kernel that can implement the WNA16 linear layer. Reasons: …"),
        ("NotImplementedError", "No NvFp4 MoE backend supports the deployment configuration."),
        ("RuntimeError", "Quantization scheme is not supported for the current GPU. Min capability: 90."),
        ("AttributeError", "'_OpNamespace' '_C' object has no attribute 'static_scaled_fp8_quant'"),
        ("NotImplementedError", "is_act_and_mul=False is supported only for CUDA, XPU and ROCm for now"),
        ("ModuleNotFoundError", "No module named 'torchvision'"),
        ("ValueError", "Model architectures ['NewForCausalLM'] are not supported for now."),
        ("RuntimeError", "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
        ("ValueError", "Please pass the argument `trust_remote_code=True` to allow custom code to be run."),
        ("ValueError", "torch.bfloat16 is not supported for quantization method gptq. Supported dtypes: [torch.float16]"),
    ],
)
def test_what_this_machine_or_version_lacks_is_no_fault_of_the_checkpoint(kind: str, text: str) -> None:
    (one,) = tell(refused("model", kind, text))
    assert (one.severity, one.check) == ("note", "engine-not-asked")
    assert one.value.startswith("cannot be asked here: ")
    assert one.value.endswith(f"({kind}: {text})")


def test_an_engine_that_ended_or_could_not_be_imported_has_decided_nothing() -> None:
    ended = msgspec.structs.replace(DONE, stage="weights", ended="it took longer than 300 s")
    assert short(ended) == [
        ("note", "engine-not-asked", "all files", "cannot be asked here: while it was at its weights, it took longer than 300 s")
    ]
    (one,) = tell(refused("import", "OSError", "libcudart.so.12: cannot open shared object file"))
    assert one.severity == "note"
    assert "it cannot be imported: OSError: libcudart.so.12" in one.value


def test_parameters_without_a_value_are_errors_where_a_layer_computes_with_them() -> None:
    answer = msgspec.structs.replace(
        DONE, unwritten=["a.weight_scale", "a.e_score_correction_bias", "b.g_idx"], partly=[("c.w13_input_scale", 2, 16)]
    )
    assert short(answer) == [
        ("error", "engine-unwritten", "a.weight_scale", "never written"),
        ("warning", "engine-unwritten-besides", "a.e_score_correction_bias", "never written"),
        ("error", "engine-unwritten", "c.w13_input_scale", "2 of 16 rows never written"),
    ]


def test_codes_taken_for_numbers_are_an_error() -> None:
    answer = msgspec.structs.replace(DONE, casts={"gate.weight": "bfloat16 into float8_e4m3fn", "a.e8m0": "uint8 into float32"})
    assert short(answer)[0] == ("error", "engine-cast", "gate.weight", "bfloat16 into float8_e4m3fn")
    assert [one[1] for one in short(answer)] == ["engine-cast"]


def test_a_scale_that_nothing_is_made_of_is_a_warning_and_other_tensors_a_note() -> None:
    unused = ["a.weight_scale_2", "a.g_idx", "a.self_attn.k_scale", "mtp.layers.0.weight"]
    found = short(msgspec.structs.replace(DONE, unused=unused))
    assert found[:4] == [
        ("warning", "engine-unused-scale", "a.weight_scale_2", "stored"),
        ("note", "engine-unused", "a.g_idx", "stored"),
        ("note", "engine-unused", "a.self_attn.k_scale", "stored"),
        ("note", "engine-unused", "mtp.layers.0.weight", "stored"),
    ]
    assert found[4][1:] == ("engine-loads", "all files", "all 1,234 parameters written")


def test_layers_that_stand_for_all_are_named() -> None:
    (one,) = tell(msgspec.structs.replace(DONE, layers=[0, 3, 61]))
    assert (one.check, one.value) == ("engine-loads", "layers 0, 3, 61 stand for all; their parameters written")


def test_its_word_stands_beside_the_files(tmp_path: Path) -> None:
    folder, _ = make_pair(tmp_path, "nvfp4", layers=1)
    sound = inspect_checkpoint(folder)
    assert [(one.verdict, len(one.findings)) for one in (sound, with_engine(sound, DONE))] == [("pass", 0), ("pass", 1)]
    broken = with_engine(sound, msgspec.structs.replace(DONE, unwritten=["b.weight", "a.weight"]))
    assert (broken.verdict, broken.findings[0].count, broken.findings[0].places) == ("fail", 2, ["b.weight", "a.weight"])
    change(folder, lambda tensors: tensors["model.layers.0.mlp.up_proj.input_global_scale"][1].fill(float("nan")))
    doubted = with_engine(inspect_checkpoint(folder), DONE)
    assert (doubted.verdict, [one.severity for one in doubted.findings]) == ("fail", ["error", "note"])
    assert doubted.findings[1].meaning.endswith("what the errors above say of values and of the original it does not look at")
