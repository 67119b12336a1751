"""NVFP4 checkpoints whose calibration or whose codes are wrong."""

from collections.abc import Sequence
from math import inf, nan

from mutation.linears import EVERY, GATE_UP, QKV, copy, fill, linears, multiply, swap_layers
from mutation.mutant import Damage, Mutant, weights
from mutation.nvfp4_edits import flip_bits, random_input_divisors, requantize, swap_nibbles, through_nvfp4, zero_groups, zero_rows


def _input(at: Sequence[str]) -> list[str]:
    return [f"{name}.input_global_scale" for name in at]


def _numeric(name: str, summary: str, damage: Damage) -> Mutant:
    return Mutant(f"nvfp4-{name}", "nvfp4", summary, "numeric", damage)


CALIBRATION = (
    _numeric(
        "uncalibrated",
        "Every input global scale is arbitrary within three decades either way, as an export without calibration data leaves it.",
        weights(random_input_divisors(linears(), 3.0, seed=3)),
    ),
    _numeric(
        "roughly-calibrated",
        "Every input global scale is off by up to a factor of 5.6 either way, as calibration on a handful of tokens leaves it.",
        weights(random_input_divisors(linears(), 0.75, seed=0)),
    ),
    _numeric(
        "calibration-too-quiet",
        "Input global scales are three times too large because calibration saw quiet texts only, so that loud activations are cut off.",
        weights(multiply(_input(linears()), 3.0)),
    ),
    _numeric(
        "calibration-stopped-early",
        "Input global scales are 5/3 too large because calibration stopped early, so that activations above 3/5 of the range are cut off.",
        weights(multiply(_input(linears()), 5 / 3)),
    ),
    _numeric(
        "down3-input-nan",
        "Layer 3's down_proj has NaN for its input global scale, memory that no calibration wrote to.",
        weights(fill(_input(linears(3, "down_proj")), nan)),
    ),
    _numeric(
        "gate-up3-input-infinite",
        "Layer 3's gate_proj and up_proj have an infinite input global scale, memory that no calibration wrote to.",
        weights(fill(_input(linears(3, GATE_UP)), inf)),
    ),
    _numeric(
        "down3-input-zero",
        "Layer 3's down_proj has 0 for its input global scale, memory that no calibration wrote to.",
        weights(fill(_input(linears(3, "down_proj")), 0.0)),
    ),
    _numeric(
        "gate-up3-input-ten-times",
        "Layer 3's gate_proj and up_proj have an input global scale ten times too large, so that nine tenths of the range are cut off.",
        weights(multiply(_input(linears(3, GATE_UP)), 10.0)),
    ),
    _numeric(
        "down3-input-ten-times",
        "Layer 3's down_proj has an input global scale ten times too large, so that its few large activations are cut off.",
        weights(multiply(_input(linears(3, "down_proj")), 10.0)),
    ),
    _numeric(
        "qkv3-input-a-tenth",
        "Layer 3's q_proj, k_proj and v_proj have an input global scale ten times too small, which only wastes FP8's range.",
        weights(multiply(_input(linears(3, QKV)), 0.1)),
    ),
)

CODES = (
    _numeric(
        "v3-nibbles-swapped",
        "Layer 3's v_proj is packed with the first weight of each pair in the high half of the byte.",
        weights(swap_nibbles(linears(3, "v_proj"))),
    ),
    _numeric(
        "all-nibbles-swapped",
        "Every linear is packed with the first weight of each pair in the high half of the byte, as other formats have it.",
        weights(swap_nibbles(linears())),
    ),
    _numeric(
        "rounded-towards-zero",
        "Every weight was quantized by cutting off towards zero where the nearest FP4 value is meant.",
        weights(requantize(linears(), rounding="towards zero")),
    ),
    _numeric(
        "layer5-rounded-towards-zero",
        "Layer 5 was quantized by cutting off towards zero, by the fallback path of a kernel that the others did not need.",
        weights(requantize(linears(5), rounding="towards zero")),
    ),
    _numeric(
        "one-scale-per-tensor",
        "Every linear was quantized with one scale for all of its groups, the largest, in NVFP4's clothes.",
        weights(requantize(linears(), scales="tensor")),
    ),
    _numeric(
        "quantized-as-mxfp4",
        "Every linear was quantized with group scales that are powers of two, in NVFP4's clothes.",
        weights(requantize(linears(), scales="power of two")),
    ),
    _numeric(
        "clipped-weights",
        "Every group was quantized to 7/10 of its range, so that its largest weights are cut off: clipping tuned on another model.",
        weights(requantize(linears(), shrink=0.7)),
    ),
    _numeric(
        "noisy-weights",
        "Gaussian noise of 15 % of each weight's RMS was on the weights that were quantized, about what an unmerged adapter leaves out.",
        weights(requantize(linears(), noise=0.15, seed=15)),
    ),
    _numeric(
        "layer2-of-an-old-revision",
        "Layer 2 was quantized from an older revision of the model whose weights differ by 40 % of their RMS.",
        weights(requantize(linears(2), noise=0.4)),
    ),
    _numeric(
        "flipped-bits",
        "One bit is flipped in one of thirty bytes of codes, by a storage that goes bad.",
        weights(flip_bits(linears(), 1 / 30, seed=0)),
    ),
    _numeric(
        "layer1-groups-zeroed",
        "The first of each row's 16 groups is zero in every linear of layer 1, a loop that begins at 1.",
        weights(zero_groups(linears(1), 16)),
    ),
    _numeric(
        "down3-rows-zeroed",
        "The first 48 rows of layer 3's down_proj are zero, a tile that was never written.",
        weights(zero_rows(linears(3, "down_proj"), slice(0, 48))),
    ),
    _numeric(
        "o3-zeroed",
        "Layer 3's o_proj is all zeros, a tensor allocated and never written.",
        weights(zero_rows(linears(3, "o_proj"), EVERY)),
    ),
    _numeric(
        "layer3-zeroed",
        "All linears of layer 3 are zeros, a shard allocated and never written.",
        weights(zero_rows(linears(3), EVERY)),
    ),
    _numeric(
        "layers-2-and-3-swapped",
        "Layers 2 and 3 stand in each other's place, names mapped in the wrong order.",
        weights(swap_layers(2, 3)),
    ),
    _numeric(
        "v5-codes-stale",
        "Layer 5's v_proj holds layer 4's codes under its own scales, a buffer that was used again too early.",
        weights(copy(linears(4, "v_proj"), linears(5, "v_proj"), ["weight_packed"])),
    ),
    _numeric(
        "embedding-quantized",
        "The embedding, which is the output layer as well, went through NVFP4 although the recipe ignores lm_head.",
        weights(through_nvfp4("model.embed_tokens.weight")),
    ),
)

MUTANTS = (*CALIBRATION, *CODES)
