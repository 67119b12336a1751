"""The command line on the real project: a mistake is one line and exit 4, a marker selects what people expect."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from fixtures import locks
from fixtures.devices import cpu
from tests_fixtures.machines import MACHINES

ROOT = Path(__file__).parents[1]
FAMILIES = ("reference", "shape-qwen3-32b", "shape-qwen3-14b", "shape-qwen2.5-72b")
MODELS = """
[[family]]
name = "reference"
{family}
checkpoint = [{{ name = "bf16", precision = "{precision}", path = "{path}" }}]
"""
GOOD = {"family": 'suites = ["reference-text"]', "precision": "bf16", "path": str(ROOT / "fixtures" / "reference" / "bf16")}

DRIVER = """
import contextlib, io, json, os, sys
import pytest
import pynvml

def run(arguments):
    sys.modules["pynvml"] = pynvml
    if arguments[0] in json.loads(sys.argv[1]):
        from tests_fixtures.machines import MACHINES
        sys.modules["pynvml"] = MACHINES[arguments[0]].nvml()
        arguments = arguments[1:]
    out, err = io.StringIO(), io.StringIO()
    collect = [] if "--run" in arguments else ["--collect-only"]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = pytest.main([*(one for one in arguments if one != "--run"), *collect, "-q", "-p", "no:cacheprovider"])
    heavy = [name for name in ("torch", "vllm", "transformers", "openai", "datasets", "matplotlib", "scipy.stats") if name in sys.modules]
    return [int(code), out.getvalue(), err.getvalue(), heavy]

print(json.dumps([run(arguments) for arguments in json.load(sys.stdin)]))
"""
"""Runs pytest once for each list of arguments: a process for each would cost a second each.

