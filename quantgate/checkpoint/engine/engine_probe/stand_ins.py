"""Things of the machine that a checkpoint is not asked about: another device, a library for images, a process to be safe in."""

import contextlib
import importlib.util
import sys
import types
from typing import Any

TORCHVISION = ("", ".transforms", ".transforms.functional", ".transforms.v2", ".transforms.v2.functional", ".io")


def on_the_cpu() -> None:
    """A vLLM that was built for a GPU builds its models on the CPU here: no device is touched. To be called before others import it."""
    from vllm import platforms

    if not platforms.current_platform.is_cpu():
        from vllm.platforms.cpu import CpuPlatform

        vars(platforms)["_current_platform"] = CpuPlatform()


def for_torchvision() -> None:
    """Classes of multimodal models import it for their images, and nothing of it is called while weights are read."""
    if importlib.util.find_spec("torchvision") is not None:
        return
    for name in TORCHVISION:
        module = types.ModuleType(f"torchvision{name}")
        module.__getattr__ = _anything  # type: ignore[method-assign]
        module.__path__ = []
        sys.modules[module.__name__] = module


def for_the_inspection() -> None:
    """vLLM looks at a model class in a process of its own, to keep its own free of it; this one ends anyway."""
    from vllm.model_executor.models import registry

    if hasattr(registry, "_run_in_subprocess"):
        vars(registry)["_run_in_subprocess"] = lambda look: look()


def for_a_device() -> None:
    """Schemes and layers that vLLM builds on some GPUs alone hold the same tensors there as here."""
    from vllm.model_executor.layers.fused_moe import config as moe
    from vllm.model_executor.layers.quantization.compressed_tensors.compressed_tensors import CompressedTensorsConfig

    if hasattr(CompressedTensorsConfig, name := "_is_fp8_w4a8_sm90"):
        setattr(CompressedTensorsConfig, name, staticmethod(CompressedTensorsConfig._is_fp8_w4a8))
    check: Any = moe.FusedMoEConfig.__post_init__

    def without_device(self: Any) -> None:
        with contextlib.suppress(NotImplementedError):  # which it keeps for what a device lacks, and says last
            check(self)

    setattr(moe.FusedMoEConfig, check.__name__, without_device)


class _Anything:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return _anything(name)


def _anything(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return _Anything()
