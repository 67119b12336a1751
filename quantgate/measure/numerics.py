"""In how many bits a checkpoint was really computed, weights and activations ("W4A16"): by what it declares, and the kernels chosen.

One file is computed differently on different devices: NVFP4 by a Marlin kernel is FP4 weights times 16-bit activations, by CUTLASS's or
in emulation FP4 times FP4, which costs a small model more than twice as much. So a measurement says which it was.

Source of the tables: vLLM 0.32, `model_executor/kernels/linear/` (the classes, their docstrings and what they do to their input) and
`model_executor/layers/fused_moe/oracle/` (`make_*_moe_quant_config` of each format). Names that are in neither table were not looked at;
those of LEFT_OPEN were, and the log does not tell what they do. For both the declaration is given, as no more than that.
"""

from collections.abc import Iterable, Mapping, Sequence

from quantgate.records import AS_DECLARED, NOT_KNOWN, PLAIN
from quantgate.server import Chosen

LINEAR = {
    name: numerics
    for numerics, names in {
        "W4A4": (
            "DecodedNvFp4LinearKernel", "EmulationNvFp4LinearKernel", "CutlassNvFp4LinearKernel", "FbgemmNvFp4LinearKernel",
            "TorchNvFp4LinearKernel", "B12xNvFp4LinearKernel", "FlashInferB12xNvFp4LinearKernel", "FlashInferCudnnNvFp4LinearKernel",
            "FlashInferCuteDslNvFp4LinearKernel", "FlashInferCutlassNvFp4LinearKernel", "FlashInferTrtllmNvFp4LinearKernel",
            "AiterMxfp4LinearKernel", "B12xMxFp4LinearKernel", "FlashInferMxFp4LinearKernel", "XPUMxFp4LinearKernel",
            "flashinfer-cutlass",  # 0.12: "Using flashinfer-cutlass for NVFP4 GEMM"
        ),
        "W4A16": (
            "MarlinNvFp4LinearKernel", "B12xNvFp4W4A16LinearKernel", "FlashInferCuteDslNvFp4W4A16LinearKernel", "MarlinMxFp4LinearKernel",
            "TritonW4A16LinearKernel", "RDNA3W4A16LinearKernel", "RDNAHybridW4A16LinearKernel",
        ),
        "W4A8": ("CutlassW4A8LinearKernel", "XPUW4A8IntLinearKernel", "Dynamic4bitLinearKernel"),
        "W8A8": (
            "DecodedFp8LinearKernel", "PerTensorTorchFP8ScaledMMLinearKernel", "ChannelWiseTorchFP8ScaledMMLinearKernel",
            "RowWiseTorchFP8ScaledMMLinearKernel", "BlockWiseTorchFP8ScaledMMLinearKernel", "CutlassFP8ScaledMMLinearKernel",
            "CutlassFp8BlockScaledMMKernel", "DeepGemmFp8BlockScaledMMKernel", "FlashInferFP8ScaledMMLinearKernel",
            "FlashInferFp8DeepGEMMDynamicBlockScaledKernel", "B12xFp8BlockScaledMMKernel", "B12xTensorFP8ScaledMMLinearKernel",
            "TritonFP8ScaledMMLinearKernel", "TritonFp8BlockScaledMMKernel", "ROCmFP8ScaledMMLinearKernel", "AiterFp8BlockScaledMMKernel",
            "AiterPerTokenFp8ScaledMMLinearKernel", "AiterPreshuffledPerTokenFp8ScaledMMLinearKernel",
            "AiterHipbMMPerTokenFp8ScaledMMLinearKernel", "CPUFP8W8A8ScaledMMLinearKernel", "CPUFp8W8A8BlockScaledMMKernel",
            "XPUW8A8FP8LinearKernel", "XPUFp8BlockScaledMMKernel", "CutlassInt8ScaledMMLinearKernel", "TritonInt8ScaledMMLinearKernel",
            "AiterInt8ScaledMMLinearKernel", "CPUInt8ScaledMMLinearKernel", "ZentorchInt8ScaledMMLinearKernel",
            "FlashInferCutedslMxfp8LinearKernel", "FlashInferCutlassMxfp8LinearKernel", "FlashInferTrtllmMxfp8LinearKernel",
            "DeepGemmMxfp8BmmLinearKernel", "XPUMxFp8LinearKernel",
        ),
        "W8A16": (
            "MarlinFP8ScaledMMLinearKernel", "XPUW8A16FP8LinearKernel", "CPUFp8BlockScaledMMKernel",
            "CPUFp8PerTensorScaledMMLinearKernel", "MarlinMxfp8LinearKernel", "EmulationMxfp8LinearKernel",
        ),
        # Any number of bits for weights, and activations as they come.
        "A16": ("MacheteLinearKernel", "ConchLinearKernel", "ExllamaLinearKernel", "XPUwNa16LinearKernel", "Marlin"),
        # Built for what the layer's scheme declares of its activations.
        "declared": ("MarlinLinearKernel", "EmulationMxfp4LinearKernel", "EmulationMxfp6LinearKernel"),
    }.items()
    for name in names
}  # fmt: skip
"""Kernel of linear layers → what it computes."""

LEFT_OPEN = {
    "CPUWNA16LinearKernel", "ZentorchWNA16LinearKernel",  # 8-bit activations where the processor and VLLM_CPU_INT4_W4A8 allow it
    "HummingFP8ScaledMMLinearKernel", "HummingInt8ScaledMMLinearKernel", "HummingLinearKernel", "HummingMxFp4LinearKernel",
    "HummingMxFp6LinearKernel", "HummingMxfp8LinearKernel", "HummingNvFp4LinearKernel",  # 16-bit ones where it finds no other way
    "RocmDotScaledMxfp8LinearKernel",  # BF16 for a layer whose width is no multiple of 128
    "B12xMxfp8LinearKernel",  # not looked at
}  # fmt: skip

