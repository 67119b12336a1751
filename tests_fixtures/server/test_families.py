"""The families of the reports: every file of families/ on two RTX PRO 6000, a MIG instance of 96 GB each, down to vLLM's command line."""

import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from huggingface_hub import constants

from fixtures import placement
from quantgate import registry
from quantgate.devices import Slot, nvml
from quantgate.errors import ConfigurationError
from quantgate.registry import Checkpoint, Family, local_folder
from quantgate.server import launch
from quantgate.suites import SUITES, LoadSuite, catalogue
from tests_fixtures.doubles import machines

ROOT = Path(__file__).parents[2]
FILES = sorted(file for file in (ROOT / "families").glob("*.toml") if not file.stem.startswith("smollm2"))  # made here, by `make smollm2`
HEAD = "0123456789abcdef0123456789abcdef01234567"
"""The commit that `main` is, in the imitation of the hub's cache."""
PORT = 8000
ALIKE = "--host 127.0.0.1 --port 8000 --generation-config vllm --load-format safetensors --dtype auto --tensor-parallel-size {}"
PLAIN = "--max-model-len 4096 --max-num-seqs 64 --gpu-memory-utilization 0.9 --uvicorn-log-level warning --no-enable-prefix-caching {}"
OFFLOADED = (
    "--max-model-len 4096 --max-num-seqs 1 --gpu-memory-utilization 0.9 --cpu-offload-gb 64.0 --uvicorn-log-level warning "
    "--no-enable-prefix-caching --enforce-eager {}"
)
SEEING = (
    "--max-model-len 4096 --max-num-seqs 32 --gpu-memory-utilization 0.9 --uvicorn-log-level warning --no-enable-prefix-caching {} "
    """--limit-mm-per-prompt '{{"image": 1, "video": 0}}'"""
)
LINES = {
    "qwen3-32b/bf16": PLAIN,
    "qwen3-32b/fp8": PLAIN,
    "qwen3-32b/nvfp4": PLAIN,
    "qwen3-14b/bf16": PLAIN,
    "qwen3-14b/nvfp4-calibrated": PLAIN,
    "qwen3-14b/nvfp4-uncalibrated": PLAIN,
    "qwen3-14b/nvfp4-nvidia": PLAIN,
    "qwen2.5-72b/bf16": OFFLOADED,
    "qwen2.5-72b/nvfp4": PLAIN,
    "qwen2.5-72b-speed/nvfp4": PLAIN,
    "qwen2.5-vl-72b/fp8-dynamic": SEEING,
}
"""Checkpoint → what follows; its one place to fill is for a switch that MIG instances need together."""


