"""`quantgate quantize` with a program that stands in for llm-compressor: a whole checkpoint or nothing, and what is said of either."""

import errno
import json
import os
import tomllib
from pathlib import Path

import msgspec
import pytest

from fixtures import fingerprint, manifest
from fixtures.checkpoint import inspect_checkpoint
from fixtures.cli import main
from fixtures.errors import ConfigurationError, QuantgateError, QuantizeError
from fixtures.quantize.stanza import stanza
from fixtures.registry import Registry, load
from tests_fixtures.fake_llmcompressor import Bench, Terminal, tools
from tests_fixtures.made_checkpoints import change

DIVISOR = "model.layers.1.mlp.down_proj.input_global_scale"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_checkpoint_comes_to_its_place_with_the_base_s_companions_and_a_manifest(bench: Bench) -> None:
    (bench.checkpoint / "tokenizer.json").write_text("{}", encoding="utf-8")  # as a library saved it again
    (bench.model / "LICENSE").write_text("the base's terms", encoding="utf-8")
    (bench.checkpoint / "model.safetensors").chmod(0o600)  # as safetensors leaves it
    made = bench.make(seed=7)
    assert bench.left() == ["made"]
    assert (bench.output / "tokenizer.json").read_bytes() == (bench.model / "tokenizer.json").read_bytes()
    assert (bench.output / "LICENSE").read_text(encoding="utf-8") == "the base's terms"
    assert (made.inspection.verdict, made.inspection.checkpoint) == ("pass", str(bench.output))
    assert {one.stat().st_mode & 0o777 for one in bench.output.iterdir()} == {0o644}

    told = manifest.read(bench.output)
    assert told == made.manifest
    assert told is not None
    assert told.base == manifest.Base(name=str(bench.model), revision=None, fingerprint=fingerprint.of_checkpoint(bench.model))
    assert (told.scheme, told.verdict, told.seed) == ("NVFP4", "pass", 7)
    assert "scheme: NVFP4" in told.recipe
    assert told.versions == {"llmcompressor": "0.1", "torch": "2"}
    assert told.fingerprint == fingerprint.of_checkpoint(bench.output)
    ids = fingerprint.of([[1, 2, 3], [4]])
    seen = manifest.Calibration(source="reference", samples=2, max_length=256, seed=7, tokens=4, fingerprint=ids, skipped=2)
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

    monkeypatch.setattr("fixtures.quantize.making.inspect_checkpoint", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bench.make()
    assert bench.left() == []


def test_a_disk_that_fills_up_late_is_told_as_such(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(manifest, "write", full)
    with pytest.raises(QuantizeError, match=rf"^the disk of {bench.output.parent} is full; nothing was made; free some, or name a folder"):
        bench.make()
    assert bench.left() == []


def test_a_place_that_is_taken_meanwhile_stays_as_it_is(bench: Bench) -> None:
    with pytest.raises(ConfigurationError, match=r"could not be given its name: Directory not empty; was it made meanwhile\?"):
        bench.make(f"whole(); os.makedirs({str(bench.output)!r}); Path({str(bench.output)!r}, 'theirs').touch()")
    assert bench.left() == ["made"]
    assert [one.name for one in bench.output.iterdir()] == ["theirs"]


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_has_is_not(bench: Bench) -> None:
    place = bench.output.parent
    for name in (".made.quantgate-dead", ".other.quantgate-dead"):
        (place / name / "made").mkdir(parents=True)
        (place / name / "quantgate.lock").write_text("1", encoding="utf-8")
        (place / name / "made" / "model.safetensors").write_bytes(bytes(3 << 20))
    (place / ".made.quantgate-begun").mkdir()  # nobody knows whose
    bench.make()
    assert bench.left() == [".made.quantgate-begun", "made"]
    assert f"removed {place}/.made.quantgate-dead, which a run that was killed had left (0.00 GiB)\n" in bench.said.getvalue()


def test_two_runs_for_one_place_are_told_of_each_other(bench: Bench) -> None:
    inner = (
        "from fixtures.errors import ConfigurationError; from fixtures.quantize import place\n"
        f"try:\n    place.beside(Path({str(bench.output)!r}), print).__enter__()\n"
        f"except ConfigurationError as error:\n    Path({str(bench.root / 'second')!r}).write_text(str(error))\nwhole()"
    )
    repository = str(Path(__file__).parents[1])
    bench.make(f"sys.path.insert(0, {repository!r})\n{inner}")
    second = (bench.root / "second").read_text(encoding="utf-8")
    assert second == f"-o {bench.output} is being made by another run (pid {os.getpid()}); wait for it, or name another folder"


def test_input_scales_without_calibration_are_written_by_rule_and_that_is_recorded(bench: Bench) -> None:
    change(bench.checkpoint, lambda tensors: tensors[DIVISOR][1].fill(float("nan")))
    made = bench.make(calibrate=None, repair_input_scales=True)
    assert made.inspection.verdict == "pass"
    assert made.manifest.repair is not None
    assert len(made.manifest.repair.largest_inputs) == 14
    assert str(made.manifest).endswith("input scales by rule and not by calibration")
    task = json.loads((bench.root / "oneshot.task").read_text(encoding="utf-8"))
    assert (task["tokens"], task["uncalibrated"]) == (None, True)


def test_a_checkpoint_with_an_error_is_made_and_the_exit_code_says_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    change(bench.checkpoint, lambda tensors: tensors[DIVISOR][1].fill(float("nan")))
    monkeypatch.setattr("fixtures.quantize.making.Tools", lambda: tools(bench.root, bench.checkpoint))
    code = main(["quantize", str(bench.model), "--scheme", "NVFP4", "--calibrate", "reference", "-o", str(bench.output), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert code == 1
    assert (document["inspection"]["verdict"], document["manifest"]["verdict"]) == ("fail", "fail")
    assert [one["where"] for one in document["inspection"]["findings"] if one["severity"] == "error"] == [DIVISOR]
    assert document["output"] == str(bench.output)


def test_at_the_end_it_says_what_to_do_next(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("fixtures.quantize.making.Tools", lambda: tools(bench.root, bench.checkpoint))
    assert main(["quantize", str(bench.model), "--scheme", "nvfp4", "--calibrate", "reference", "-o", str(bench.output)]) == 0
    told = capsys.readouterr().out
    assert f"\n  quantgate inspect {bench.output} --against {bench.model}\n" in told
    pasted = bench.root / "models.toml"
    pasted.write_text(told[told.index("[[family]]") :], encoding="utf-8")
    family = load(pasted).family[0]
    assert [(one.precision, one.path) for one in family.checkpoint] == [("bf16", str(bench.model)), ("nvfp4", str(bench.output))]


def test_a_stanza_names_a_hub_id_by_its_commit_and_keeps_names_apart(bench: Bench) -> None:
    made = bench.make()
    told = msgspec.structs.replace(made.manifest, base=manifest.Base(name="org/my model", revision="a" * 40, fingerprint="f"))
    text = stanza(msgspec.structs.replace(made, output="/models/bf16", precision="", manifest=told))
    family = msgspec.convert(tomllib.loads(text), Registry).family[0]
    assert (family.name, family.checkpoint[0].path, family.checkpoint[0].revision) == ("my-model", "org/my model", "a" * 40)
    assert (family.checkpoint[1].name, family.checkpoint[1].precision) == ("bf16-nvfp4", "nvfp4")


def test_inspect_shows_the_manifest_and_notices_weights_that_were_changed_since(bench: Bench) -> None:
    bench.make()
    report = inspect_checkpoint(bench.output, bench.model)
    assert report.made_by is not None
    assert report.made_by.startswith("NVFP4 by quantgate ")
    assert "quantgate.json" not in {one.where for one in report.findings}
    before = fingerprint.of_checkpoint(bench.output)
    assert manifest.made_by(bench.output, before) == report.made_by

    change(bench.output, lambda tensors: tensors[DIVISOR][1].fill(3.0))
    stale = [one for one in inspect_checkpoint(bench.output).findings if one.where == "quantgate.json"]
    assert [(one.severity, one.check) for one in stale] == [("warning", "manifest-stale")]
    assert manifest.made_by(bench.output, fingerprint.of_checkpoint(bench.output)) is None

    (bench.output / manifest.NAME).write_text("{", encoding="utf-8")
    noted = [one for one in inspect_checkpoint(bench.output).findings if one.where == "quantgate.json"]
    assert [(one.severity, one.check) for one in noted] == [("note", "manifest-unreadable")]


def test_a_manifest_is_no_part_of_a_fingerprint(bench: Bench) -> None:
    bench.make()
    before = fingerprint.of_checkpoint(bench.output)
    (bench.output / manifest.NAME).unlink()
    assert fingerprint.of_checkpoint(bench.output) == before


def test_a_recipe_of_one_s_own_is_run_and_recorded(bench: Bench) -> None:
    text = "quant_stage:\n  quant_modifiers:\n    GPTQModifier:\n      scheme: NVFP4\n"
    (bench.root / "own.yaml").write_text(text, encoding="utf-8")
    made = bench.make(scheme=None, recipe=bench.root / "own.yaml")
    assert (made.manifest.scheme, made.manifest.recipe, made.precision) == ("own.yaml", text, "")
    assert 'precision = "nvfp4"' in stanza(made)
