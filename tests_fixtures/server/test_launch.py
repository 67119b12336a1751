"""How vLLM is started: flags for every kind of device, an environment without leaks and secrets, and a refusal of what cannot fit."""

import os
from pathlib import Path
from typing import Any

import pytest

from quantgate import devices
from quantgate.devices import Device, Slot
from quantgate.errors import ConfigurationError
from quantgate.registry import Checkpoint, Serve
from quantgate.server import launch
from tests_fixtures.doubles.fake_nvml import FakeNvml, Gpu
from tests_fixtures.doubles.machines import stand_in

GIB = 2**30
CPU, CORE = Slot(devices=[Device(name="CPU")]), Slot(devices=[Device(name="CPU core 3", core=3)])
H200 = Slot(devices=[Device(name="NVIDIA H200", uuid="GPU-a1", memory_gib=140.0)])
PAIR = Slot(devices=[Device(name="NVIDIA H200", uuid=uuid, memory_gib=140.0) for uuid in ("GPU-a1", "GPU-b1")])
MIG_PAIR = Slot(
    devices=[Device(name="NVIDIA H200", uuid=f"MIG-{one}", gpu_uuid=f"GPU-{one}", mig_profile="1g.18gb", memory_gib=16.0) for one in "ab"]
)


def checkpoint(**serve: Any) -> Checkpoint:
    return Checkpoint(name="nvfp4", precision="nvfp4", path="/models/x", family="small", serve=Serve(**serve))


def flags(slot: Slot, **serve: Any) -> dict[str, str | None]:
    """Flag → value, None for a switch."""
    listed = launch.command(checkpoint(**serve), Path("/models/x"), slot, 4321)[3:]
    found: dict[str, str | None] = {}
    for part, following in zip(listed, [*listed[1:], "--"], strict=True):
        if part.startswith("-"):
            found[part] = None if following.startswith("-") else following
    return found


def test_a_gpu_gets_what_the_models_file_says_and_nothing_that_only_a_cpu_needs() -> None:
    assert flags(H200) == {
        "--model": "/models/x",
        "--served-model-name": "small/nvfp4",
        "--host": "127.0.0.1",
        "--port": "4321",
        "--generation-config": "vllm",
        "--load-format": "safetensors",
        "--dtype": "auto",
        "--tensor-parallel-size": "1",
        "--gpu-memory-utilization": "0.9",
        "--uvicorn-log-level": "warning",
        "--no-enable-prefix-caching": None,
    }


def test_a_cpu_computes_eagerly_in_float32_with_a_share_of_memory() -> None:
    found = flags(CPU)
    assert (found["--dtype"], found["--gpu-memory-utilization"]) == ("float32", "0.3")
    assert "--enforce-eager" in found
    assert flags(CPU, dtype="bfloat16")["--dtype"] == "bfloat16"


@pytest.mark.parametrize(
    ("serve", "flag", "value"),
    [
        ({"max_model_len": 512}, "--max-model-len", "512"),
        ({"max_num_seqs": 8}, "--max-num-seqs", "8"),
        ({"max_num_batched_tokens": 2048}, "--max-num-batched-tokens", "2048"),
        ({"cpu_offload_gb": 4.5}, "--cpu-offload-gb", "4.5"),
        ({"load_format": "runai_streamer"}, "--load-format", "runai_streamer"),
        ({"trust_remote_code": True}, "--trust-remote-code", None),
        ({"enforce_eager": True}, "--enforce-eager", None),
        ({"gpu_memory_utilization": 0.5}, "--gpu-memory-utilization", "0.5"),
        ({"args": ["--quantization", "fp8"]}, "--quantization", "fp8"),
    ],
)
def test_each_setting_becomes_its_flag(serve: dict[str, Any], flag: str, value: str | None) -> None:
    assert flags(H200, **serve)[flag] == value
    assert flags(H200).get(flag, "none") != value


def test_peer_to_peer_copies_are_left_out_between_mig_instances_alone() -> None:
    assert "--disable-custom-all-reduce" in flags(MIG_PAIR, tensor_parallel=2)
    assert flags(MIG_PAIR, tensor_parallel=2)["--tensor-parallel-size"] == "2"
    assert "--disable-custom-all-reduce" not in flags(PAIR, tensor_parallel=2)
    assert "--disable-custom-all-reduce" not in flags(Slot(devices=MIG_PAIR.devices[:1]))


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An empty environment on a machine with vLLM 0.32.0."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setattr(launch, "vllm_version", lambda: "0.32.0")
    return monkeypatch


def environment(slot: Slot = H200, **serve: Any) -> dict[str, str]:
    return launch.environment(checkpoint(**serve), slot, "k3y", Path("/scratch"))


def test_the_key_is_in_the_environment_and_not_on_the_command_line(surroundings: pytest.MonkeyPatch) -> None:
    surroundings.setenv("HF_TOKEN", "hf_abc")
    assert environment()["VLLM_API_KEY"] == "k3y"
    line = " ".join(launch.command(checkpoint(), Path("/models/x"), H200, 1))
    assert "k3y" not in line
    assert "hf_abc" not in line


def test_what_would_change_a_measurement_is_dropped_and_said(surroundings: pytest.MonkeyPatch) -> None:
    leaks = ["VLLM_ATTENTION_BACKEND", "VLLM_USE_V1", "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"]
    leaks += ["TORCHELASTIC_RUN_ID", "CUDA_LAUNCH_BLOCKING", "NVIDIA_TF32_OVERRIDE", "TORCHDYNAMO_DISABLE", "NODE_RANK", "GROUP_RANK"]
    stays = ["PATH", "HF_HOME", "VLLM_CACHE_ROOT", "HTTP_PROXY", "LD_LIBRARY_PATH", "MY_RANK", "RANKING", "OMP_NUM_THREADS"]
    for name in [*leaks, *stays]:
        surroundings.setenv(name, "1")
    found = environment()
    assert [name for name in leaks if name in found] == []
    assert [name for name in stays if name not in found] == []
    assert launch.left_out(os.environ) == sorted(leaks)


