"""What is measured and unchanged, and each thing that makes a record none to go by."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from quantgate.judgement import Case
from quantgate.matrix import done
from quantgate.records import (
    Answers,
    DeviceHealth,
    Measurement,
    StoppedEarly,
    Throughput,
    encode,
    read_measurement,
    unfinished_of,
    write_record,
)
from quantgate.registry import Serve, Tolerance
from quantgate.suites import SUITES, HarnessSuite, QuestionSuite
from tests_fixtures.doubles.examples import answers, speed, text_loss
from tests_fixtures.doubles.reusable import as_measured, case_of

ROOT = Path(__file__).parents[2]
TEXT, QUESTIONS, LOAD = "reference-text", "reference-questions", "decode-16x64"
SUITE = {name: SUITES[name][1](None) for name in (TEXT, QUESTIONS, LOAD)}
MADE: dict[str, Callable[[], Measurement]] = {TEXT: text_loss, QUESTIONS: answers, LOAD: lambda: speed([100.0, 101.0, 99.0])}


def case(suite: str = TEXT, **serve: object) -> Case:
    found = case_of(ROOT / "models.toml", "nvfp4", suite, "reference")
    changed = msgspec.structs.replace(found.checkpoint, serve=msgspec.structs.replace(found.checkpoint.serve, **serve))
    return msgspec.structs.replace(found, checkpoint=changed, tolerance=Tolerance(accuracy_points=2.0, perplexity_ratio=1.05))


def store(folder: Path, suite: str = TEXT, **changes: object) -> Measurement:
    """A record as it would be made now, but for these changes of its provenance."""
    made = as_measured(MADE[suite](), case(suite), SUITE[suite])
    made = msgspec.structs.replace(made, provenance=msgspec.structs.replace(made.provenance, **changes))
    write_record(folder, made)
    return made


def looked(
    folder: Path, suite: str = TEXT, of: Case | None = None, device_class: str = "cpu", *, stop_early: bool = False
) -> Measurement | str:
    return done(of or case(suite), SUITE[suite], folder, device_class, stop_early=stop_early)


@pytest.mark.parametrize("suite", [TEXT, QUESTIONS, LOAD])
def test_a_record_that_a_new_one_would_be_like_is_done(tmp_path: Path, suite: str) -> None:
    made = store(tmp_path, suite)
    assert looked(tmp_path, suite) == made


def test_what_is_not_there_is_not_measured_yet(tmp_path: Path) -> None:
    assert looked(tmp_path) == "not measured yet"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("checkpoint_fingerprint", "x", "the weights are others (x, now "),
        ("suite_fingerprint", "x", "the suite is another"),
        ("tokenizer_fingerprint", "x", "the tokenizer is another"),
        ("chat_template_fingerprint", "x", "the chat template is another"),
        ("sampling", {"temperature": 1}, "the sampling is another"),
        ("vllm", "vllm 0.1", "vLLM is another (vllm 0.1, now "),
        ("torch", "torch 0.1", "torch is another"),
        ("transformers", "transformers 0.1", "transformers is another"),
        ("device_class", "NVIDIA H200", "the device class is another (NVIDIA H200, now cpu)"),
        ("tensor_parallel", 2, "it was served on another number of devices"),
        ("conditions", None, "its record does not say how it was served"),
        ("conditions", "x", "it was served, or its task declared, with"),
    ],
)
def test_each_thing_that_would_be_another_is_named(tmp_path: Path, field: str, value: object, said: str) -> None:
    store(tmp_path, TEXT, **{field: value})
    found = looked(tmp_path)
    assert isinstance(found, str)
    assert found.startswith(said)


@pytest.mark.parametrize(
    "serve",
    [{"max_model_len": 512}, {"max_num_seqs": 1}, {"args": ["--x"]}, {"env": {"A": "1"}}, {"dtype": "float16"}, {"cpu_offload_gb": 1.0}],
)
def test_another_setting_of_its_server_is_another_measurement(tmp_path: Path, serve: dict[str, object]) -> None:
    store(tmp_path)
    assert looked(tmp_path, of=case(TEXT, **serve)) == "it was served, or its task declared, with other settings (models.toml)"


def test_our_patience_with_a_server_is_no_setting_of_it() -> None:
    assert Serve(hang_seconds=1.0).fingerprint == Serve().fingerprint != Serve(max_model_len=1).fingerprint


def test_somebody_else_s_server_leaves_no_conditions(tmp_path: Path) -> None:
    made = as_measured(text_loss(), case(), SUITE[TEXT], is_ours=False)
    write_record(tmp_path, made)
    assert looked(tmp_path) == "its record does not say how it was served"


def test_a_record_from_before_conditions_were_recorded_is_read_and_measured_again(tmp_path: Path) -> None:
    file = write_record(tmp_path, store(tmp_path, conditions=None))
    assert b"conditions" not in file.read_bytes()
    assert read_measurement(file).provenance.conditions is None


def test_what_is_unfinished_goes_on_and_its_answers_stay(tmp_path: Path) -> None:
    store(tmp_path)
    kept = unfinished_of(tmp_path, "reference", "nvfp4", TEXT)
    kept.write_text("{}\n", encoding="utf-8")
    assert looked(tmp_path) == "a measurement of it was interrupted, and goes on"
    assert kept.exists()


def test_half_a_record_and_another_s_are_none(tmp_path: Path) -> None:
    file = write_record(tmp_path, store(tmp_path))
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert "its record cannot be read" in str(looked(tmp_path))
    file.write_bytes(encode(msgspec.structs.replace(store(tmp_path), checkpoint="fp8", precision="fp8")))
    assert looked(tmp_path) == "its record is of reference/fp8 (fp8) reference-text"


def test_failed_requests_are_asked_again(tmp_path: Path) -> None:
    made = store(tmp_path, QUESTIONS)
    assert isinstance(made, Answers)
    write_record(tmp_path, msgspec.structs.replace(made, failed={"q9": "timeout"}))
    assert looked(tmp_path, QUESTIONS) == "1 of its requests failed"


def test_what_was_ended_early_does_where_this_run_would_end_it_too(tmp_path: Path) -> None:
    made = store(tmp_path, QUESTIONS)
    assert isinstance(made, Answers)
    stopped = StoppedEarly(planned=4, asked=3, verdict="pass", accuracy_points=2.0, suites=1, error=0.01, e_value=100.0, tokens_saved=2.0)
    write_record(tmp_path, msgspec.structs.replace(made, stopped=stopped))
    assert "ended early" in str(looked(tmp_path, QUESTIONS))
    assert isinstance(looked(tmp_path, QUESTIONS, stop_early=True), Answers)


def test_a_paired_speed_is_whole_with_bf16_s_rounds_in_it(tmp_path: Path) -> None:
    made = store(tmp_path, LOAD)
    assert isinstance(made, Throughput)
    paired = msgspec.structs.replace(case(LOAD), tolerance=Tolerance(speedup_over_bf16={"cpu": 0.4}))
    assert "has no round of BF16" in str(looked(tmp_path, LOAD, of=paired))
    for rounds in ({"log_speedup_over_bf16": [0.1, 0.1, 0.1]}, {"bf16_decode_tps": [90.0, 91.0, 90.0]}):
        write_record(tmp_path, msgspec.structs.replace(made, **rounds))
        assert isinstance(looked(tmp_path, LOAD, of=paired), Throughput)


def test_a_device_that_was_not_well_is_asked_again(tmp_path: Path) -> None:
    made = store(tmp_path, LOAD)
    health = DeviceHealth(copy_gb_s=1.0, matmul_tflops=1.0, trouble="another process computes on it")
    write_record(tmp_path, msgspec.structs.replace(made, health=health))
    assert "another process computes on it" in str(looked(tmp_path, LOAD))


def test_a_checkpoint_that_is_not_here_cannot_be_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(tmp_path)
    monkeypatch.setattr("quantgate.matrix.reuse.in_cache", lambda _: None)
    assert "not on this machine" in str(looked(tmp_path))


def test_another_harness_s_task_is_known_by_what_was_declared_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quantgate.harness.measuring.HARNESSES", {"lm-eval": type("Harness", (), {"pins": lambda *_: ["lm-eval 1"]})()})
    from quantgate.harness import declared_fingerprint
    from quantgate.measure import declared_conditions, declared_sampling

    suite, of = HarnessSuite(name=QUESTIONS, harness="lm-eval", task="t", n=3), case(QUESTIONS)
    declared = declared_conditions(of.checkpoint.serve, declared_fingerprint(suite), declared_sampling(suite))
    store(tmp_path, QUESTIONS, conditions=declared, suite_fingerprint="of what was asked", sampling={"max_gen_toks": 5})
    assert isinstance(done(of, suite, tmp_path, "cpu"), Answers)
    more = msgspec.structs.replace(suite, n=4)
    assert str(done(of, more, tmp_path, "cpu")).startswith("it was served, or its task declared, with")


def test_a_question_s_room_is_part_of_the_sampling(tmp_path: Path) -> None:
    store(tmp_path, QUESTIONS)
    suite = SUITE[QUESTIONS]
    assert isinstance(suite, QuestionSuite)
    assert str(done(case(QUESTIONS), msgspec.structs.replace(suite, max_tokens=9), tmp_path, "cpu")).startswith("the suite is another")
