"""Every mutant there is: damage that people really meet, and changes that are none; and which of them `make mutants` runs."""

from mutation import file_mutants, harmless_mutants, nvfp4_mutants, nvfp4_scale_mutants, other_mutants
from mutation.mutant import Mutant

CATALOGUE: tuple[Mutant, ...] = (
    *nvfp4_scale_mutants.MUTANTS,
    *nvfp4_mutants.MUTANTS,
    *other_mutants.MUTANTS,
    *file_mutants.MUTANTS,
    *harmless_mutants.MUTANTS,
)
STANDARD = frozenset(
    {
        # a true loss of one to three times the tolerance
        "nvfp4-down5-scales-doubled",
        "nvfp4-up4-scales-doubled",
        "nvfp4-gate1-scales-halved",
        "nvfp4-gate4-rows-at-an-eighth",
        "nvfp4-calibration-too-quiet",
        "nvfp4-rounded-towards-zero",
        "nvfp4-one-scale-per-tensor",
        "nvfp4-noisy-weights",
        "nvfp4-layer2-of-an-old-revision",
        "nvfp4-flipped-bits",
        "nvfp4-layer1-groups-zeroed",
        "nvfp4-rope-theta-a-little-off",
        "nvfp4-final-norm-too-large",
        "fp8-down3-block-doubled",
        "fp8-two-mantissa-bits-lost",
        "fp8-all-scales-up-12-percent",
        "bf16-pruned",
        "bf16-embedding-row-lost",
        # more than that
        "nvfp4-v2-scales-doubled",
        "nvfp4-all-divisors-inverted",
        "nvfp4-k3-divisor-doubled",
        "nvfp4-uncalibrated",
        "nvfp4-down3-input-nan",
        "nvfp4-down3-input-zero",
        "nvfp4-gate-up3-input-infinite",
        "nvfp4-gate-up3-input-ten-times",
        "nvfp4-all-nibbles-swapped",
        "nvfp4-o3-zeroed",
        "nvfp4-layers-2-and-3-swapped",
        "nvfp4-norm-epsilon-1e-2",
        "nvfp4-qk-norms-missing",
        "fp8-clipped-to-half",
        "file-special-tokens-lost",
        "file-template-with-a-system-message",
        "file-end-token-wrong-everywhere",
        "file-context-cut-short",
        "file-output-layer-untied",
        # less than the tolerance, or nothing
        "nvfp4-k3-divisor-halved",
        "nvfp4-qk-scales-halved",
        "nvfp4-embedding-quantized",
        "nvfp4-fp8-cache-without-scales",
        "file-two-words-exchanged",
        "file-beginning-token-added",
        "file-sampling-defaults-added",
        # harmless
        "harmless-two-shards",
        "harmless-renamed-weights",
        "harmless-keys-reversed",
        "harmless-tokenizer-saved-again",
        "harmless-scales-and-divisor-halved",
        "fp8-again",
        "nvfp4-again",
        "isa-SSE41",
        "isa-AVX2",
        "isa-AVX512_CORE",
        "small-batch",
        "reversed",
    }
)
"""What `make mutants` runs unless `--all` is given: of each kind of damage one or two, half of them subtle."""
