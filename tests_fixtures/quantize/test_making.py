"""`quantgate quantize` with a program that stands in for llm-compressor: a whole checkpoint or nothing, and what is said of either."""

import errno
import json
from pathlib import Path

import pytest

from quantgate import fingerprint
from quantgate.cli.quantize import family_stanza
from quantgate.errors import QuantgateError, QuantizeError
from quantgate.quantize import making
from quantgate.registry import Base, Calibration, read_manifest
from tests_fixtures.doubles.fake_llmcompressor import Bench, Terminal
from tests_fixtures.doubles.made_checkpoints import change

DIVISOR = "model.layers.1.mlp.down_proj.input_global_scale"


def test_a_checkpoint_comes_to_its_place_with_the_base_s_companions_and_a_manifest(bench: Bench) -> None:
    (bench.checkpoint / "tokenizer.json").write_text("{}", encoding="utf-8")  # as a library saved it again
    (bench.model / "LICENSE").write_text("the base's terms", encoding="utf-8")
    (bench.model / "NOTICE").write_text("where it is from", encoding="utf-8")
    (bench.checkpoint / "model.safetensors").chmod(0o600)  # as safetensors leaves it
    made = bench.make(seed=7)
    assert bench.left() == ["made"]
    assert (bench.output / "tokenizer.json").read_bytes() == (bench.model / "tokenizer.json").read_bytes()
    assert (bench.output / "LICENSE").read_text(encoding="utf-8") == "the base's terms"
    assert (bench.output / "NOTICE").read_text(encoding="utf-8") == "where it is from"
    assert (made.inspection.verdict, made.inspection.checkpoint) == ("pass", str(bench.output))
    assert {one.stat().st_mode & 0o777 for one in bench.output.iterdir()} == {0o644}

    told = read_manifest(bench.output)
    assert told == made.manifest
    assert told is not None
    assert told.base == Base(name=str(bench.model), revision=None, fingerprint=fingerprint.of_checkpoint(bench.model))
    assert (told.scheme, told.verdict, told.seed) == ("NVFP4", "pass", 7)
    assert "scheme: NVFP4" in told.recipe
    assert told.versions == {"llmcompressor": "0.1", "torch": "2"}
    assert told.fingerprint == fingerprint.of_checkpoint(bench.output)
    ids = fingerprint.of([[1, 2, 3], [4]])
    seen = Calibration(source="reference", samples=2, max_length=256, seed=7, tokens=4, fingerprint=ids, skipped=2)
    assert told.calibration == seen
    assert told.repair is None
    assert list(told.phases) == ["reading calibration data", "quantizing", "looking at what was made"]
    assert f"calibrated on 2 of reference (4 tokens, seed 7, {ids})" in str(told)


def test_the_programs_are_asked_for_what_the_options_say(bench: Bench) -> None:
    bench.make(samples=9, max_length=100, seed=3)
    asked = json.loads((bench.root / "tokens.task").read_text(encoding="utf-8"))
    assert (asked["samples"], asked["max_length"], asked["seed"], asked["model"]) == (9, 100, 3, str(bench.model))
    assert [Path(file).name for file in asked["files"]] == ["calibration.jsonl"]
    task = json.loads((bench.root / "oneshot.task").read_text(encoding="utf-8"))
    assert (task["seed"], task["uncalibrated"], task["tokens"]) == (3, False, asked["tokens"])


def test_texts_longer_than_the_model_reads_are_cut_and_that_is_said(bench: Bench) -> None:
    told = bench.make(max_length=300).manifest
    assert told.calibration is not None
    assert told.calibration.max_length == 256
    assert f"--max-length 300 is more than {bench.model} reads at once; texts are cut to 256 tokens\n" in bench.said.getvalue()


def test_progress_is_a_line_a_phase_with_its_seconds(bench: Bench) -> None:
    bench.make()
    lines = bench.said.getvalue().splitlines()
    named = [line.removeprefix("quantgate quantize: ").rpartition(":")[0] for line in lines if line.endswith(" s")]
    assert named == ["reading calibration data", "quantizing", "looking at what was made"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("half(); tell(refused='no such modifier'); sys.exit(1)", "llm-compressor: no such modifier"),
        ("half(); print('Traceback'); sys.exit(3)", "llm-compressor ended with exit code 3, see above, and nothing was made"),
        (
            "half(); os.kill(os.getpid(), signal.SIGKILL)",
            "llm-compressor was killed (SIGKILL), most often by a system that is out of memory",
        ),
        ("half(); os.kill(os.getpid(), signal.SIGSEGV)", "llm-compressor ended with SIGSEGV, see above, and nothing was made"),
        ("half(); print('OSError: [Errno 28] No space left on device'); sys.exit(1)", "the disk of {parent} is full; nothing was made"),
        (
            "shutil.copytree({model!r}, task['made']); tell(versions={{}}); os.remove(task['made'] + '/model.safetensors')",
            "{made} is no check",
        ),
    ],
    ids=["refused", "failed", "out of memory", "crashed", "disk full", "no weights"],
)
def test_where_the_other_program_ends_otherwise_nothing_is_left(body: str, said: str, bench: Bench) -> None:
    with pytest.raises(QuantgateError) as error:
        bench.make(body.format(model=str(bench.model)) if "model!r" in body else body)
    start = str(error.value)
    if "{made}" in said:
        assert "it holds no *.safetensors file" in start
    else:
        assert start.startswith(said.format(parent=bench.output.parent))
    assert bench.left() == []


def test_the_last_words_of_a_program_that_failed_are_shown(bench: Bench) -> None:
    bench.said = Terminal()
    with pytest.raises(QuantizeError):
        bench.make("print('ValueError: sizes'); print(' 41%|###   | 1/2'); sys.exit(1)")
    assert bench.said.getvalue().endswith("\r\x1b[Kphase: quantizing\nValueError: sizes\n")  # and no line of a phase behind them


def test_an_interruption_leaves_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        assert len(bench.left()) == 1
        raise KeyboardInterrupt

    monkeypatch.setattr("quantgate.quantize.making.inspect_checkpoint", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bench.make()
    assert bench.left() == []


def test_a_disk_that_fills_up_late_is_told_as_such(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(making, "write_manifest", full)
    with pytest.raises(QuantizeError, match=rf"^the disk of {bench.output.parent} is full; nothing was made; free some, or name a folder"):
        bench.make()
    assert bench.left() == []


def test_input_scales_without_calibration_are_written_by_rule_and_that_is_recorded(bench: Bench) -> None:
    change(bench.checkpoint, lambda tensors: tensors[DIVISOR][1].fill(float("nan")))
    made = bench.make(calibrate=None, repair_input_scales=True)
    assert made.inspection.verdict == "pass"
    assert made.manifest.repair is not None
    assert len(made.manifest.repair.largest_inputs) == 14
    assert str(made.manifest).endswith("input scales by rule and not by calibration")
    task = json.loads((bench.root / "oneshot.task").read_text(encoding="utf-8"))
    assert (task["tokens"], task["uncalibrated"]) == (None, True)


def test_a_recipe_of_one_s_own_is_run_and_recorded(bench: Bench) -> None:
    text = "quant_stage:\n  quant_modifiers:\n    GPTQModifier:\n      scheme: NVFP4\n"
    (bench.root / "own.yaml").write_text(text, encoding="utf-8")
    made = bench.make(scheme=None, recipe=bench.root / "own.yaml")
    assert (made.manifest.scheme, made.manifest.recipe, made.precision) == ("own.yaml", text, "")
    assert 'precision = "nvfp4"' in family_stanza(made)
