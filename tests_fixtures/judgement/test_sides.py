"""What is said of the two sides of a comparison, beside the verdict."""

import msgspec
import pytest

from quantgate.judgement import sentence
from quantgate.judgement.answers import judge_answers
from quantgate.judgement.comparison import judge_pair
from quantgate.judgement.sides import notes, since_approval
from quantgate.registry import Tolerance
from tests_fixtures.doubles.examples import MIXED, answers, text_loss, with_provenance


def test_what_changed_since_the_approval_is_listed_and_a_core_is_no_change() -> None:
    before = with_provenance(text_loss("nvfp4"), device_name="CPU X core 0", vllm="vllm 1", kernels=["A"])
    now = with_provenance(text_loss("nvfp4"), device_name="CPU X core 1", vllm="vllm 2", kernels=["B"], checkpoint_fingerprint="c1")
    assert since_approval(now, before) == [
        "the weights changed",
        "vllm went from vllm 1 to vllm 2",
        "kernels went from A to B",
    ]
    assert since_approval(with_provenance(before, device_name="CPU X"), before) == []


def test_the_same_weights_under_another_kernel_are_the_engine_s_doing() -> None:
    before = with_provenance(text_loss("nvfp4"), kernels=["A"])
    assert since_approval(with_provenance(before, kernels=["B"]), before) == [
        "kernels went from A to B",
        "the weights are the same: what changed is the engine, not the checkpoint",
    ]
    # Another device of the class is no other engine.
    assert since_approval(with_provenance(before, device_name="CPU Y"), before) == ["device name went from CPU to CPU Y"]


def test_other_numerics_since_the_approval_are_told_with_their_kernels() -> None:
    before = with_provenance(text_loss("nvfp4"), kernels=["EmulationNvFp4LinearKernel"], numerics="W4A4")
    now = with_provenance(before, kernels=["MarlinNvFp4LinearKernel"], numerics="W4A16")
    assert since_approval(now, before) == [
        "numerics went from W4A4 by EmulationNvFp4LinearKernel to W4A16 by MarlinNvFp4LinearKernel",
        "the weights are the same: what changed is the engine, not the checkpoint",
    ]


@pytest.mark.parametrize("unrecorded", ["not recorded", "not known", "W4A4 as declared"])
def test_numerics_that_one_side_does_not_know_have_not_changed(unrecorded: str) -> None:
    before = with_provenance(text_loss("nvfp4"), kernels=["A"], numerics=unrecorded)
    assert since_approval(with_provenance(before, numerics="W4A4"), before) == []
    # The kernels are told as before.
    assert since_approval(with_provenance(before, numerics="W4A4", kernels=["B"]), before)[0] == "kernels went from A to B"


def test_another_checkpoint_s_other_numerics_are_noted_and_bf16_s_are_not() -> None:
    marlin = with_provenance(answers(MIXED, "nvfp4"), kernels=["MarlinNvFp4LinearKernel"], numerics="W4A16")
    emulated = with_provenance(answers(MIXED, "int4"), kernels=["E"], numerics="W4A4")
    assert notes(marlin, emulated)[-1] == "numerics went from W4A4 by E to W4A16 by MarlinNvFp4LinearKernel"
    assert notes(marlin, with_provenance(answers(MIXED), kernels=[], numerics="W16A16")) == []


def test_two_checkpoints_as_they_should_be_need_no_word() -> None:
    assert notes(answers(MIXED, "nvfp4"), answers(MIXED)) == []


def test_sides_in_each_other_s_place_are_asked_about() -> None:
    assert notes(answers(MIXED), answers(MIXED, "nvfp4")) == [
        "the baseline is nvfp4 and the candidate bf16: are they in each other's place?"
    ]


def test_a_baseline_of_another_precision_is_no_bf16() -> None:
    assert notes(answers(MIXED, "nvfp4"), answers(MIXED, "int4")) == [
        "the baseline is int4, of precision int4: this is no comparison with BF16"
    ]


def test_the_same_weights_under_two_names_are_told() -> None:
    base = answers(MIXED)
    same = with_provenance(answers(MIXED, "nvfp4"), checkpoint_fingerprint=base.provenance.checkpoint_fingerprint)
    assert notes(same, base)[0].startswith("both sides have the same weights (")


@pytest.mark.parametrize("unknown", ["", "unknown"])
def test_what_neither_side_knows_is_not_equal(unknown: str) -> None:
    base, now = answers(MIXED), answers(MIXED, "nvfp4")
    fields = dict.fromkeys(("suite_fingerprint", "tokenizer_fingerprint", "checkpoint_fingerprint"), unknown)
    got = notes(with_provenance(now, **fields), with_provenance(base, **fields))
    assert got == ["suite and tokenizer and checkpoint unknown on both sides: nobody can tell whether both are what they are taken for"]
    # Known on one side only: they differ, which is no comparison at all.
    assert judge_answers(with_provenance(now, **fields), base, accuracy_points=4.0).verdict == "error"


def test_another_engine_version_than_the_reference_s_is_noted() -> None:
    got = judge_answers(with_provenance(answers(MIXED, "nvfp4"), vllm="vllm 2"), answers(MIXED), accuracy_points=4.0)
    assert got.reason.endswith("; vllm went from vllm 1 to vllm 2")


def test_one_record_on_both_sides_is_told() -> None:
    record = answers(MIXED)
    assert "both sides are one and the same record" in sentence(judge_pair(record, record, Tolerance()))
    again = msgspec.structs.replace(record, provenance=msgspec.structs.replace(record.provenance, started="later"))
    assert "one and the same" not in sentence(judge_pair(record, again, Tolerance()))
