"""FP8 and BF16 checkpoints with something wrong in their tensors, and configurations that mean another model."""

from collections.abc import Sequence

from mutation.file_edits import KV_CACHE_FP8, configure, rope_theta
from mutation.linears import EVERY, LAYERS, copy, fill, linears, multiply
from mutation.mutant import Damage, Mutant, weights
from mutation.other_edits import add_noise, drop_mantissa_bits, permute_rows, prune, requantize_fp8, through_int


def _scales(at: Sequence[str]) -> list[str]:
    return [f"{name}.weight_scale" for name in at]


def _weights(at: Sequence[str]) -> list[str]:
    return [f"{name}.weight" for name in at]


def _nvfp4(name: str, summary: str, damage: Damage) -> Mutant:
    return Mutant(f"nvfp4-{name}", "nvfp4", summary, "numeric", damage)


def _fp8(name: str, summary: str, damage: Damage) -> Mutant:
    return Mutant(f"fp8-{name}", "fp8", summary, "numeric", damage)


def _bf16(name: str, summary: str, damage: Damage) -> Mutant:
    return Mutant(f"bf16-{name}", "bf16", summary, "numeric", damage)


QK_NORMS = [f"model.layers.{layer}.self_attn.{part}_norm.weight" for layer in LAYERS for part in "qk"]

CONFIGURATION = (
    _nvfp4(
        "rope-theta-of-another-model", "The base of the rotary angles is another model's, 1,000,000 for 10,000.", rope_theta(1_000_000.0)
    ),
    _nvfp4(
        "rope-theta-a-little-off",
        "The base of the rotary angles is 11,500 for 10,000, as a rescaling for longer texts leaves it.",
        rope_theta(11_500.0),
    ),
    _nvfp4(
        "norm-epsilon-1e-2",
        "The norms' epsilon is 1e-2 for 1e-6, lost on the way through another configuration.",
        configure(rms_norm_eps=1e-2),
    ),
    _nvfp4("norm-epsilon-4e-3", "The norms' epsilon is 4e-3 for 1e-6, a learning rate in the wrong place.", configure(rms_norm_eps=4e-3)),
    _nvfp4(
        "qk-norms-missing",
        "The norms on queries and keys are ones, a converter that knows no such tensors and a loader that fills them in.",
        weights(fill(QK_NORMS, 1.0)),
    ),
    _nvfp4(
        "final-norm-too-large",
        "The final norm is 30 % too large, a temperature folded in by mistake: texts are predicted too boldly, answers stay.",
        weights(multiply(["model.norm.weight"], 1.3)),
    ),
    _nvfp4(
        "fp8-cache-without-scales",
        "The configuration asks for an FP8 KV cache and no scales for it are stored, so that they are taken for 1.",
        configure(quantization_config__kv_cache_scheme=KV_CACHE_FP8),
    ),
)