EXPERTS: Mapping[str, Mapping[str, str]] = {
    "NVFP4": {
        "MARLIN": "W4A16", "EMULATION": "W4A4",
        **dict.fromkeys(
            ("B12X", "FLASHINFER_TRTLLM", "FLASHINFER_CUTLASS", "FLASHINFER_CUTEDSL", "FLASHINFER_CUTEDSL_BATCHED", "FLASHINFER_B12X",
             "VLLM_CUTLASS"),
            "declared",
        ),
    },
    "FP8": {
        "MARLIN": "W8A16", "CPU": "W8A16", "Marlin": "W8A16",
        **dict.fromkeys(
            ("FLASHINFER_TRTLLM", "FLASHINFER_CUTLASS", "DEEPGEMM", "BATCHED_DEEPGEMM", "TRITON", "BATCHED_TRITON", "AITER", "VLLM_CUTLASS",
             "BATCHED_VLLM_CUTLASS", "CPU_W8A8", "HPC"),
            "W8A8",
        ),
    },
    "MXFP8": {
        "MARLIN": "W8A16", "EMULATION": "W8A16",
        **dict.fromkeys(("FLASHINFER_TRTLLM", "DEEPGEMM", "AITER_MXFP8", "TRITON_MXFP8"), "W8A8"),
    },
    "MXFP4": {
        **dict.fromkeys(
            ("B12X_MXFP4_BF16", "MARLIN", "BATCHED_MARLIN", "TRITON", "TRITON_UNFUSED", "FLASHINFER_TRTLLM_MXFP4_BF16",
             "FLASHINFER_CUTLASS_MXFP4_BF16", "AITER_MXFP4_BF16", "AITER_TRITON_MXFP4_BF16", "CPU"),
            "W4A16",
        ),
        **dict.fromkeys(
            ("B12X_MXFP4_MXFP8", "DEEPGEMM_MXFP4", "FLASHINFER_TRTLLM_MXFP4_MXFP8", "FLASHINFER_CUTLASS_MXFP4_MXFP8", "AITER_MXFP4_FP8"),
            "W4A8",
        ),
        **dict.fromkeys(
            ("AITER_MXFP4_MXFP4", "CUTLASS_MXFP4_MXFP4", "FLASHINFER_MOE_EP_CUTEDSL", "FLASHINFER_MOE_EP_DEEP_GEMM"), "W4A4"
        ),
    },
    "WNA16": dict.fromkeys(("MARLIN", "BATCHED_MARLIN", "TRITON", "FLASHINFER_TRTLLM", "EMULATION", "RDNA3"), "A16"),
    "INT8": dict.fromkeys(("TRITON", "CPU"), "declared"),
    "W4A8": {"CUTLASS": "W4A8"},
    "W4A8 INT8": {"CPU_INT4": "W4A8"},
}  # fmt: skip
"""Format of experts, as the log has it → backend → what it computes."""
WEIGHTS = {"NVFP4": "W4A", "MXFP4": "W4A", "FP8": "W8A", "MXFP8": "W8A", "INT8": "W8A"}
CLASSES = {"MarlinExperts": "A16", "Nvfp4QuantizationEmulationTritonExperts": "W4A4"}
"""Experts whose class alone the log names; where it has named a backend before, the class says nothing more."""
DECIDE = {"VLLM_MARLIN_INPUT_DTYPE": "marlin", "VLLM_B12X_MOE_FP4_FORCE_A16": "b12x"}
"""Settings (`serve.env`) under which the tables do not hold for kernels with this in their name."""


def numerics_of(declared: Sequence[str], chosen: Iterable[Chosen], environment: Mapping[str, str]) -> str:
    """What was computed: "W4A4", "W8A8 and W4A16" where kernels differ; "W4A4 as declared" where a kernel is not known or none is named;
    "not known" where the checkpoint does not declare it either.

    `declared`: of the checkpoint (`declared_numerics`); `chosen`: the kernels of its quantized layers.
    """
    said = [_computed(one, declared, environment) for one in _telling(chosen)]
    if said and None not in said:
        return " and ".join(dict.fromkeys(filter(None, said)))
    if not declared:
        return NOT_KNOWN
    return " and ".join(declared) + ("" if list(declared) == [PLAIN] else AS_DECLARED)


def _telling(chosen: Iterable[Chosen]) -> list[Chosen]:
    """Without the classes of experts whose backend is named as well."""
    found = list(chosen)
    has_backend = any(one.experts not in ("", "other") for one in found)
    return [one for one in found if not (has_backend and one.experts == "other")]


def _computed(one: Chosen, declared: Sequence[str], environment: Mapping[str, str]) -> str | None:
    if any(variable in environment and part in one.name.lower() for variable, part in DECIDE.items()):
        return None
    table: Mapping[str, str] = EXPERTS.get(one.experts, {} if one.experts else LINEAR)
    found = table.get(one.name) or CLASSES.get(one.name)
    if found in ("A16", "declared"):
        # Of several declared ones nobody knows which this kernel has, unless its weights tell.
        fitting = [pair for pair in declared if pair.startswith(WEIGHTS.get(one.experts, "W"))]
        alone = fitting[0] if len(fitting) == 1 else None
        return alone if found == "declared" or alone is None else alone.partition("A")[0] + found
    return found
