"""Which kernels a log names: of linear layers by class, of experts by backend and class, in the words of vLLM 0.9 to 0.32."""

import pytest

from quantgate.server import vllm_log

NAMED = {  # said, by which file → the kernel
    "__init__.py:1240] Using MarlinNvFp4LinearKernel for NVFP4 GEMM": "MarlinNvFp4LinearKernel",
    "__init__.py:847] Selected CutlassFP8ScaledMMLinearKernel for ModelOptFp8LinearMethod": "CutlassFP8ScaledMMLinearKernel",
    "__init__.py:923] Using MacheteLinearKernel for mixed-precision linear": "MacheteLinearKernel",
    "emulation.py:81] It is not integrated. Using EmulationMxfp4LinearKernel, with simulated weight": "EmulationMxfp4LinearKernel",
    "nvfp4.py:242] Using 'MARLIN' NvFp4 MoE backend out of potential backends: ['B12X', 'VLLM_CUTLASS', 'MARLIN'].": "MARLIN",
    "nvfp4.py:242] Using 'FLASHINFER_B12X' NvFp4 MoE backend out of potential backends: ['FLASHINFER_B12X'].": "FLASHINFER_B12X",
    "fp8.py:418] Using TRITON Fp8 MoE backend out of potential backends: ['AITER', 'TRITON'].": "TRITON",
    "mxfp8.py:127] Using 'DEEPGEMM' MxFp8 MoE backend (user-requested).": "DEEPGEMM",
    "mxfp8.py:139] Using 'MARLIN' MxFp8 MoE backend.": "MARLIN",
    "mxfp4.py:499] Using 'DEEPGEMM_MXFP4' Mxfp4 MoE backend.": "DEEPGEMM_MXFP4",
    "mxfp4.py:2224] Using MarlinExperts": "MarlinExperts",
    "int_wna16.py:287] Using 'BATCHED_MARLIN' WNA16 MoE backend.": "BATCHED_MARLIN",
    "int_wna16.py:472] Using Gfx906WNA16Experts": "Gfx906WNA16Experts",
    "int8.py:121] Using CPU Int8 MoE backend out of potential backends: ['CPU']": "CPU",
    "w4a8.py:96] Using CUTLASS W4A8 MoE backend.": "CUTLASS",
    "w4a8_int8.py:102] Using CPU_INT4 W4A8 Int8 MoE backend out of potential backends: ['CPU_INT4']": "CPU_INT4",
    "moe.py:225] Using HummingGroupedExperts Humming MoE backend.": "HummingGroupedExperts",
    "nvfp4_emulation_moe.py:347] Using Nvfp4QuantizationEmulationTritonExperts MOE backend. This will dequantize weights": (
        "Nvfp4QuantizationEmulationTritonExperts"
    ),
    "compressed_tensors_moe.py:139] Using CompressedTensorsWNA16MoEMethod": "CompressedTensorsWNA16MoEMethod",
    "compressed_tensors_moe.py:131] Using CompressedTensorsWNA16MoEMethod (emulation backend requested)": "CompressedTensorsWNA16MoEMethod",
    "compressed_tensors_moe_w4a4_mxfp4.py:70] Using CutlassExpertsMxfp4 for MXFP4 MoE": "CutlassExpertsMxfp4",
    "compressed_tensors_moe_w4a4_mxfp4.py:75] Using XPUExpertsMxFp4 for MXFP4 MoE on XPU platform": "XPUExpertsMxFp4",
    "inc_mxfp4_moe.py:83] Using MarlinExperts (weight-only FP4) for AutoRound MXFP4 MoE": "MarlinExperts",
    "mxfp4.py:567] Using AITER_MXFP4_BF16 for Kimi-K3 SiTU MXFP4 MoE.": "AITER_MXFP4_BF16",
    "quark_moe.py:1651] Using EMULATION backend for w_mxfp4_a_mxfp4": "EMULATION",
    "fp8.py:168] Using Marlin backend for FP8 MoE": "Marlin",
    "fp8.py:122] Using Cutlass BlockScaled GroupedGemm backend for FP8 MoE": "Cutlass BlockScaled GroupedGemm",
    "fp8.py:512] Using DeepGemm kernels for Fp8MoEMethod.": "DeepGemm",
    "fp8.py:483] Using CutlassBlockScaledGroupedGemm kernels for Fp8MoEMethod.": "CutlassBlockScaledGroupedGemm",
    "modelopt.py:1132] Using Cutlass for ModelOptNvFp4FusedMoE.": "Cutlass",
    "modelopt.py:1191] Using FlashInfer CUTLASS kernels for ModelOptNvFp4FusedMoE.": "FlashInfer CUTLASS",
    "modelopt.py:982] Using flashinfer-cutlass for NVFP4 GEMM": "flashinfer-cutlass",
    "compressed_tensors_w4a16_nvfp4.py:40] Using Marlin backend for NVFP4 W4A16 linear layers.": "Marlin",
    "mxfp4.py:120] Using Triton backend": "Triton",
    "mxfp4.py:98] Using FlashInfer MXFP4 BF16 backend for SM90": "FlashInfer MXFP4 BF16",
}
UNQUANTIZED = {
    "unquantized.py:266] Using TRITON Unquantized MoE backend out of potential backends: ['TRITON']": "TRITON",
    "unquantized.py:266] Using FlashInfer TRTLLM Unquantized MoE backend out of potential backends: ['TRITON']": "FlashInfer TRTLLM",
    "unquantized.py:245] Using TRITON Unquantized MoE LoRA backend": "TRITON",
    "unquantized.py:529] Using TritonExperts MoE backend": "TritonExperts",
}
OTHERS = [
    "cuda.py:507] Using FLASH_ATTN attention backend out of potential backends: ['FLASH_ATTN', 'TRITON_ATTN'].",
    "cuda.py:318] Using AttentionBackendEnum.TRITON_ATTN backend.",
    "mimo_v2.py:322] Using FLASH_ATTN for attention.",
    "nvfp4.py:544] Using MoEPrepareAndFinalizeNoDPEPModular",
    "fused_moe.py:1151] Using configuration from /env/vllm/E=64,N=768.json for MoE layer.",
    "fused_moe.py:1164] Using default MoE config. Performance might be sub-optimal! Config file not found at /env/x.json",
    "fp8_utils.py:945] Using configuration from /env/x.json for W8A8 Block FP8 kernel.",
    "utils.py:645] Using FlashInfer cutlass for eligible unquantized BF16 GEMMs.",
    "cuda_communicator.py:77] Using naive all2all manager.",
    "ssu_dispatch.py:635] Using triton Mamba SSU backend.",
    "xpu.py:192] Using Triton backend.",
    "topk_topp_sampler.py:157] Using FlashInfer for top-p & top-k sampling.",
]


