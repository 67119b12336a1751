"""Input scales without calibration: written by a rule, in the place of memory that nobody wrote to.

compressed-tensors stores `input_global_scale` = 448 · 6 / A, where A is the largest activation that is meant; a group of 16 then gets the
FP8 scale 448 · (its largest) / A. A too small cuts activations off, which ruins the model. A too large costs nothing for a long while:
only where a group's largest is below A / 28,672 does its scale leave E4M3's normal numbers (from 2^-6) and lose digits. So A
is taken from above, as a bound that no text exceeds. An RMSNorm gives x = g ∘ u with ‖u‖ = √n, hence, with ‖·‖ over a row w ∘ g,
- q/k/v, gate/up: |x| ≤ √n · max |g|;
- o_proj, whose inputs are means of values: |v| ≤ √n · max ‖w_v‖ (+ |bias|);
- down_proj: |act(gate) · up| ≤ max over channels of √n‖w_gate‖ · √n‖w_up‖, as |act(z)| ≤ |z| for SiLU and GELU.
The last grows with n and not as activations do. It is held at HEADROOM times the median channel's ‖w_gate‖ · ‖w_up‖, about the
largest of a typical group, whose scale then stays four times above the smallest normal one.
"""

import math
import os
import struct
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from quantgate.checkpoint import (
    BEFORE,
    FP4_MAX,
    FP8_MAX,
    PLAIN_NORMS,
    Floats,
    Linear,
    Source,
    check_linears,
    open_source,
    row_blocks,
    to_floats,
)
from quantgate.errors import ConfigurationError
from quantgate.registry import Repair

Norms: TypeAlias = "npt.NDArray[np.float64]"
INPUT = "input_global_scale"
HEADROOM = 28_672 / 4
ACTIVATIONS = ("silu", "swish", "gelu", "gelu_new", "gelu_pytorch_tanh")
RULE = (
    "largest input A = sqrt(n)·max|g| of the norm before q/k/v and gate/up; sqrt(n)·max|w∘g| over v's rows for o_proj; "
    f"n·max(|w_gate∘g|·|w_up∘g|) over channels, at most {HEADROOM:,.0f} times their median, for down_proj; stored as 448·6/A"
)


def require_rule(name: str, model_type: object, activation: object) -> None:
    """Raises ConfigurationError for models that the rule does not cover, before anything is made."""
    if model_type not in PLAIN_NORMS or "moe" in str(model_type):
        known = ", ".join(one for one in PLAIN_NORMS if "moe" not in one)
        raise ConfigurationError(f"--repair-input-scales: {name} is a {model_type}; the rule holds for {known}; calibrate with --calibrate")
    if activation not in ACTIVATIONS:
        raise ConfigurationError(
            f"--repair-input-scales: {name} has the activation {activation}; the rule holds for {', '.join(ACTIVATIONS)}; "
            "calibrate with --calibrate"
        )


def repair(folder: Path) -> Repair:
    """Write every input_global_scale of a checkpoint, in place. Raises ConfigurationError for a linear that no rule covers."""
    source = open_source(folder)
    with source.weights:
        linears, _ = check_linears(source, None)
        named = {linear.name: linear for linear in linears}
        largest = {linear.name: _largest(source, named, linear) for linear in linears if linear.scheme.input_scale == INPUT}
    if not largest:
        raise ConfigurationError("--repair-input-scales: the recipe made no input_global_scale; leave it out")
    for name, bound in largest.items():
        stored = source.weights[f"{name}.{INPUT}"]
        descriptor = os.open(stored.file, os.O_WRONLY)
        try:
            os.pwrite(descriptor, struct.pack("<f", FP4_MAX * FP8_MAX / bound), stored.begin)
        finally:
            os.close(descriptor)
    return Repair(rule=RULE, largest_inputs=largest)


class _Rows(NamedTuple):
    """Of each row of a linear behind a norm: ‖w ∘ g‖, and |bias|."""

    norms: Norms
    biases: Norms

    def bounds(self, width: int) -> Norms:
        return np.asarray(math.sqrt(width) * self.norms + self.biases)


def _largest(source: Source, named: dict[str, Linear], linear: Linear) -> float:
    block, _, part = linear.name.rpartition(".")
    layer = block.rpartition(".")[0]
    if part in BEFORE:
        gains = _gains(source, f"{layer}.{BEFORE[part]}.weight")
        bound = math.sqrt(gains.size) * float(gains.max())
    elif part == "o_proj":
        gains = _gains(source, f"{layer}.{BEFORE['v_proj']}.weight")
        bound = float(_rows(source, named, f"{block}.v_proj", gains).bounds(gains.size).max())
    elif part == "down_proj":
        gains = _gains(source, f"{layer}.{BEFORE['up_proj']}.weight")
        gate, up = (_rows(source, named, f"{block}.{one}", gains) for one in ("gate_proj", "up_proj"))
        typical = float(np.median(gate.norms * up.norms))
        bound = min(float((gate.bounds(gains.size) * up.bounds(gains.size)).max()), HEADROOM * typical)
    else:
        raise ConfigurationError(f"--repair-input-scales: no rule for {linear.name}; calibrate with --calibrate")
    if not (math.isfinite(bound) and bound > 0):
        raise ConfigurationError(f"--repair-input-scales: the rule gives {bound} for {linear.name}; are its weights damaged?")
    return bound


def _gains(source: Source, name: str) -> Norms:
    if name not in source.weights:
        raise ConfigurationError(f"--repair-input-scales: the rule needs {name}, which is not there; calibrate with --calibrate")
    return np.abs(to_floats(source.weights.read(name), source.weights[name].dtype)).astype(np.float64)


def _rows(source: Source, named: dict[str, Linear], name: str, gains: Norms) -> _Rows:
    """In blocks: a linear of a large model takes gigabytes once it is decoded."""
    linear, plain = named.get(name), f"{name}.weight"
    if linear is None and plain not in source.weights:
        raise ConfigurationError(f"--repair-input-scales: the rule needs {name}, which is not there; calibrate with --calibrate")
    rows = linear.rows if linear is not None else source.weights[plain].rows
    norms = np.empty(rows)
    for start, stop in row_blocks(rows, gains.size):
        weights = linear.decode(start, stop) if linear is not None else _plain(source, plain, start, stop)
        norms[start:stop] = np.sqrt(np.square(weights * gains).sum(-1))
    bias = f"{name}.bias"
    return _Rows(norms, _gains(source, bias) if bias in source.weights else np.zeros(rows))


def _plain(source: Source, name: str, start: int, stop: int) -> Floats:
    return to_floats(source.weights.read(name, start, stop), source.weights[name].dtype)
