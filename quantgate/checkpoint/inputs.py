"""Scales that hold for several linears: of activations (static), and those that an engine takes once for fused parts.

An RMS-normed vector x of width n has a mean square of 1. So after the norm's gains g its largest magnitude is at most
sqrt(n) · max|g|, and, as Σ x² = n has to be spread over |x| ≤ a / |g|, at least 1 / sqrt(mean(1 / g²)). The largest activation that
an input scale claims for q/k/v and gate/up can be held against both; nothing calibrated on any text lies outside.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from quantgate.checkpoint.decode import Linear
from quantgate.checkpoint.findings import Finding, Severity
from quantgate.checkpoint.names import fused_with, kind_of, layer_of
from quantgate.checkpoint.numerics import FP4_MAX, FP8_MAX, to_floats
from quantgate.checkpoint.scales import ScaleSummary
from quantgate.checkpoint.source import Source

LEAST_ACTIVATION, MOST_ACTIVATION = 1e-3, 1e5
"""Largest activations of a layer that could be meant: below, BF16's sums beside a residual of 1 lose it; above, FP16 (65,504)
would have overflowed. Memory that nobody wrote has exponents over 254 powers of two, of which this range holds 27."""
SLACK = 1.05
"""For the norm's epsilon and for scales rounded to BF16."""
ALIKE, NEARLY = 1 + 2.0**-8, 1.015
"""How far scales of fused parts may lie apart: what rounding to BF16 moves them by, which no answer shows, and as much as a
linear's gain may be off (`verdicts.GAIN`). An engine takes the largest for all."""
PLAIN_NORMS = ("llama", "mistral", "qwen2", "qwen3", "qwen2_moe", "qwen3_moe")
"""model_type of models whose input_layernorm and post_attention_layernorm multiply by the stored gains, right before the linears."""
BEFORE = dict.fromkeys(("q_proj", "k_proj", "v_proj"), "input_layernorm") | dict.fromkeys(
    ("gate_proj", "up_proj"), "post_attention_layernorm"
)
FAR = 16.0
EXPERT = re.compile(r"^(.*\.experts)\.(\d+)\.([^.]+)$")
SHARED_BY_CHANCE = (0.25, 0.5)
"""Shares of a layer's experts that agree by chance at most, in several projections and in one: calibrated scales come from BF16
activations, which have about a hundred values to lie on."""


def claimed_activation(linear: Linear) -> float | None:
    """The largest activation that the input scale was made for; None where activations have no static scale."""
    if linear.scheme.input_scale is None:
        return None
    stored = linear.scalar(linear.scheme.input_scale)
    codes = {"fp4": FP4_MAX * FP8_MAX, "fp8": FP8_MAX}.get(linear.scheme.codes, 127.0)
    if not math.isfinite(stored) or stored <= 0:
        return math.nan
    is_divisor = linear.scheme.input_scale == "input_global_scale"
    return codes / stored if is_divisor else codes * stored


def check_inputs(source: Source, linears: Sequence[Linear]) -> Iterator[Finding]:
    """Every static input scale, alone and against the norm before it."""
    for linear in linears:
        claimed = claimed_activation(linear)
        if linear.scheme.input_scale is None or claimed is None:
            continue
        name, stored = linear.tensor(linear.scheme.input_scale), linear.scalar(linear.scheme.input_scale)
        if math.isnan(claimed):
            meaning = "memory that no calibration wrote to: every logprob becomes NaN or nothing; quantize with calibration data"
            yield _finding("error", "input-scale", name, f"{stored:g}", meaning, math.inf)
        elif not LEAST_ACTIVATION <= claimed <= MOST_ACTIVATION:
            meaning = "memory that no calibration wrote to, or a factor where a divisor is meant, as ModelOpt and compressed-tensors differ"
            value = f"{stored:.4g}: activations up to {claimed:.3g}"
            yield _finding("error", "input-scale-implausible", name, value, meaning, abs(math.log(claimed)))
        elif source.config.get("model_type") in PLAIN_NORMS and not source.rewrites:
            yield from _against_norm(source, linear, name, claimed)