The first argument may be a machine, and `--run` runs the tests instead of collecting them.
"""


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
    command = [sys.executable, "-c", DRIVER, json.dumps(list(MACHINES))]
    hide = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "PYTEST_XDIST_WORKER")
    env = {name: value for name, value in os.environ.items() if name not in hide}
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(runs), env=env, capture_output=True, text=True, check=True)
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
CORE = min(os.sched_getaffinity(0))
PLACES = {
    "2 x H200 --gpu=0,1 -n3": "-n 3: --gpu=0,1 makes 2 slots, one a worker; name 3, or give -n 2",
    "2 x H200 -n2": "-n 2: --gpu=auto makes 1 slot, one a worker; name 2, or give -n 1",
    f" --gpu=cpu:{CORE} --dist=load --tx=2*popen": f"-n 2: --gpu=cpu:{CORE} makes 1 slot, one a worker; name 2, or give -n 1",
    " --gpu=cpu --tp=2": "--tp=2 with --gpu=cpu: the CPU is one device",
    "RTX PRO 6000, 4 x 1g.24gb --gpu=0,1 --tp=2": "--gpu=0,1 --tp 2: MIG-a0 and MIG-a1 are MIG instances of one GPU (GPU-a), which NCCL",
    "MIG on, no instance --gpu=auto": "--gpu=auto: NVIDIA H200 (GPU-a1) cannot be used: MIG is on, and no instance was made on it: ",
    "no driver --gpu=0": "--gpu=0: this machine has no NVIDIA device (NVML: Driver Not Loaded); use --gpu=cpu",
    "no library --gpu=7": "--gpu=7: this machine has no NVIDIA device (NVML: NVML Shared Library Not Found); use --gpu=cpu",
    "no permission --gpu=auto": "--gpu=auto: NVML says 'Insufficient Permissions': ",
    "driver mismatch ": "--gpu=auto: NVML says 'RM has detected an NVML/RM version mismatch': the driver was updated while it was loaded; ",
}
"""A machine ("" is this one), options → what is said."""
SPLIT = ["--gpu=0 --tp=1", "--gpu=0,1 --tp=2", "--gpu=cpu --tp=1"]
"""Options under which a checkpoint with `tensor_parallel = 2` has as many devices as it asks for."""


@pytest.fixture(scope="module")
def mistaken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """Mistake → the run that made it."""
    folder = tmp_path_factory.mktemp("models")
    runs = {option: [option] for option in OPTIONS}
    for place in PLACES:
        name = next((name for name in sorted(MACHINES, key=len, reverse=True) if place.startswith(name + " ")), "")
        runs[place] = [*([name] if name else []), *place.removeprefix(name).split()]
    for number, (name, (filled, _)) in enumerate(MISTAKES.items()):
        file = folder / f"models{number}.toml"
        file.write_text(MODELS.format(**filled), encoding="utf-8")
        runs[name] = [f"--models={file}"]
    file = folder / "split.toml"
    split = MODELS.format(**GOOD).replace(" }]", ", serve = { tensor_parallel = 2 } }]")
    file.write_text(split, encoding="utf-8")
    on_two = ["2 x H200", f"--models={file}", "tests_accuracy"]
    runs |= {f"split {options}": [*on_two, *options.split()] for options in ("--gpu=0", "--gpu=cpu", "--gpu=0,1", *SPLIT)}
    on_core = [f"--gpu=cpu:{CORE}", "tests_fixtures/test_asking.py"]
    runs |= {f"held {options}": ["--run", *on_core, *options.split()] for options in ("", "-n1", "--gpu-wait=-1")}
    runs["collected"] = on_core
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUANTGATE_LOCKS", str(folder))
        held = locks.take([cpu(CORE)], "pytest -m fp8")
        try:
            return dict(zip(runs, run(*runs.values()), strict=True))
        finally:
            held.release()


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


@pytest.mark.parametrize("place", PLACES)
def test_a_place_where_no_server_can_run_is_one_line(place: str, mistaken: dict[str, Ran]) -> None:
    assert refused(mistaken[place]).startswith(f"ERROR: {PLACES[place]}")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--gpu=0", "--gpu=0 names 1 device, which do not make slots of --tp 2"),
        ("--gpu=cpu", "--tp=2 with --gpu=cpu: the CPU is one device"),
    ],
)
def test_a_checkpoint_of_more_devices_than_there_are_is_named(options: str, said: str, mistaken: dict[str, Ran]) -> None:
    who = "reference/bf16 is served on 2 devices (tensor_parallel), as with --tp 2: "
    assert refused(mistaken[f"split {options}"]).startswith(f"ERROR: {who}{said}")


def test_a_slot_has_as_many_devices_as_its_largest_checkpoint_takes(mistaken: dict[str, Ran]) -> None:
    assert mistaken["split --gpu=0,1"].code == 0


@pytest.mark.parametrize("options", SPLIT)
def test_tp_overrides_what_the_models_file_says(options: str, mistaken: dict[str, Ran]) -> None:
    assert mistaken[f"split {options}"].code == 0


@pytest.mark.parametrize("options", ["", "-n1"])
def test_a_device_that_another_session_holds_is_one_line(options: str, mistaken: dict[str, Ran]) -> None:
    who = rf"core {CORE} is held by pid {os.getpid()} \(.*: `pytest -m fp8`\) since .*; wait for it with --gpu-wait SECONDS, or "
    assert re.search(rf"^ERROR: CPU .* {who}", refused(mistaken[f"held {options}"]))


def test_collecting_needs_no_lock_and_a_wait_needs_seconds(mistaken: dict[str, Ran]) -> None:
    assert mistaken["collected"].code == 0
    assert refused(mistaken["held --gpu-wait=-1"]) == "ERROR: --gpu-wait=-1: give seconds, 0 or more"


def test_the_shell_sees_exit_4_and_nothing_on_standard_output() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--family=nope"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.strip() == "ERROR: --family=nope: no such family; there are " + ", ".join(FAMILIES)


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
    assert {re.split(r"[]/:]", test)[1] for test in selected[chosen].collected} == set(checkpoints)


def test_a_precision_selects_its_gates_alone_in_the_whole_project(selected: dict[str, Ran]) -> None:
    assert selected[""].collected > selected["-m nvfp4"].collected
    assert "test_expected_kernel_ran[reference/nvfp4:kernel]" in selected["-m nvfp4"].collected


def test_the_gates_run_checkpoint_by_checkpoint_bf16_first(selected: dict[str, Ran]) -> None:
    cases = re.findall(r"\[reference/(\w+):([\w-]+)", selected["-k reference"].out)
    order = [name for name, about in cases if about != "ends"]
    assert list(dict.fromkeys(order)) == ["bf16", "fp8", "nvfp4"]
    assert order == sorted(order)  # no checkpoint is come back to
    assert [name for name, about in cases[len(order) :] if about == "ends"] == ["bf16", "fp8", "nvfp4"]  # when their servers have stopped


def test_the_cheap_questions_come_first(selected: dict[str, Ran]) -> None:
    about = [name for checkpoint, name in re.findall(r"\[reference/(\w+):([\w-]+)", selected["-k reference"].out) if checkpoint == "fp8"]
    assert about == ["accepts", "accepts", "kernels", "reference-text", "reference-questions", "decode-16x64", "ends"]


def test_collecting_loads_nothing_heavy(selected: dict[str, Ran]) -> None:
    assert selected[""].code == 0
    assert selected[""].heavy == []
