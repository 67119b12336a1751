"""`quantgate fan-out --on slurm`, as it is typed."""

from pathlib import Path

import pytest

from quantgate.cli import main
from tests_fixtures.doubles.little_slurm import LittleSlurm

REFERENCE = Path(__file__).parents[2] / "fixtures" / "reference"
RAYS = "is for Ray: on Slurm nodes are chosen by --sbatch, and share the folders that are named"
MODELS = (
    '[[family]]\nname = "small"\nsuites = ["reference-text"]\ncheckpoint = [{{ name = "bf16", precision = "bf16", path = "{path}" }}]\n'
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "conftest.py").touch()
    (tmp_path / "models.toml").write_text(MODELS.format(path=REFERENCE / "bf16"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LittleSlurm:
    return LittleSlurm(tmp_path / "slurm", monkeypatch)


def test_what_is_typed_stands_in_the_script(project: Path, slurm: LittleSlurm, capsys: pytest.CaptureFixture[str]) -> None:
    typed = "fan-out --on slurm -o out --hours=2 --tp=2 --sbatch=--partition=gpu --inconclusive=fail -- --must-run"
    assert main(typed.split()) == 0
    array = (project / "out" / "array.sbatch").read_text(encoding="utf-8")
    for part in ("--array=1-1", "--gpus-per-node=2", "--time=120", "--partition=gpu"):
        assert f"#SBATCH {part}\n" in array
    assert f"cd {project} " in array
    last = array.splitlines()[-1]
    assert f"--models={project}/models.toml --baselines={project}/baselines --inconclusive=fail" in last
    assert " --reuse -m 'bf16 or fp8 " in last
    assert last.endswith(" --must-run")
    assert slurm.calls[0] == f"sbatch --parsable {project}/out/array.sbatch"
    assert capsys.readouterr().err.startswith("quantgate fan-out: job 41: 1 task, a shard each (small); job 42 merges behind them\n")


def test_printed_scripts_are_all_of_standard_output(project: Path, slurm: LittleSlurm, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fan-out", "--on=slurm", "--print", "-o", "out", "--again"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith(f"# {project}/out/array.sbatch\n#!/bin/bash\n")
    assert told.err.startswith("quantgate fan-out: nothing is submitted; ")
    assert '${reuse:+"$reuse"}' in told.out
    assert (slurm.calls, (project / "out").exists()) == ([], False)


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--ship", f"--ship {RAYS}"),
        ("--image=x", f"--image {RAYS}"),
        ("--classes=a,b", f"--classes {RAYS}"),
        ("--resource=slot", f"--resource {RAYS}"),
        ("--json", f"--json {RAYS}"),
        ("--shards=0", "--shards=0: give 1 or more; without it there is one for each family (1)"),
    ],
)
def test_what_is_rays_is_refused(project: Path, slurm: LittleSlurm, capsys: pytest.CaptureFixture[str], option: str, told: str) -> None:
    assert main(["fan-out", "--on=slurm", "-o", "out", option]) == 2
    assert capsys.readouterr().err == f"quantgate fan-out: {told}\n"
    assert (slurm.calls, (project / "out").exists()) == ([], False)
