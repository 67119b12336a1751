"""Each worker its own slot: locked while it lives, and taken over by the worker that replaces it."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures import devices, locks, placing
from fixtures.errors import ConfigurationError

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[1]
CORES = sorted(os.sched_getaffinity(0))[:2]
INNER = """
import json, os, pathlib, pytest

@pytest.mark.parametrize("number", range(4))
def test_it(quantgate, number):
    core = quantgate.slot.devices[0].core
    note = json.loads((pathlib.Path(os.environ["QUANTGATE_LOCKS"]) / f"cpu-{core}.lock").read_text())
    assert note["pid"] == os.getpid()
    assert "--gpu=" in note["command"]
    pathlib.Path(f"seen-{core}").touch()
"""


@pytest.fixture(autouse=True)
def _locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTGATE_LOCKS", str(tmp_path / "locks"))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(placing, "REPLACEMENT_SECONDS", 0.3)


def config(gpu: str, worker: int | None = None, workers: int = 2) -> Any:
    """As much of pytest's as `place` reads: of a worker of this number, or of a process without workers."""
    found = SimpleNamespace(option=SimpleNamespace(gpu=gpu, tp=None, gpu_wait=0.0, collectonly=False, endpoint=None), cleanup=[])
    found.getoption = lambda _, default=None: default
    found.add_cleanup = found.cleanup.append
    if worker is not None:
        found.workerinput = {"workerid": f"gw{worker}", "workercount": workers, "mainargv": ["pytest", "-n2"]}
    return found


def core(of: Any) -> int | None:
    return placing.place(of, [])[0].devices[0].core


def test_each_worker_takes_the_slot_of_its_number() -> None:
    assert [core(config("cpu:0,cpu:1", worker)) for worker in (0, 1)] == [0, 1]


def test_a_worker_that_replaces_a_crashed_one_takes_the_slot_that_it_left() -> None:
    first, second = config("cpu:0,cpu:1", 0), config("cpu:0,cpu:1", 1)
    assert [core(first), core(second)] == [0, 1]
    with pytest.raises(ConfigurationError, match=r"core 0 is held by pid \d+ \(.*: `pytest -n2`\)"):
        core(config("cpu:0,cpu:1", 2))
    for release in second.cleanup:
        release()
    assert core(config("cpu:0,cpu:1", 2)) == 1


def test_any_number_of_workers_shares_the_whole_cpu() -> None:
    assert [core(config("cpu", worker, 3)) for worker in range(3)] == [None] * 3


def test_the_lock_is_given_back_when_pytest_ends() -> None:
    session = config("cpu:1")
    core(session)
    (release,) = session.cleanup
    release()
    locks.take([devices.cpu(1)], "pytest").release()


@pytest.mark.thorough
@pytest.mark.skipif(len(CORES) < 2, reason="two slots need two cores, and this machine has one")
def test_two_workers_hold_a_core_each(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST")]:
        monkeypatch.delenv(name)
    reference = ROOT / "fixtures" / "reference"
    checkpoint = f'{{ name = "bf16", precision = "bf16", path = "{reference}/bf16" }}'
    (pytester.path / "models.toml").write_text(
        f'[[family]]\nname = "reference"\nsuites = ["reference-text"]\ncheckpoint = [{checkpoint}]\n'
    )
    pytester.makepyprojecttoml(f'[tool.pytest.ini_options]\npythonpath = ["{ROOT}"]\n')
    pytester.makeconftest('pytest_plugins = ["fixtures.plugin"]')
    # xdist sends a file's tests to one worker here, so that two files are needed.
    pytester.makepyfile(test_one=INNER, test_two=INNER)
    chosen = ",".join(f"cpu:{number}" for number in CORES)
    pytester.runpytest_subprocess("-n", "2", f"--gpu={chosen}").assert_outcomes(passed=8)
    assert {file.name for file in pytester.path.glob("seen-*")} == {f"seen-{number}" for number in CORES}
