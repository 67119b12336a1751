"""Whole runs of pytest on a project of their own, with real servers: boots counted, damage found, nothing left behind."""

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "fixtures" / "reference"
SERVE = "{ max_model_len = 1024, max_num_seqs = 32, max_num_batched_tokens = 2048 }"
ASKS_FOR_A_SERVER = """
import pytest

@pytest.mark.server
def test_first(server, question_suite):
    server.raise_if_dead()

@pytest.mark.server
def test_second(server, question_suite):
    server.raise_if_dead()
"""

pytestmark = pytest.mark.server


class Run(NamedTuple):
    code: int
    output: str
    survivors: list[str]

    def boots(self) -> list[str]:
        return sorted(re.findall(r"^(\S+): vLLM ready", self.output, re.MULTILINE))


def models(folder: Path, checkpoints: dict[str, Path]) -> Path:
    """A models.toml with the reference family's tolerances and these checkpoints (precision → folder)."""
    family = ['[[family]]\nname = "reference"\nsuites = ["reference-text", "reference-questions"]']
    family += ["tolerance.bf16 = { accuracy_points = 2.0, perplexity_ratio = 1.01 }"]
    family += ["tolerance.nvfp4 = { accuracy_points = 4.0, perplexity_ratio = 1.05 }"]
    for precision, path in checkpoints.items():
        family += [f'[[family.checkpoint]]\nname = "{precision}"\nprecision = "{precision}"\npath = "{path}"\nserve = {SERVE}']
    file = folder / "models.toml"
    file.write_text("\n".join(family) + "\n", encoding="utf-8")
    return file


def run_pytest(cwd: Path, *arguments: str) -> Run:
    """Run pytest in `cwd`; survivors are processes that still carry this run's mark in their environment afterwards."""
    mark = f"QUANTGATE_RUN={uuid.uuid4().hex}"
    name, _, value = mark.partition("=")
    command = [sys.executable, "-m", "pytest", "--gpu=cpu", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=cwd, env=os.environ | {name: value, "COLUMNS": "200"}, capture_output=True, text=True, check=False)
    return Run(done.returncode, done.stdout + done.stderr, [str(pid) for pid in carrying(mark)])


def carrying(mark: str) -> list[int]:
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in environ.read_bytes():
                found.append(int(environ.parent.name))
        except OSError:
            continue  # ended meanwhile, or not ours to read
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own that uses the plugin: two tests a checkpoint, each wanting its server."""
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["fixtures.plugin"]\n', encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\n", encoding="utf-8")
    (tmp_path / "test_servers.py").write_text(ASKS_FOR_A_SERVER, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("workers", [0, 2])
def test_each_checkpoint_boots_once_and_nothing_is_left(project: Path, workers: int) -> None:
    models(project, {precision: REFERENCE / precision for precision in ("bf16", "fp8", "nvfp4")})
    run = run_pytest(project, "-n", str(workers))
    assert run.code == 0, run.output
    assert "6 passed" in run.output
    assert run.boots() == ["reference/bf16", "reference/fp8", "reference/nvfp4"]
    assert run.survivors == []


def test_checkpoint_that_cannot_boot_fails_with_its_log_and_others_still_run(project: Path) -> None:
    shutil.copytree(REFERENCE / "fp8", project / "truncated")
    weights = project / "truncated" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    models(project, {"bf16": REFERENCE / "bf16", "fp8": project / "truncated", "nvfp4": REFERENCE / "nvfp4"})
    run = run_pytest(project)
    assert run.code == 1
    assert "reference/fp8 did not boot (exit" in run.output
    assert "SafetensorError: " in run.output, run.output
    assert "reference/fp8 did not boot earlier in this run" in run.output
    assert "4 passed" in run.output
    assert "2 errors" in run.output
    assert run.boots() == ["reference/bf16", "reference/nvfp4"]
    assert run.survivors == []


def halve_down_proj_scales(checkpoint: Path, layer: int) -> None:
    """Halve every block scale of one layer's down_proj in place: FP8 e4m3 codes, one exponent step (8 codes) lower."""
    file = checkpoint / "model.safetensors"
    content = bytearray(file.read_bytes())
    length = int.from_bytes(content[:8], "little")
    start, end = json.loads(content[8 : 8 + length])[f"model.layers.{layer}.mlp.down_proj.weight_scale"]["data_offsets"]
    codes = np.frombuffer(content, dtype=np.uint8, count=end - start, offset=8 + length + start)
    assert codes.min() >= 16, "a subnormal code would not be halved by a step of the exponent"
    content[8 + length + start : 8 + length + end] = (codes - 8).tobytes()
    file.write_bytes(content)


def test_damaged_checkpoint_fails_with_suite_drop_and_tolerance(tmp_path: Path) -> None:
    shutil.copytree(REFERENCE / "nvfp4", tmp_path / "damaged")
    halve_down_proj_scales(tmp_path / "damaged", layer=5)  # the last one: nothing behind it makes up for the damage
    file = models(tmp_path, {"bf16": REFERENCE / "bf16", "nvfp4": tmp_path / "damaged"})
    run = run_pytest(ROOT, f"--models={file}", f"--records={tmp_path / 'records'}", "-m", "nvfp4", "-k", "perplexity", "tests_accuracy")
    assert run.code == 1, run.output
    sentence = next(line for line in run.output.splitlines() if line.startswith("fail: "))
    assert re.search(r"reference/nvfp4 reference-text: perplexity \+\d+\.\d+ % \[.*\], tolerance \+5.00 %, n = 256 documents", sentence), (
        sentence
    )
    verdict = json.loads((tmp_path / "records" / "reference" / "nvfp4" / "reference-text.verdict.json").read_text(encoding="utf-8"))
    assert verdict["verdict"] == "fail"
    assert verdict["drop"] > verdict["tolerance"]
    assert run.survivors == []