def _against_norm(source: Source, linear: Linear, name: str, claimed: float) -> Iterator[Finding]:
    block, _, part = linear.name.rpartition(".")
    layer = block.rpartition(".")[0]
    norm = f"{layer}.{BEFORE[part]}.weight" if part in BEFORE and block.endswith((".self_attn", ".mlp")) else ""
    if norm not in source.weights:
        return
    gains = np.abs(to_floats(source.weights.read(norm), source.weights[norm].dtype)).astype(np.float64)
    if not np.isfinite(gains).all() or not gains.min() > 0:
        return
    most, least = math.sqrt(gains.size) * float(gains.max()), 1 / math.sqrt(float(np.mean(gains**-2.0)))
    if claimed > most * SLACK:
        value = f"activations up to {claimed:.3g}; the norm before it allows at most {most:.3g}"
        yield _finding(
            "warning",
            "input-scale-too-wide",
            name,
            value,
            "range that no text can use: calibration of another model, or a wrong factor",
            claimed / most,
        )
    if claimed * SLACK < least:
        value = f"activations up to {claimed:.3g}; every token after the norm reaches {least:.3g}"
        meaning = "every token is cut off: memory that no calibration wrote to, or a wrong factor"
        yield _finding("error", "input-scale-too-narrow", name, value, meaning, least / claimed)


def check_fused(linears: Sequence[Linear]) -> Iterator[Finding]:
    """Parts that an engine runs as one share their global scales, of the weights and of the (same) input."""
    by_name = {linear.name: linear for linear in linears}
    seen = set[tuple[str, ...]]()
    for linear in linears:
        together = tuple(name for name in fused_with(linear.name) if name in by_name)
        if len(together) < 2 or together in seen:
            continue
        seen.add(together)
        for part in (linear.scheme.global_scale, linear.scheme.input_scale):
            if part is None or any(part not in (by_name[name].scheme.global_scale, by_name[name].scheme.input_scale) for name in together):
                continue
            values = [by_name[name].scalar(part) for name in together]
            if len(set(values)) > 1 and all(math.isfinite(value) for value in values):
                told = ", ".join(f"{name.rpartition('.')[2]} {value:.5g}" for name, value in zip(together, values, strict=True))
                spread = max(values) / min(values) if min(values) > 0 else math.inf
                if spread <= ALIKE:
                    continue
                meaning = "an engine runs them as one and takes a single scale: the others are decoded with a wrong one"
                kind = "weights" if part == linear.scheme.global_scale else "inputs"
                severity: Severity = "error" if spread > (NEARLY if kind == "weights" else SLACK) else "warning"
                yield _finding(severity, f"fused-{kind}-differ", linear.tensor(part), told, meaning, spread)


def check_experts_apart(linears: Sequence[Linear]) -> Iterator[Finding]:
    """Experts of one layer that share all their input scales while the others have each their own: they saw no token, and were
    given a fallback. Where all share one, as exporters make it for engines that take the largest, nothing can be told."""
    layers: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for linear in linears:
        found = EXPERT.match(linear.name)
        claimed = claimed_activation(linear) if found is not None else None
        if found is not None and claimed is not None and not math.isnan(claimed):
            layers[found[1]][found[2]][found[3]] = claimed
    for layer, told in layers.items():
        projections = {one for row in told.values() for one in row}
        experts = {expert: row for expert, row in told.items() if row.keys() == projections}
        columns = {tuple(row[one] for row in experts.values()) for one in sorted(projections)}
        telling = sorted(column for column in columns if len(set(column)) > 1)
        shared, often = Counter(zip(*telling, strict=True)).most_common(1)[0] if telling else ((), 0)
        if often < 3 or often <= SHARED_BY_CHANCE[0 if len(telling) > 1 else 1] * len(experts):
            continue
        alike = [expert for expert, row in zip(experts, zip(*telling, strict=True), strict=True) if row == shared]
        claims = " and ".join(f"{value:.4g}" for value in shared)
        value = f"{often} of {len(experts)} experts ({', '.join(alike[:4])}{' …' if often > 4 else ''}) share activations up to {claims}"
        meaning = "one fallback for experts that calibration never reached: more texts, or all experts on each"
        yield _finding("warning", "experts-uncalibrated", layer, value, meaning, often / len(experts))


def check_layers_alike(summaries: dict[str, ScaleSummary]) -> Iterator[Finding]:
    """A layer whose scales lie far from those of the same projection in the other layers: 16 times, where layers differ by two or three."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for name in summaries:
        if layer_of(name) is not None:
            kinds[kind_of(name)].append(name)
    for kind, names in kinds.items():
        middle = float(np.median([summaries[name].median for name in names]))
        for name in names if len(names) >= 4 else ():
            ratio = summaries[name].median / middle
            if not 1 / FAR < ratio < FAR:
                value = f"scales {ratio:.3g} times those of {kind}"
                yield _finding(
                    "warning", "layer-apart", name, value, "a wrong factor, or a layer that training never reached", abs(math.log(ratio))
                )


def _finding(severity: Severity, check: str, where: str, value: str, meaning: str, badness: float) -> Finding:
    return Finding(severity=severity, area="scales", check=check, where=where, value=value, meaning=meaning, badness=badness)
