"""The command line on the real project: a mistake is one line and exit 4, a marker selects what people expect."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from fixtures import devices

ROOT = Path(__file__).parents[1]
MODELS = """
[[family]]
name = "reference"
{family}
checkpoint = [{{ name = "bf16", precision = "{precision}", path = "{path}" }}]
"""
GOOD = {"family": 'suites = ["reference-text"]', "precision": "bf16", "path": str(ROOT / "fixtures" / "reference" / "bf16")}

DRIVER = """
import contextlib, io, json, sys
import pytest

def run(arguments):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = pytest.main([*arguments, "--collect-only", "-q", "-p", "no:cacheprovider"])
    heavy = [name for name in ("torch", "vllm", "transformers", "openai", "datasets", "matplotlib") if name in sys.modules]
    return [int(code), out.getvalue(), err.getvalue(), heavy]

print(json.dumps([run(arguments) for arguments in json.load(sys.stdin)]))
"""
"""Runs pytest once for each list of arguments: a process for each would cost a second each."""


class Ran(NamedTuple):
    code: int
    out: str
    err: str
    heavy: list[str]
    """Slow packages that are loaded after the run (and were not needed to collect)."""

    @property
    def collected(self) -> set[str]:
        """Tests without their files: `test_it[family/checkpoint:suite]`."""
        return {line.partition("::")[2] for line in self.out.splitlines() if "::" in line}


def run(*runs: list[str]) -> list[Ran]:
    """pytest with each of these arguments, in one process of its own, in the project's folder."""
    done = subprocess.run([sys.executable, "-c", DRIVER], cwd=ROOT, input=json.dumps(runs), capture_output=True, text=True, check=True)
    return [Ran(*one) for one in json.loads(done.stdout.splitlines()[-1])]


MISTAKES = {
    "unknown key": (
        {**GOOD, "family": 'suites = ["reference-text"]\ndefalt = true'},
        "unknown key defalt in family reference (did you mean default?); known are ",
    ),
    "no checkpoint": ({**GOOD, "path": "nowhere"}, "checkpoint reference/bf16: path nowhere is no checkpoint: there is no folder "),
    "unknown precision": (
        {**GOOD, "precision": "bf61"},
        "checkpoint reference/bf16: unknown precision bf61 (did you mean bf16?); there are ",
    ),
    "unknown suite": (
        {**GOOD, "family": 'suites = ["reference-txt"]'},
        "family reference: there is no suite reference-txt (did you mean reference-text?); there are ",
    ),
}
OPTIONS = {
    "--family=nope": "--family=nope: no such family; there are reference",
    "--models=nowhere.toml": "--models=nowhere.toml cannot be read",
    "--gpu=toaster": "--gpu=toaster: is no device; give auto, cpu, ",
    "--gpu=cpu,0": "--gpu=",
}
NO_GPU = {f"--gpu={index}": f"--gpu={index}: this machine has no NVIDIA device (NVML finds none); use --gpu=cpu" for index in (0, 7)}


@pytest.fixture(scope="module")
def mistaken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """Mistake → the run that made it."""
    folder = tmp_path_factory.mktemp("models")
    runs = {option: [option] for option in (*OPTIONS, *NO_GPU)}
    for number, (name, (filled, _)) in enumerate(MISTAKES.items()):
        file = folder / f"models{number}.toml"
        file.write_text(MODELS.format(**filled), encoding="utf-8")
        runs[name] = [f"--models={file}"]
    return dict(zip(runs, run(*runs.values()), strict=True))


def refused(ran: Ran) -> str:
    """The one line that a refused run says."""
    assert ran.code == 4
    assert "Traceback" not in ran.out + ran.err
    (line,) = (ran.out + ran.err).strip().splitlines()
    assert line.startswith("ERROR: ")
    return line


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_models_file_is_one_line_that_names_the_file(name: str, mistaken: dict[str, Ran]) -> None:
    line = refused(mistaken[name])
    assert re.match(r"ERROR: /.*/models\d\.toml: ", line)
    assert MISTAKES[name][1] in line


@pytest.mark.parametrize("option", OPTIONS)
def test_a_mistaken_option_is_one_line_that_names_the_option(option: str, mistaken: dict[str, Ran]) -> None:
    assert refused(mistaken[option]).startswith(f"ERROR: {OPTIONS[option]}")


@pytest.mark.skipif(bool(devices.gpus()), reason="this machine has an NVIDIA device")
@pytest.mark.parametrize("option", NO_GPU)
def test_a_gpu_on_a_machine_without_one_points_to_the_cpu(option: str, mistaken: dict[str, Ran]) -> None:
    assert refused(mistaken[option]) == f"ERROR: {NO_GPU[option]}"


def test_the_shell_sees_exit_4_and_nothing_on_standard_output() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--family=nope"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.strip() == "ERROR: --family=nope: no such family; there are reference"


GATES = ["tests_accuracy", "tests_quant", "tests_throughput"]
SUITES = {
    "test_perplexity_recovers": "reference-text",
    "test_answers_recover": "reference-questions",
    "test_decode_speed_holds": "decode-16x64",
}


def of(*checkpoints: str) -> set[str]:
    """The gates of these checkpoints of the reference family."""
    return {f"{test}[reference/{one}:{suite}]" for one in checkpoints for test, suite in SUITES.items()}


@pytest.fixture(scope="module")
def selected() -> dict[str, Ran]:
    """Selection → what it collects on a CPU; "" is the whole project, the harness's own tests with it."""
    chosen = ["-m nvfp4", "-m fp8 or nvfp4", "-m bf16", "-k reference"]
    runs = [["--gpu=cpu"], *([*GATES, "--gpu=cpu", choice[:2], choice[3:]] for choice in chosen)]
    return dict(zip(["", *chosen], run(*runs), strict=True))


@pytest.mark.parametrize(
    ("chosen", "checkpoints"),
    [
        ("-m nvfp4", ["nvfp4"]),
        ("-m fp8 or nvfp4", ["fp8", "nvfp4"]),
        ("-m bf16", ["bf16"]),
        ("-k reference", ["bf16", "fp8", "nvfp4"]),
    ],
)
def test_a_selection_takes_every_suite_of_its_checkpoints_and_of_no_others(
    chosen: str, checkpoints: list[str], selected: dict[str, Ran]
) -> None:
    assert selected[chosen].code == 0
    gates = {test for test in selected[chosen].collected if test.partition("[")[0] in SUITES}
    assert gates == of(*checkpoints)
    assert {re.split("[/:]", test)[1] for test in selected[chosen].collected} == set(checkpoints)


def test_a_precision_selects_its_gates_alone_in_the_whole_project(selected: dict[str, Ran]) -> None:
    assert selected[""].collected > selected["-m nvfp4"].collected
    assert "test_expected_kernel_ran[reference/nvfp4:kernel]" in selected["-m nvfp4"].collected


def test_the_gates_run_checkpoint_by_checkpoint_bf16_first(selected: dict[str, Ran]) -> None:
    order = re.findall(r"\[reference/(\w+):", selected["-k reference"].out)
    assert list(dict.fromkeys(order)) == ["bf16", "fp8", "nvfp4"]
    assert order == sorted(order)  # no checkpoint is come back to


def test_collecting_loads_nothing_heavy(selected: dict[str, Ran]) -> None:
    assert selected[""].code == 0
    assert selected[""].heavy == []
