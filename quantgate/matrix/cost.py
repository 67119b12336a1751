"""What a suite of a checkpoint costs: by its last whole night on this class of devices, else estimated; and what it can decide.

An estimate is no more than that. It takes a device of a kind to move and to compute so much a second (`SPEEDS`), reads all weights for
every step of generation and the offloaded ones over the bus, and takes answers to be a quarter as long as they may be:

    step = weights / memory + offloaded / bus              prompts = tokens x 2 x parameters / arithmetic
    suite = rounds x (items / at once x tokens out x step + prompts + requests)        boot = fixed + weights / loading

docs/shards.md compares it with what was measured: it is enough to lay the long ones first.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from quantgate.history import Line
from quantgate.matrix.weights import BYTES, weights_bytes
from quantgate.registry import Checkpoint, Family, Registry
from quantgate.suites import Catalogue, Length, LoadSuite, length_of

Z = 1.96
UNKNOWN_WORTH = 1.0
UNKNOWN_BYTES = 16_000_000_000
"""Of a checkpoint of which nothing says how large it is: 8B parameters in BF16."""
SHARE_OF_ROOM = 0.25
CPU = "cpu"
GIB = 2**30
Source = Literal["history", "estimate"]
Key = tuple[str, str, str]
"""Family, checkpoint, suite."""


class Speeds(NamedTuple):
    """Of one device: bytes a second from memory and over its bus, operations a second, bytes a second while weights are loaded; seconds
    of a boot without weights, of a step at least, of a prompt's token at least (reading logprobs binds the client), and of a request
    beside all that."""

    memory: float
    bus: float
    operations: float
    loading: float
    boot: float
    step: float
    token: float
    request: float


SPEEDS = {
    CPU: Speeds(memory=2e10, bus=2e10, operations=1.5e11, loading=1e9, boot=30.0, step=0.05, token=1e-3, request=0.02),
    "gpu": Speeds(memory=3e12, bus=2e10, operations=2e14, loading=1e9, boot=120.0, step=0.008, token=7.5e-5, request=0.001),
}
"""Rounded, of what was measured on one H200 (Qwen3-32B's sizes, the reference family) and on two cores (SmolLM2-135M, the same)."""


class SuiteCost(NamedTuple):
    """`seconds` of a suite, and of the boot and all else that its checkpoint takes beside its suites; `worth`: the probability that it
    passes a checkpoint without loss."""

    seconds: float | None = None
    boot_seconds: float | None = None
    worth: float = UNKNOWN_WORTH
    source: Source = "history"


Costs = Mapping[Key, SuiteCost]


def costs(
    registry: Registry,
    families: Sequence[Family],
    catalogue: Catalogue,
    lines: Iterable[Line],
    tensor_parallel: int | None = None,
    device_class: str | None = None,
    *,
    here: bool = False,
) -> dict[Key, SuiteCost]:
    """Of every suite that can be asked of these families' checkpoints. `device_class` is one device's; None: the one that the history knows
    most of, so that hosts of any class agree. `tensor_parallel` in the place of each checkpoint's own;
    `here`: of what nobody has timed, sizes count that this host alone can read."""
    lines = [line for line in lines if not line.is_broken]
    known = history_costs(lines, device_class)
    speeds = SPEEDS[CPU if (device_class or common_class(lines)) == CPU else "gpu"]
    lengths: dict[str, Length] = {}
    found = {}
    for family in families:
        for checkpoint in family.checkpoint:
            count = tensor_parallel or checkpoint.serve.tensor_parallel
            weights = weights_bytes(family, checkpoint, here=here) or UNKNOWN_BYTES
            boot = boot_estimate(speeds, checkpoint, weights, count)
            for name in suites_of(family, checkpoint, catalogue):
                if name not in lengths:
                    lengths[name] = length_of(name, catalogue[name][0], registry.suite)
                seconds = estimate(speeds, checkpoint, weights, lengths[name], count)
                key = (family.name, checkpoint.name, name)
                last = known.get((*key, count)) if device_class is not None else known.get((*key, 0))
                if last is None or last.seconds is None:
                    found[key] = SuiteCost(seconds, boot, source="estimate")
                else:
                    found[key] = last if last.boot_seconds is not None else last._replace(boot_seconds=boot)
    return found


def suites_of(family: Family, checkpoint: Checkpoint, catalogue: Catalogue) -> list[str]:
    """Those of the family's suites that can be asked of the checkpoint: of weights that are none, speed alone."""
    return [name for name in family.suites if checkpoint.has_weights or catalogue[name][0] is LoadSuite]


def history_costs(lines: Iterable[Line], device_class: str | None = None) -> dict[tuple[str, str, str, int], SuiteCost]:
    """By family, checkpoint, suite and devices, the last whole night of this class. With None the last on the class that the history knows
    most of, else on any, under 0 devices."""
    whole = sorted((line for line in lines if not line.is_broken), key=lambda line: line.at)
    if device_class is None:
        first = common_class(whole)
        whole.sort(key=lambda line: split_class(line.device_class)[0] == first)
    found = {}
    for line in whole:
        name, count = split_class(line.device_class)
        if device_class in (None, name):
            count = 0 if device_class is None else count
            found[line.family, line.checkpoint, line.suite, count] = SuiteCost(
                line.seconds, line.boot_seconds, worth(line.tolerance, line.interval)
            )
    return found


def costs_of(lines: Iterable[Line]) -> dict[Key, SuiteCost]:
    """By the last whole night of each suite."""
    return {key[:3]: cost for key, cost in history_costs(lines).items()}


def common_class(lines: Iterable[Line]) -> str | None:
    """The class, whatever the number of its devices, that most lines are of; the first by name of several, None of none."""
    counts: dict[str, int] = {}
    for line in lines:
        name = split_class(line.device_class)[0]
        counts[name] = counts.get(name, 0) + 1
    return min(counts, key=lambda name: (-counts[name], name), default=None)


def split_class(device_class: str) -> tuple[str, int]:
    """("NVIDIA H200", 2) of "NVIDIA H200 tp2"."""
    found = re.fullmatch(r"(.*) tp(\d+)", device_class)
    return (found[1], int(found[2])) if found else (device_class, 1)


def class_with(device_class: str, count: int) -> str:
    """ "NVIDIA H200 tp2" of ("NVIDIA H200", 2), as a slot of so many calls itself."""
    return device_class if count == 1 or device_class == CPU else f"{device_class} tp{count}"


def estimate(speeds: Speeds, checkpoint: Checkpoint, weights: float, length: Length, count: int) -> float:
    """Seconds of a suite; `weights` in bytes, on `count` devices."""
    offloaded = min(weights, checkpoint.serve.cpu_offload_gb * count * GIB)
    step = max(speeds.step, (weights - offloaded) / (speeds.memory * count)) + offloaded / (speeds.bus * count)
    parameters = weights / BYTES[checkpoint.precision]
    token = 2 * parameters / (speeds.operations * count)
    if not length.max_tokens:
        token = max(token, speeds.token)
    at_once = min(length.at_once, length.items) or 1
    batches = math.ceil(length.items / at_once)
    prompts = length.items * length.tokens_in * token + batches * offloaded / (speeds.bus * count)
    is_load = length.rounds > 1  # which generates all that it may
    tokens_out = length.max_tokens if is_load else SHARE_OF_ROOM * length.max_tokens
    return length.rounds * (batches * tokens_out * step + prompts + length.items * speeds.request)


def boot_estimate(speeds: Speeds, checkpoint: Checkpoint, weights: float, count: int) -> float:
    """Seconds until a server answers: several devices wait for one another, and weights that are none are not loaded."""
    return speeds.boot * min(count, 2) + (weights / speeds.loading if checkpoint.has_weights else 0.0)


def worth(tolerance: float | None, interval: tuple[float, float] | None) -> float:
    """The probability that a checkpoint without loss passes (normal approximation: Φ(1.96 (tolerance / half-width - 1)))."""
    if tolerance is None or interval is None:
        return UNKNOWN_WORTH
    half_width = (interval[1] - interval[0]) / 2
    if half_width <= 0:
        return 1.0
    return 0.5 * math.erfc(-Z * (tolerance / half_width - 1) / math.sqrt(2))