def log(*lines: str) -> str:
    return "".join(f"(Worker_TP0 pid=42) INFO 06-14 04:57:13 [{line}\n" for line in lines)


@pytest.mark.parametrize("said", NAMED)
def test_a_kernel_is_named_however_its_layer_says_it(said: str) -> None:
    assert vllm_log.kernels(log(said)) == vllm_log.kernels(log(said), quantized=True) == [NAMED[said]]


@pytest.mark.parametrize("said", UNQUANTIZED)
def test_experts_that_were_left_in_bf16_have_a_kernel_that_speaks_for_no_quantization(said: str) -> None:
    assert vllm_log.kernels(log(said)) == [UNQUANTIZED[said]]
    assert vllm_log.kernels(log(said), quantized=True) == []


@pytest.mark.parametrize("said", OTHERS)
def test_what_else_an_engine_uses_is_no_kernel(said: str) -> None:
    assert vllm_log.kernels(log(said)) == []


def test_kernels_stand_in_order_and_once_whoever_names_them() -> None:
    lines = [*list(NAMED)[:1], *list(NAMED)[4:7], *list(NAMED)[:1]]
    assert vllm_log.kernels(log(*lines) * 2) == ["MarlinNvFp4LinearKernel", "MARLIN", "FLASHINFER_B12X", "TRITON"]


@pytest.mark.parametrize(
    ("said", "experts"),
    [
        ("__init__.py:1240] Using MarlinNvFp4LinearKernel for NVFP4 GEMM", ""),
        ("nvfp4.py:242] Using 'MARLIN' NvFp4 MoE backend out of potential backends: ['MARLIN'].", "NVFP4"),
        ("fp8.py:418] Using TRITON Fp8 MoE backend out of potential backends: ['AITER', 'TRITON'].", "FP8"),
        ("fp8.py:512] Using DeepGemm kernels for Fp8MoEMethod.", "FP8"),
        ("mxfp8.py:139] Using 'MARLIN' MxFp8 MoE backend.", "MXFP8"),
        ("mxfp4.py:567] Using AITER_MXFP4_BF16 for Kimi-K3 SiTU MXFP4 MoE.", "MXFP4"),
        ("w4a8_int8.py:102] Using CPU_INT4 W4A8 Int8 MoE backend out of potential backends: ['CPU_INT4']", "W4A8 INT8"),
        ("w4a8.py:96] Using CUTLASS W4A8 MoE backend.", "W4A8"),
        ("mxfp4.py:2224] Using MarlinExperts", "other"),
    ],
)
def test_a_backend_of_experts_comes_with_their_format(said: str, experts: str) -> None:
    assert [one.experts for one in vllm_log.chosen(log(said))] == [experts]


def test_one_name_for_two_formats_is_two_choices_and_one_kernel() -> None:
    lines = log("x] Using 'MARLIN' NvFp4 MoE backend.", "x] Using 'MARLIN' MxFp8 MoE backend.", "x] Using 'MARLIN' NvFp4 MoE backend.")
    assert vllm_log.chosen(lines) == [vllm_log.Chosen("MARLIN", "NVFP4"), vllm_log.Chosen("MARLIN", "MXFP8")]
    assert vllm_log.kernels(lines) == ["MARLIN"]
