"""pytest's side of a run: what there is nothing to test for, which cores it keeps to, what an end that fails does to its exit code."""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures import placing, plugin
from fixtures.devices import Slot, cpu
from fixtures.errors import ServerError
from fixtures.nvml import Device
from fixtures.state import STATE

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[1]
INNER = """
def test_texts(case, text_suite): pass
def test_questions(case, question_suite): pass
def test_plain(): pass
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A family with texts and no questions."""
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("QUANTGATE_LOCKS", str(pytester.path / "locks"))
    checkpoint = f'{{ name = "bf16", precision = "bf16", path = "{ROOT}/fixtures/reference/bf16" }}'
    (pytester.path / "models.toml").write_text(
        f'[[family]]\nname = "reference"\nsuites = ["reference-text"]\ncheckpoint = [{checkpoint}]\n'
    )
    pytester.makepyprojecttoml(f'[tool.pytest.ini_options]\npythonpath = ["{ROOT}"]\n')
    pytester.makeconftest('pytest_plugins = ["fixtures.plugin"]')
    pytester.makepyfile(INNER)
    return pytester


def test_a_test_of_what_no_family_has_is_left_out_and_not_skipped(project: pytest.Pytester) -> None:
    ran = project.runpytest_subprocess("--gpu=cpu", "--must-run")
    ran.assert_outcomes(passed=2, deselected=1)
    assert ran.ret == 0


@pytest.mark.parametrize(("workers", "named"), [(None, ["0"]), (2, ["0", "1"])], ids=["no workers", "two workers"])
def test_the_header_names_the_slot_of_every_worker_and_what_servers_do_not_see(
    workers: int | None, named: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fixtures.launch.left_out", lambda _: ["RANK", "VLLM_USE_V1"])
    slots = [Slot(devices=[Device(name=f"CPU core {core}", core=core)]) for core in (0, 1)]
    state = SimpleNamespace(slot=slots[0], slots=slots, families=[], records=Path("/records"), registry=None, suites={})
    option = SimpleNamespace(gpu="cpu:0,cpu:1")
    config: Any = SimpleNamespace(stash={STATE: state}, option=option, rootpath=ROOT, getoption=lambda *_: workers)
    header = plugin.pytest_report_header(config)
    assert [line.rpartition(" ")[2] for line in header if line.startswith("quantgate: device CPU core ")] == named
    assert header[-1] == "quantgate: servers do not see RANK, VLLM_USE_V1; what they need stands in models.toml (serve.env)"


def test_the_client_keeps_to_the_cores_of_its_server_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = {0, 1, 2}
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(allowed))

    def keep(_: int, cores: set[int]) -> None:
        allowed.clear()
        allowed.update(cores)

    monkeypatch.setattr(os, "sched_setaffinity", keep)
    cleanup: list[Any] = []
    config: Any = SimpleNamespace(add_cleanup=cleanup.append)
    for anywhere in (Slot(devices=[cpu()]), Slot(devices=[Device(name="NVIDIA H200", uuid="GPU-a1")])):
        placing.keep_to_cores(config, anywhere)
    assert (allowed, cleanup) == ({0, 1, 2}, [])
    placing.keep_to_cores(config, Slot(devices=[cpu(1)]))
    assert allowed == {1}
    (restore,) = cleanup
    restore()
    assert allowed == {0, 1, 2}


@pytest.mark.parametrize(("error", "status"), [(None, 0), (ServerError("70 GiB are missing"), 1)])
def test_servers_that_do_not_end_fail_the_run_and_are_named(
    error: ServerError | None, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def close() -> None:
        if error:
            raise error

    stash: Any = {STATE: SimpleNamespace(pool=SimpleNamespace(close=close))}
    session: Any = SimpleNamespace(config=SimpleNamespace(stash=stash), exitstatus=0)
    plugin.pytest_sessionfinish(session)
    assert session.exitstatus == status
    assert capsys.readouterr().err == (f"quantgate: {error}\n" if error else "")


@pytest.mark.thorough
@pytest.mark.parametrize(("given", "stored"), [((), "mine/benchmarks"), (("--benchmark-storage=file://theirs",), "theirs")])
def test_benchmarks_are_stored_below_the_records(project: pytest.Pytester, given: tuple[str, ...], stored: str) -> None:
    project.makepyfile("def test_speed(benchmark): benchmark.pedantic(lambda: None, rounds=2)")
    options = ("--gpu=cpu", "--records=mine", "--benchmark-autosave", *given)
    assert project.runpytest_subprocess(*options).ret == 0
    assert len(list((project.path / stored).rglob("0001_*.json"))) == 1
    compared = project.runpytest_subprocess(*options, "--benchmark-compare")
    compared.stdout.fnmatch_lines(["*test_speed (0001_*"])
    assert not (project.path / ".benchmarks").exists()
    if not given:
        assert (project.path / stored).stat().st_mode & 0o777 == 0o700


@pytest.mark.thorough
def test_unsound_files_fail_what_needs_a_server_at_once_and_another_checkpoint_goes_on(project: pytest.Pytester) -> None:
    broken = project.path / "broken"
    shutil.copytree(ROOT / "fixtures" / "reference" / "fp8", broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    models = project.path / "models.toml"
    models.write_text(
        models.read_text().replace("checkpoint = [", f'checkpoint = [{{ name = "fp8", precision = "fp8", path = "{broken}" }}, ')
    )
    structure = (ROOT / "tests_quant" / "test_structure.py").read_text()
    project.makepyfile(test_a=structure, test_b="def test_it(server, accepted): pass\ndef test_end(ending): pass\n")
    project.makeconftest(
        "import fixtures.server\ndef no_boot(*given, **named): raise RuntimeError('a boot')\nfixtures.server.Server.__init__ = no_boot\n"
        'pytest_plugins = ["fixtures.plugin"]'
    )
    ran = project.runpytest_subprocess("--gpu=cpu", "-m", "fp8")
    ran.assert_outcomes(failed=1, errors=2, passed=1, deselected=6)
    ran.stdout.fnmatch_lines(
        ["reference/fp8 is not served, since its files are unsound: *; to serve it all the same, leave tests_quant out"]
    )
    assert "a boot" not in ran.stdout.str()
    alone = project.runpytest_subprocess("--gpu=cpu", "-m", "fp8", "test_b.py")
    assert "a boot" in alone.stdout.str()


def test_a_checkpoint_that_is_skipped_on_this_device_says_why_and_is_looked_at_all_the_same(project: pytest.Pytester) -> None:
    file = project.path / "models.toml"
    file.write_text(file.read_text().replace('precision = "bf16"', 'precision = "bf16", skip = { cpu = "no kernel for it" }'))
    project.makepyfile("import pytest\n@pytest.mark.server\ndef test_texts(case, text_suite): pass\ndef test_files(case, accepted): pass\n")
    ran = project.runpytest_subprocess("--gpu=cpu", "-rs")
    ran.assert_outcomes(passed=1, skipped=1)
    ran.stdout.fnmatch_lines(["SKIPPED*reference/bf16 is skipped here: no kernel for it"])