class Machine(NamedTuple):
    """`cache`: of the hub; `families`: a copy of the folder, so that what is made here may lie beside it."""

    cache: Path
    families: Path

    def load(self, file: str) -> list[Family]:
        return registry.load(self.families / f"{file}.toml").family

    def have(self, one: Checkpoint) -> Path:
        """Let the checkpoint be on this machine, as the hub's library or `quantgate quantize` leaves it; returns its folder."""
        if one.revision is None:
            folder = Path(one.path)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "config.json").write_text("{}", encoding="utf-8")
            return folder
        repository = self.cache / f"models--{one.path.replace('/', '--')}"
        commit = one.revision if one.revision != "main" else HEAD
        snapshot, blob = repository / "snapshots" / commit, repository / "blobs" / "44136fa355b3678a1146ad16f7e8649e94fb4fc2"
        for folder in (snapshot, blob.parent, repository / "refs"):
            folder.mkdir(parents=True, exist_ok=True)
        (repository / "refs" / "main").write_text(commit, encoding="utf-8")
        blob.write_text("{}", encoding="utf-8")
        if not (snapshot / "config.json").is_symlink():
            (snapshot / "config.json").symlink_to(f"../../blobs/{blob.name}")
        return snapshot


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Two cards with an instance each, the hub out of reach, its cache empty."""
    machines.at("2 x RTX PRO 6000, a 4g.96gb each", monkeypatch)
    monkeypatch.setattr(nvml, "PCI_DEVICES", tmp_path / "no-bus")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(launch, "vllm_version", lambda: "0.25.1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    shutil.copytree(ROOT / "families", tmp_path / "families")
    return Machine(tmp_path / "hub", tmp_path / "families")


def placed(families: list[Family], gpu: str, tensor_parallel: int | None) -> tuple[Slot, list[Checkpoint]]:
    """As `--gpu` and `--tp` make them."""
    config: Any = SimpleNamespace(option=SimpleNamespace(gpu=gpu, tp=tensor_parallel, endpoint=None, collectonly=True))
    config.getoption = lambda *_: "no"
    place = placement.place(config, families)
    return place.slot, [one for family in place.families for one in family.checkpoint]


@pytest.mark.parametrize("file", [file.stem for file in FILES])
@pytest.mark.parametrize(
    ("gpu", "tensor_parallel", "instances", "switch", "device_class"),
    [
        ("0", None, "MIG-a0", "", f"{machines.RTX} 4g.96gb"),
        ("0,1", 2, "MIG-a0,MIG-b0", "--disable-custom-all-reduce", f"{machines.RTX} 4g.96gb tp2"),
    ],
)
def test_the_command_line_of_every_checkpoint(
    file: str, gpu: str, tensor_parallel: int | None, instances: str, switch: str, device_class: str, machine: Machine
) -> None:
    slot, checkpoints = placed(machine.load(file), gpu, tensor_parallel)
    assert slot.device_class == device_class
    for one in checkpoints:
        folder = machine.have(one)
        assert local_folder(one) == folder
        line = f"--model {folder} --served-model-name {one} {ALIKE.format(tensor_parallel or 1)} {LINES[str(one)].format(switch)}"
        assert launch.command(one, folder, slot, PORT)[1:] == ["-m", "vllm.entrypoints.openai.api_server", *shlex.split(line)]
        assert launch.environment(one, slot, "key", folder)["CUDA_VISIBLE_DEVICES"] == instances


def test_every_checkpoint_was_looked_at(machine: Machine) -> None:
    assert [file.stem for file in FILES] == ["qwen2.5-72b", "qwen2.5-vl-72b", "qwen3-14b", "qwen3-32b"]
    assert {str(one) for file in FILES for family in machine.load(file.stem) for one in family.checkpoint} == set(LINES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_suites_exist_and_revisions_are_commits_or_say_that_they_want_to_be(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    loaded = registry.load(file)
    known = catalogue(loaded.suite, file)
    for family in loaded.family:
        assert set(family.suites) <= set(known)
        for one in family.checkpoint:
            assert one.revision is None or len(one.revision) == 40 or f'path = "{one.path}"\nrevision = "main" # pin it: ' in text


def test_the_load_of_the_reports_is_64_requests_16_at_once() -> None:
    suite = SUITES["decode-16x256-64"][1](None)
    assert isinstance(suite, LoadSuite)
    assert (suite.requests, suite.concurrency, suite.max_tokens) == (64, 16, 256)


@pytest.mark.parametrize("file", [file.stem for file in FILES])
def test_what_is_not_there_is_said_in_a_sentence(file: str, machine: Machine) -> None:
    for family in machine.load(file):
        for one in family.checkpoint:
            with pytest.raises(ConfigurationError) as error:
                local_folder(one)
            said = str(error.value)
            assert "\n" not in said
            if one.revision is None:
                assert said.startswith(f"{one} has not been made yet: {one.path} is not there; make it: quantgate quantize Qwen/")
                assert said.endswith(f" -o {one.path}")
            else:
                here = f"({one.path} at {one.revision}) is not in the cache {machine.cache}, and the hub cannot be reached"
                assert said == f"{one} {here}; connect, or name a folder"


def test_bf16_of_72b_fits_into_an_instance_with_what_lies_in_the_host(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    slot, (bf16, *_) = placed(machine.load("qwen2.5-72b"), "0", None)
    host = SimpleNamespace(memory_gib=512.0, memory_used_gib=20.0)
    monkeypatch.setattr("quantgate.devices.cpu", lambda: host)
    monkeypatch.setattr(launch, "size_gib", lambda _: 135.4)
    launch.require_room(bf16, machine.have(bf16), slot)
    host.memory_used_gib = 460.0
    with pytest.raises(ConfigurationError, match=r"cpu_offload_gb wants 64\.0 GiB of this host, and 52\.0 of 512\.0 GiB are free$"):
        launch.require_room(bf16, machine.have(bf16), slot)