FP8 = (
    _fp8(
        "down3-block-doubled",
        "The scales of 48 rows of layer 3's down_proj are twice what they were.",
        weights(multiply(_scales(linears(3, "down_proj")), 2.0, slice(0, 48))),
    ),
    _fp8(
        "o4-block-doubled",
        "The scales of 64 rows of layer 4's o_proj are twice what they were.",
        weights(multiply(_scales(linears(4, "o_proj")), 2.0, slice(0, 64))),
    ),
    _fp8(
        "up4-scales-halved",
        "The scales of layer 4's up_proj are half of what they were: codes read as e4m3fnuz, the other FP8 with another bias.",
        weights(multiply(_scales(linears(4, "up_proj")), 0.5)),
    ),
    _fp8(
        "layer2-scales-up-3-percent",
        "All scales of layer 2 are 3 % too large, rounded up to a coarser type.",
        weights(multiply(_scales(linears(2)), 1.03)),
    ),
    _fp8(
        "all-scales-up-12-percent",
        "All scales are 12 % too large: 448 divided by a headroom that the codes were not given.",
        weights(multiply(_scales(linears()), 1.12)),
    ),
    _fp8(
        "o2-codes-stale",
        "Layer 2's o_proj holds layer 3's codes under its own scales, a buffer that was used again too early.",
        weights(copy(linears(3, "o_proj"), linears(2, "o_proj"), ["weight"])),
    ),
    _fp8(
        "two-mantissa-bits-lost",
        "The last two of the codes' three mantissa bits are zero, as after a trip through a format of 6 bits.",
        weights(drop_mantissa_bits(linears(), 2)),
    ),
    _fp8(
        "one-mantissa-bit-lost",
        "The last of the codes' three mantissa bits is zero, cut off where rounding is meant.",
        weights(drop_mantissa_bits(linears(), 1)),
    ),
    _fp8(
        "one-scale-per-tensor",
        "Every linear was quantized with one scale for all of its rows, the largest.",
        weights(requantize_fp8(linears(), per_tensor=True)),
    ),
    _fp8(
        "clipped-to-half",
        "Every row was quantized to half of its range, so that its largest weights are cut off.",
        weights(requantize_fp8(linears(), kept=0.5)),
    ),
    _fp8(
        "clipped-to-three-fifths",
        "Every row was quantized to 60 % of its range, so that its largest weights are cut off: a percentile taken too low.",
        weights(requantize_fp8(linears(), kept=0.6)),
    ),
    _fp8(
        "noisy-weights",
        "Gaussian noise of 15 % of each weight's RMS was on the weights that were quantized: another training run's last checkpoint.",
        weights(requantize_fp8(linears(), noise=0.15, seed=15)),
    ),
    _fp8(
        "down2-rows-zeroed",
        "The first 64 rows of layer 2's down_proj are zero, a tile that was never written.",
        weights(fill(_weights(linears(2, "down_proj")), 0.0, slice(0, 64))),
    ),
    Mutant("fp8-rope-theta-a-little-off", "fp8", "The base of the rotary angles is 11,700 for 10,000.", "numeric", rope_theta(11_700.0)),
)

BF16 = (
    _bf16(
        "noisy-weights",
        "Gaussian noise of 10 % of each weight's RMS is on every linear, another training run's last checkpoint.",
        weights(add_noise(_weights(linears()), 0.10, seed=10)),
    ),
    _bf16(
        "layer2-noisy",
        "Gaussian noise of 35 % of its RMS is on every linear of layer 2, a shard from an older revision.",
        weights(add_noise(_weights(linears(2)), 0.35, seed=2)),
    ),
    _bf16(
        "rounded-to-5-bits",
        "Every linear was once rounded to 5 bits under one scale and is written in BF16 again.",
        weights(through_int(_weights(linears()), 5)),
    ),
    _bf16(
        "pruned",
        "The smallest 30 % of each row's weights are zero, a sparse checkpoint taken for the dense one.",
        weights(prune(_weights(linears()), 0.3)),
    ),
    _bf16(
        "final-norm-too-large",
        "The final norm is 22 % too large: texts are predicted too boldly, answers stay.",
        weights(multiply(["model.norm.weight"], 1.22)),
    ),
    _bf16(
        "embedding-row-lost",
        "The embedding of one word is zero, as when a vocabulary is resized and its end is not copied.",
        weights(fill(["model.embed_tokens.weight"], 0.0, slice(908, 909))),
    ),
    _bf16("norm-epsilon-3e-3", "The norms' epsilon is 3e-3 for 1e-6, a learning rate in the wrong place.", configure(rms_norm_eps=3e-3)),
    _bf16(
        "up4-rows-out-of-order",
        "The first 48 rows of layer 4's up_proj are moved on by one while gate_proj's stay.",
        weights(permute_rows("model.layers.4.mlp.up_proj.weight", slice(0, 48), 1)),
    ),
    _bf16(
        "head-lost-in-layer5",
        "The first head of layer 5 is cut off: its columns of o_proj are zero.",
        weights(fill(_weights(linears(5, "o_proj")), 0.0, EVERY, slice(0, 64))),
    ),
)

MUTANTS = (*CONFIGURATION, *FP8, *BF16)
