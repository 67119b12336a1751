"""`quantgate inspect`: what it prints, and its exit codes."""

import json
import sys
from pathlib import Path

import pytest

from quantgate.cli import main
from tests_fixtures.doubles import fake_engine
from tests_fixtures.doubles.made_checkpoints import change, make_pair


def test_exit_codes_and_one_json_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, base = make_pair(tmp_path, "nvfp4", layers=2)
    assert main(["inspect", str(folder), "--against", str(base), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["verdict"], report["linears"], report["formats"], report["findings"]) == ("pass", 14, ["NVFP4"], [])
    name = "model.layers.1.mlp.up_proj.input_global_scale"
    change(folder, lambda tensors: tensors[name][1].fill(float("nan")))
    assert main(["inspect", str(folder), "--json"]) == 1
    assert [one["where"] for one in json.loads(capsys.readouterr().out)["findings"]] == [name]
    assert main(["inspect", str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"error: {name}: nan: memory that no calibration wrote to")
    assert lines[1:] == ["fail: 1 error"]
    assert main(["inspect", str(tmp_path / "nowhere"), "--json"]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)


def test_another_pythons_engine_is_asked_and_its_refusal_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, _ = make_pair(tmp_path, "nvfp4", layers=1)
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nexec {sys.executable} {fake_engine.__file__}\n", encoding="utf-8")
    python.chmod(0o755)
    told = {"vllm": "0.99.0", "stage": "done", "parameters": 5}
    (folder / "engine.json").write_text(json.dumps({"answer": told}), encoding="utf-8")
    assert main(["inspect", str(folder), "--engine-python", str(python)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "note: all files: all 5 parameters written: vLLM 0.99.0 reads this checkpoint: names, dtypes and shapes are what it wants",
        "pass: 1 note",
    ]
    (folder / "engine.json").write_text(json.dumps({"answer": told | {"unwritten": ["lm_head.weight"]}}), encoding="utf-8")
    assert main(["inspect", str(folder), "--engine", "--engine-python", str(python), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert [(one["check"], one["where"]) for one in report["findings"]] == [("engine-unwritten", "lm_head.weight")]
    (folder / "engine.json").write_text(json.dumps({"answer": told, "seconds": 60}), encoding="utf-8")
    assert main(["inspect", str(folder), "--engine-python", str(python), "--engine-limit", "1"]) == 0
    assert "cannot be asked here: while it was at done, it took longer than 1 s" in capsys.readouterr().out
    assert main(["inspect", str(folder), "--engine-python", str(tmp_path / "nowhere")]) == 2
    assert "cannot be started" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "said"),
    [("--tp=0", "--tp=0: give the number of devices, 1 or more"), ("--engine-limit=-1", "--engine-limit=-1: give seconds above 0")],
)
def test_a_number_that_is_none_is_one_sentence(option: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, _ = make_pair(tmp_path, "nvfp4", layers=1)
    assert main(["inspect", str(folder), option]) == 2
    assert capsys.readouterr().err == f"quantgate inspect: {said}\n"
