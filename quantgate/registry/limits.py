"""The limits of what models.toml may say: settings that no server of ours could have, and tolerances that are none."""

import math
from typing import TYPE_CHECKING

from quantgate.errors import ConfigurationError
from quantgate.registry.models import DUMMY, Tolerance

if TYPE_CHECKING:
    from quantgate.registry.models import Checkpoint

PICKLES = ("auto", "pt", "npcache")
"""Load formats of vLLM's that open weights other than safetensors."""
OURS = {
    "--host": "servers listen on the loopback interface only; remove it",
    "--port": "a free one is chosen for every boot; remove it",
    "--uds": "servers listen on the loopback interface only; remove it",
    "--api-key": "every server gets a random one of its own; remove it",
    "--model": "the checkpoint's path says it; remove it",
    "--served-model-name": "it is family/checkpoint; remove it",
    "--load-format": 'write load_format = "…" beside args',
    "--trust-remote-code": "write trust_remote_code = true beside args",
    "--tensor-parallel-size": "write tensor_parallel beside args, or give --tp",
    "-tp": "write tensor_parallel beside args, or give --tp",
    "--config": "write the flags of that file beside args, or in args",
}
"""Flags of vLLM's that `serve.args` cannot carry, and why."""


def refuse_unservable(checkpoint: "Checkpoint", where: str) -> None:
    """Raises ConfigurationError, with `where` (file, checkpoint) before the setting."""
    serve = checkpoint.serve
    for name in ("tensor_parallel", "max_model_len", "max_num_seqs", "max_num_batched_tokens"):
        value = getattr(serve, name)
        if value is not None and value < 1:
            raise ConfigurationError(f"{where}.{name} is {value}; it must be at least 1")
    if not 0 < serve.gpu_memory_utilization <= 1:
        raise ConfigurationError(f"{where}.gpu_memory_utilization is {serve.gpu_memory_utilization}; it is a share, above 0 and up to 1")
    if not serve.cpu_offload_gb >= 0:
        raise ConfigurationError(f"{where}.cpu_offload_gb is {serve.cpu_offload_gb}; it must not be negative")
    if not serve.hang_seconds > 0:
        raise ConfigurationError(f"{where}.hang_seconds is {serve.hang_seconds}; it must be above 0")
    if checkpoint.has_weights == (DUMMY in checkpoint.name):
        stated = f"load_format is {serve.load_format}, and the name is {checkpoint.name}"
        raise ConfigurationError(f"{where}: {stated}: a checkpoint without weights, and no other, has {DUMMY!r} in its name")
    if serve.load_format in PICKLES:
        raise ConfigurationError(f"{where}.load_format is {serve.load_format}, which may read pickles, and they run code; use safetensors")
    for name in [arg.partition("=")[0].replace("_", "-") for arg in serve.args]:
        # vLLM takes the beginning of a flag for the flag.
        if ours := next((flag for flag in OURS if flag == name or (name[2:] and flag.startswith(name) and name.startswith("--"))), None):
            raise ConfigurationError(f"{where}.args has {name}: {OURS[ours]}")


LIMITS = {
    "perplexity_ratio": (1.0, 2.0),
    "accuracy_points": (0.0, 100.0),
    "group_points": (0.0, 100.0),
    "unanswered": (0.0, 1.0),
    "length_ratio": (1.0, 10.0),
    "ttft_ratio": (1.0, 10.0),
    "kl_nats": (0.0, math.inf),
}
"""What a tolerance must lie above and below, wherever it comes from."""


def refuse_senseless(tolerance: Tolerance, where: str) -> None:
    """Raises ConfigurationError for a tolerance outside the limits of its kind; `where` (file, family, precision) comes first."""
    for field, (least, most) in LIMITS.items():
        value = getattr(tolerance, field)
        if value is not None and not least < value < most:
            hint = "; 1.05 accepts 5 %" if field.endswith("_ratio") else ""
            raise ConfigurationError(f"{where}: {field} is {value}; it must lie above {least:g} and below {most:g}{hint}")
    if tolerance.decode_tps_ratio is not None and not 0 < tolerance.decode_tps_ratio < 1:
        raise ConfigurationError(f"{where}: decode_tps_ratio is {tolerance.decode_tps_ratio}; it must lie between 0 and 1")
    for device, ratio in tolerance.speedup_over_bf16.items():
        if device != "cpu" and device.lower() == "cpu":
            raise ConfigurationError(f"{where}: speedup_over_bf16 on {device}: the CPU's device class is written cpu")
        if not 0 < ratio < math.inf:
            raise ConfigurationError(f"{where}: speedup_over_bf16 on {device} is {ratio}; it must be above 0 and finite")
