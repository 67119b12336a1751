"""`quantgate inspect`: what it prints, and its exit codes."""

import json
from pathlib import Path

import pytest

from quantgate.cli import main
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