@pytest.mark.parametrize("name", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "QUANTGATE_API_KEY"])
def test_no_secret_of_the_user_s_is_handed_on_and_none_is_named(name: str, surroundings: pytest.MonkeyPatch) -> None:
    surroundings.setenv(name, "hf_abc")
    assert "hf_abc" not in environment().values()
    assert launch.left_out(os.environ) == []


def test_the_models_file_has_the_last_word(surroundings: pytest.MonkeyPatch) -> None:
    surroundings.setenv("VLLM_USE_V1", "0")
    found = environment(env={"VLLM_USE_V1": "1", "TMPDIR": "/elsewhere"})
    assert (found["VLLM_USE_V1"], found["TMPDIR"]) == ("1", "/elsewhere")


def test_temporary_files_and_sockets_lie_in_the_server_s_own_folder(surroundings: pytest.MonkeyPatch) -> None:
    surroundings.setenv("TMPDIR", "/tmp/user")  # noqa: S108 (nothing is written there)
    found = environment()
    assert (found["TMPDIR"], found["VLLM_RPC_BASE_PATH"]) == ("/scratch", "/scratch")


@pytest.mark.parametrize(
    ("slot", "visible"), [(H200, "GPU-a1"), (PAIR, "GPU-a1,GPU-b1"), (MIG_PAIR, "MIG-a,MIG-b"), (CPU, ""), (CORE, "")], ids=str
)
def test_a_server_sees_the_devices_of_its_slot_by_their_names(slot: Slot, visible: str, surroundings: pytest.MonkeyPatch) -> None:
    surroundings.setenv("CUDA_VISIBLE_DEVICES", "7")
    assert environment(slot)["CUDA_VISIBLE_DEVICES"] == visible


def test_a_cpu_s_server_keeps_to_its_core_or_is_left_to_the_kernel(surroundings: pytest.MonkeyPatch) -> None:
    assert surroundings
    bound = "VLLM_CPU_OMP_THREADS_BIND"
    assert (environment(CPU)[bound], environment(CORE)[bound]) == ("nobind", "3")
    assert bound not in environment(H200)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """30 GiB in two files that take no room."""
    for number in (1, 2):
        with (tmp_path / f"model-{number}.safetensors").open("wb") as file:
            file.truncate(15 * GIB)
    return tmp_path


def test_weights_that_do_not_fit_are_refused_with_both_sizes(weights: Path) -> None:
    one = Slot(devices=[Device(name="NVIDIA L4", uuid="GPU-a1", memory_gib=22.5)])
    with pytest.raises(ConfigurationError) as error:
        launch.require_room(checkpoint(), weights, one)
    assert str(error.value) == (
        f"small/nvfp4: weights of 30.0 GiB do not fit into 22.5 GiB of {one}; "
        "name more devices with --tp, or set cpu_offload_gb in its serve"
    )


@pytest.mark.parametrize(
    ("slot", "serve"),
    [
        (H200, {}),
        (MIG_PAIR, {}),
        (Slot(devices=MIG_PAIR.devices[:1]), {"cpu_offload_gb": 14}),
        (Slot(devices=MIG_PAIR.devices[:1]), {"args": ["--quantization=fp8"]}),
        (Slot(devices=[Device(name="NVIDIA GB10", uuid="GPU-a1")]), {}),
    ],
    ids=["one that is large enough", "two together", "a part offloaded", "smaller once loaded", "memory that nobody tells"],
)
def test_weights_that_may_fit_are_let_through(slot: Slot, serve: dict[str, Any], weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cpu", lambda: Device(name="CPU", memory_gib=64.0, memory_used_gib=50.0))
    launch.require_room(checkpoint(**serve), weights, slot)


@pytest.mark.parametrize("name", ["NVIDIA N1X", "NVIDIA GB10", "NVIDIA Thor"])
def test_memory_that_the_machine_shares_refuses_nothing(name: str, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, FakeNvml(Gpu(uuid="GPU-a1", name=name, gib=7.9)))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    launch.require_room(checkpoint(), weights, devices.select("0")[0])


def test_weights_a_little_too_large_in_spite_of_offloading_are_refused(weights: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"weights of 30\.0 GiB do not fit into 16\.0 GiB of "):
        launch.require_room(checkpoint(cpu_offload_gb=13.9), weights, Slot(devices=MIG_PAIR.devices[:1]))


def test_offloading_more_than_the_host_has_free_is_refused(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cpu", lambda: Device(name="CPU", memory_gib=64.0, memory_used_gib=50.0))
    with pytest.raises(ConfigurationError) as error:
        launch.require_room(checkpoint(cpu_offload_gb=7.5), weights, MIG_PAIR)
    assert str(error.value) == "small/nvfp4: cpu_offload_gb wants 15.0 GiB of this host, and 14.0 of 64.0 GiB are free"


def test_without_vllm_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "installed", lambda *_: "unknown")
    with pytest.raises(ConfigurationError, match=r"^vLLM is not installed beside this Python; `make env` installs it$"):
        launch.vllm_version()
    monkeypatch.setattr(launch, "installed", lambda *_: "vllm-cpu 0.32.0")
    assert launch.vllm_version() == "0.32.0"


def test_an_installed_distribution_is_named_with_its_version() -> None:
    assert launch.installed("no-such-thing", "pytest") == f"pytest {pytest.__version__}"
    assert launch.installed("no-such-thing") == "unknown"
