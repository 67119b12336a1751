"""Whole runs of pytest on a project of their own, with real servers: boots counted, damage found, nothing left behind."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from fixtures.state import State
from quantgate.devices import SLACK_GIB
from tests_fixtures.doubles.marked import Marked
from tests_fixtures.server import faults
from tests_fixtures.server.fault_run import Run

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "fixtures" / "reference"
SERVE = "{ max_model_len = 1024, max_num_seqs = 32, max_num_batched_tokens = 2048 }"
PLANTED = {
    "HF_TOKEN": "hf_planted_0123456789abcdef",
    "QUANTGATE_API_KEY": "planted-key-0123456789abcdef",
    "VLLM_API_KEY": "planted-vllm-key",
}
ASKS_FOR_A_SERVER = """
import pathlib
import pytest

@pytest.mark.server
def test_first(server, question_suite):
    here = pathlib.Path(__file__).parent
    (here / f"key-{server.checkpoint.name}").write_text(str(server.api_key))
    server.raise_if_dead()

@pytest.mark.server
def test_second(server, question_suite):
    server.raise_if_dead()
"""

pytestmark = pytest.mark.server


class Finished(NamedTuple):
    code: int
    output: str
    survivors: list[str]

    def boots(self) -> list[str]:
        return sorted(re.findall(r"^(\S+): vLLM ready", self.output, re.MULTILINE))


def models(folder: Path, checkpoints: dict[str, Path]) -> Path:
    """A models.toml with the reference family's tolerances and these checkpoints (precision → folder)."""
    family = ['[[family]]\nname = "reference"\nsuites = ["reference-text", "reference-questions"]']
    family += ["tolerance.bf16 = { accuracy_points = 2.0, perplexity_ratio = 1.01 }"]
    family += ["tolerance.fp8 = { accuracy_points = 2.0, perplexity_ratio = 1.02 }"]
    family += ["tolerance.nvfp4 = { accuracy_points = 4.0, perplexity_ratio = 1.05 }"]
    for precision, path in checkpoints.items():
        family += [f'[[family.checkpoint]]\nname = "{precision}"\nprecision = "{precision}"\npath = "{path}"\nserve = {SERVE}']
    file = folder / "models.toml"
    file.write_text("\n".join(family) + "\n", encoding="utf-8")
    return file


def run_pytest(cwd: Path, gpu: str, *arguments: str, **variables: str) -> Finished:
    """Run pytest in `cwd`; survivors are its processes that are alive when it has ended.

    Its locks are its own: the device is held by the run that this test belongs to, and free of servers.
    """
    command = [sys.executable, "-m", "pytest", f"--gpu={gpu}", "-p", "no:cacheprovider", *arguments]
    locks = tempfile.mkdtemp() if cwd == ROOT else str(cwd / "locks")
    with Marked() as mark:
        env = os.environ | variables | mark.variables | {"QUANTGATE_LOCKS": locks, "COLUMNS": "200"}
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
        return Finished(done.returncode, done.stdout + done.stderr, list(map(str, mark.alive())))


@pytest.fixture
def gpu(quantgate: State) -> str:
    """The device of the run that this test belongs to."""
    return "cpu" if quantgate.slot.is_cpu else str(quantgate.slot.devices[0].uuid)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own that uses the plugin: two tests a checkpoint, each wanting its server."""
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["fixtures.plugin"]\n', encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\n", encoding="utf-8")
    (tmp_path / "test_servers.py").write_text(ASKS_FOR_A_SERVER, encoding="utf-8")
    return tmp_path


def test_each_checkpoint_boots_once_on_two_workers_and_no_secret_nor_process_is_left(project: Path, gpu: str) -> None:
    models(project, {precision: REFERENCE / precision for precision in ("bf16", "fp8", "nvfp4")})
    records = project / "records"
    workers = "2" if gpu == "cpu" else "1"  # one GPU is one slot
    run = run_pytest(project, gpu, "-n", workers, f"--records={records}", **PLANTED)
    assert run.code == 0, run.output
    assert "6 passed" in run.output
    assert "servers do not see VLLM_API_KEY" in run.output
    assert run.boots() == ["reference/bf16", "reference/fp8", "reference/nvfp4"]
    assert run.survivors == []
    keys = [(project / f"key-{name}").read_text(encoding="utf-8") for name in ("bf16", "fp8", "nvfp4")]
    assert len(set(keys)) == 3
    logs = list(records.rglob("server.log"))
    assert len(logs) == 3
    for secret in (*keys, *PLANTED.values()):
        assert len(secret) > 10
        assert secret not in run.output
        assert not [log for log in logs if secret in log.read_text(encoding="utf-8", errors="replace")]
    folders = [records, *(one for one in records.rglob("*") if one.is_dir())]
    assert {one.stat().st_mode & 0o777 for one in folders} == {0o700}


def test_nothing_is_left_after_a_kill(gpu: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of `faults.FAULTS`, once; all of them are done five times by hand (docs/devices.md)."""
    monkeypatch.setattr(Run, "gpu", gpu)
    outcome = faults.do("kill -9 of pytest during a load")
    assert outcome.as_expected, outcome.said
    assert (outcome.survivors, outcome.left_on_disk) == (0, 0)
    assert outcome.left_gib <= SLACK_GIB


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


def test_a_truncated_checkpoint_fails_with_its_log_and_a_damaged_one_with_suite_drop_and_tolerance(tmp_path: Path, gpu: str) -> None:
    shutil.copytree(REFERENCE / "fp8", tmp_path / "truncated")
    weights = tmp_path / "truncated" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    shutil.copytree(REFERENCE / "nvfp4", tmp_path / "damaged")
    halve_down_proj_scales(tmp_path / "damaged", layer=5)  # the last one: nothing behind it makes up for the damage
    file = models(tmp_path, {"bf16": REFERENCE / "bf16", "fp8": tmp_path / "truncated", "nvfp4": tmp_path / "damaged"})
    chosen = ["-m", "fp8 or nvfp4", "-k", "not (answers and nvfp4)", "tests_accuracy"]  # what the text shows, no answer has to
    run = run_pytest(ROOT, gpu, f"--models={file}", f"--records={tmp_path / 'records'}", *chosen)
    assert run.code == 1, run.output
    assert "reference/fp8 did not boot (exit" in run.output
    assert "SafetensorError: " in run.output, run.output
    assert "reference/fp8 was given up earlier in this run" in run.output
    assert "2 errors" in run.output
    assert run.boots() == ["reference/nvfp4"]
    sentence = next(line for line in run.output.splitlines() if line.startswith("fail: "))
    seen = r"reference/nvfp4 reference-text: perplexity \+\d+\.\d+ % \[.*\], tolerance \+5.00 %, n = 256 documents"
    assert re.search(seen, sentence), sentence
    verdict = json.loads((tmp_path / "records" / "reference" / "nvfp4" / "reference-text.verdict.json").read_text(encoding="utf-8"))
    assert verdict["verdict"] == "fail"
    assert verdict["drop"] > verdict["tolerance"]
    assert run.survivors == []
