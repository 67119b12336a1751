"""vLLM plugin for its CPU build: NVFP4 that runs, FP8 that does not crawl, and processes that wait without burning a core.

vLLM 0.32 registers no NVFP4 kernel for CPUs, although its own emulation (pure PyTorch, W4A4 numerics) works there;
that one decodes the weights at every step. The kernel here decodes them once, when they are loaded, and quantizes
and decodes activations at every call with the same operations, so its logprobs are equal to the last bit.

FP8 runs on any CPU, but where the processor has no FP8 or AMX units torch's `_scaled_mm` multiplies code by code,
fifteen times slower than an FP32 product of the same codes. Just there, and in that place of vLLM's order of
preference, stands a kernel that keeps the weights' codes in FP32: the products are exact, sums differ by their order.

Loaded by vLLM in each of its processes (entry point group `vllm.general_plugins`); does nothing on other platforms.
vLLM's own kernel is behind it: VLLM_DISABLED_KERNELS=DecodedNvFp4LinearKernel.
"""

import math
import os
import time
from typing import Any

import torch
from vllm.distributed.device_communicators import shm_broadcast
from vllm.model_executor.kernels.linear import (
    ChannelWiseTorchFP8ScaledMMLinearKernel,
    EmulationNvFp4LinearKernel,
    register_linear_kernel,
)
from vllm.model_executor.layers.quantization.utils.nvfp4_emulation_utils import dequantize_to_dtype
from vllm.platforms import PlatformEnum, current_platform

from quantgate.vllm_plugin.fp4 import GROUP, quantize_and_decode

WAIT_SECONDS = 50e-6
KEEP_SPINNING = "QUANTGATE_KEEP_SPINNING"  # "1" leaves vLLM's busy wait as it is, to compare


class DecodedNvFp4LinearKernel(EmulationNvFp4LinearKernel):
    """NVFP4 W4A4 on a CPU with weights decoded once, into the model's own dtype."""

    def process_weights_after_loading(self, layer: Any) -> None:
        decoded = dequantize_to_dtype(
            layer.weight.data.view(torch.uint8),
            layer.weight_scale.data,
            layer.weight_global_scale,
            torch.get_default_dtype(),
            GROUP,
            swizzle=False,
        )
        layer.weight = torch.nn.Parameter(decoded, requires_grad=False)

    def apply_weights(self, layer: Any, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        out = torch.matmul(quantize_and_decode(x, layer.input_global_scale_inv), layer.weight.t())
        return out if bias is None else out + bias


class DecodedFp8LinearKernel(ChannelWiseTorchFP8ScaledMMLinearKernel):
    """FP8 W8A8 on a CPU: activations quantized as vLLM does, weights as FP32 numbers that are FP8 codes."""

    def process_weights_after_loading(self, layer: Any) -> None:
        name = self.layer_param_names[0]
        setattr(layer, name, torch.nn.Parameter(getattr(layer, name).data.to(torch.float32), requires_grad=False))

    def apply_scaled_mm(
        self,
        *,
        A: torch.Tensor,  # noqa: N803 (vLLM's names)
        B: torch.Tensor,  # noqa: N803
        out_dtype: torch.dtype,
        As: torch.Tensor,  # noqa: N803
        Bs: torch.Tensor,  # noqa: N803
        bias: torch.Tensor | None,
        output_shape: list[int],
    ) -> torch.Tensor:
        tokens = math.prod(output_shape[:-1])  # vLLM pads small batches for torch's own product
        out = torch.matmul(A[:tokens].to(torch.float32), B) * As[:tokens] * Bs.t()
        return (out if bias is None else out + bias).to(out_dtype).view(*output_shape)


def register() -> None:
    """Entry point. vLLM may call it several times in one process."""
    if not current_platform.is_cpu():
        return
    # To be idempotent and to stand before one kernel but behind the native ones; there is no public way to do either.
    from vllm.model_executor.kernels.linear import _POSSIBLE_FP8_KERNELS, _POSSIBLE_NVFP4_KERNELS

    fp8 = _POSSIBLE_FP8_KERNELS[PlatformEnum.CPU]
    if DecodedFp8LinearKernel not in fp8:
        fp8.insert(fp8.index(ChannelWiseTorchFP8ScaledMMLinearKernel), DecodedFp8LinearKernel)
    if DecodedNvFp4LinearKernel not in _POSSIBLE_NVFP4_KERNELS.get(PlatformEnum.CPU, []):
        register_linear_kernel(DecodedNvFp4LinearKernel, PlatformEnum.CPU, "nvfp4")
        register_linear_kernel(EmulationNvFp4LinearKernel, PlatformEnum.CPU, "nvfp4")
    if os.environ.get(KEEP_SPINNING) != "1":
        # Engine and worker poll shared memory with sched_yield; on few cores that takes the core from the one that works.
        vars(shm_broadcast)["sched_yield"] = lambda: time.sleep(WAIT_SECONDS)
