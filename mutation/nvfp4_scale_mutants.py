"""NVFP4 checkpoints whose weights' scales are wrong: group scales, divisors, and which group has which."""

from mutation.linears import EVERY, LAYERS, linears, multiply
from mutation.mutant import Damage, Mutant, weights
from mutation.nvfp4_edits import invert_divisor, powers_of_two, scale_groups, shift_scales


def _divisor(*at: str) -> list[str]:
    return [f"{name}.weight_global_scale" for name in at]


def _numeric(name: str, summary: str, damage: Damage) -> Mutant:
    return Mutant(f"nvfp4-{name}", "nvfp4", summary, "numeric", damage)


MUTANTS = (
    _numeric(
        "down5-scales-doubled",
        "Group scales of layer 5's down_proj are twice what they were and end at 448, as a converter does that takes FP8's range for 896.",
        weights(scale_groups(linears(5, "down_proj"), 2.0)),
    ),
    _numeric(
        "down3-scales-doubled",
        "Group scales of layer 3's down_proj are twice what they were, as when a factor of two is folded in both here and in the divisor.",
        weights(scale_groups(linears(3, "down_proj"), 2.0)),
    ),
    _numeric(
        "up4-scales-doubled",
        "Group scales of layer 4's up_proj are twice what they were and end at 448, after a smoothing factor was applied twice.",
        weights(scale_groups(linears(4, "up_proj"), 2.0)),
    ),
    _numeric(
        "v2-scales-doubled",
        "Group scales of layer 2's v_proj are twice what they were, which a text hardly shows and arithmetic does.",
        weights(scale_groups(linears(2, "v_proj"), 2.0)),
    ),
    _numeric(
        "o1-scales-doubled",
        "Group scales of layer 1's o_proj are twice what they were, after a wrong merge of a rotation into it.",
        weights(scale_groups(linears(1, "o_proj"), 2.0)),
    ),
    _numeric(
        "o3-some-scales-doubled",
        "The first four groups of each row of layer 3's o_proj have scales twice as large: one head, written by another shard.",
        weights(scale_groups(linears(3, "o_proj"), 2.0, EVERY, slice(0, 4))),
    ),
    _numeric(
        "o0-scales-halved",
        "Group scales of layer 0's o_proj are half of what they were, as when a converter takes FP4's largest value for 12.",
        weights(scale_groups(linears(0, "o_proj"), 0.5)),
    ),
    _numeric(
        "gate1-scales-halved",
        "Group scales of layer 1's gate_proj are half of what they were, its twin up_proj's are right.",
        weights(scale_groups(linears(1, "gate_proj"), 0.5)),
    ),
    _numeric(
        "qk-scales-halved",
        "Group scales of every q_proj and k_proj are half of what they were, which the norms on queries and keys take back.",
        weights(scale_groups(linears(LAYERS, ("q_proj", "k_proj")), 0.5)),
    ),
    _numeric(
        "down0-rows-at-an-eighth",
        "The group scales of 64 rows of layer 0's down_proj are 2^-3 of what they were: exponents read with another bias in one block.",
        weights(scale_groups(linears(0, "down_proj"), 2**-3, slice(0, 64))),
    ),
    _numeric(
        "gate4-rows-at-an-eighth",
        "The group scales of 160 rows of layer 4's gate_proj are 2^-3 of what they were: exponents read with another bias in one block.",
        weights(scale_groups(linears(4, "gate_proj"), 2**-3, slice(0, 160))),
    ),
    _numeric(
        "scales-to-powers-of-two",
        "Every group scale is rounded to a power of two with the codes left alone, as when the scales are stored in MXFP4's form.",
        weights(powers_of_two(linears())),
    ),
    _numeric(
        "groups-off-by-one",
        "Every linear reads each group with the scale of the group before it, an index that begins at 1.",
        weights(shift_scales(linears())),
    ),
    _numeric(
        "o3-divisor-inverted",
        "Layer 3's o_proj has its weights' global scale stored as a factor where a divisor is meant, as ModelOpt's form has it.",
        weights(invert_divisor(linears(3, "o_proj"))),
    ),
    _numeric(
        "all-divisors-inverted",
        "Every global scale of the weights is stored as a factor where a divisor is meant: ModelOpt's tensors under other names.",
        weights(invert_divisor(linears())),
    ),
    _numeric(
        "k3-divisor-halved",
        "The divisor of layer 3's k_proj is half of q_proj's and v_proj's, and a server that takes the largest of the three never sees it.",
        weights(multiply(_divisor(*linears(3, "k_proj")), 0.5)),
    ),
    _numeric(
        "k3-divisor-doubled",
        "The divisor of layer 3's k_proj is twice q_proj's and v_proj's, so that a server that takes the largest halves all three.",
        weights(multiply(_divisor(*linears(3, "k_proj")), 2.0)),
    ),
    _numeric(
        "gate5-divisor-doubled",
        "The divisor of layer 5's gate_proj is twice up_proj's, so that a server that takes the larger halves both.",
        weights(multiply(_divisor(*linears(5, "gate_proj")), 2.0)),
    ),
)
