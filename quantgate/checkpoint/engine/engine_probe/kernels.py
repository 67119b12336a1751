"""Kernel choice left out: a checkpoint is asked about here, not a device.

vLLM chooses kernels while it builds layers and refuses where the device has none. The functions that choose are replaced by their
names, wherever vLLM has imported them to, by ones that choose nothing.
"""

import contextlib
import enum
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable
from typing import Any

INITS = re.compile(r"init_\w*linear_kernel")
CHOICES = re.compile(r"choose_\w*linear_kernel")
BACKENDS = re.compile(r"select_\w*moe_backend")
LAYERS = "vllm.model_executor.layers"
SOURCES = ("vllm.model_executor.kernels.linear", f"{LAYERS}.fused_moe.oracle", f"{LAYERS}.fusion.quant_activation")
PREFERRED = ("VLLM_CUTLASS", "TRITON", "NONE")
"""Backends whose parameters have the shapes that are stored; others pad them."""


class NoKernel:
    """Stands where a kernel would: it does nothing to weights, and has no wishes."""

    supports_pre_processed_weights = False

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    @classmethod
    def is_supported(cls, *_: Any, **__: Any) -> tuple[bool, None]:
        return True, None

    can_implement = is_supported

    @classmethod
    def get_min_capability(cls) -> int:
        return 0

    def input_quant_key(self) -> None:
        return None

    def process_weights_after_loading(self, layer: Any) -> None:
        pass

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


def leave_out() -> None:
    """Called before the quantization methods are imported, and again once they are."""
    for name in SOURCES:
        _import_all(name)
    for module in [one for name, one in list(sys.modules.items()) if name.startswith("vllm.") and one is not None]:
        for name, value in list(vars(module).items()):
            if inspect.isfunction(value) and not hasattr(value, "leaves_out") and (stand_in := _stand_in(name, value)) is not None:
                stand_in.leaves_out = True  # type: ignore[attr-defined]
                setattr(module, name, stand_in)


def _import_all(name: str) -> None:
    """A module, and those in it where it is a package; what this vLLM does not have, or cannot import here, is left."""
    try:
        module = importlib.import_module(name)
    except Exception:  # noqa: BLE001 (a kernel's module may want anything)
        return
    for one in pkgutil.iter_modules(getattr(module, "__path__", [])) if name.endswith("oracle") else []:
        _import_all(f"{name}.{one.name}")


def _stand_in(name: str, chooser: Callable[..., Any]) -> Callable[..., Any] | None:
    if INITS.fullmatch(name):
        return lambda *_, **__: NoKernel()
    if CHOICES.fullmatch(name):
        return lambda *_, **__: NoKernel
    if BACKENDS.fullmatch(name):
        return _backend(chooser, (_plain_backend(chooser), None), is_asked="unquantized" in name)
    return None


def _backend(chooser: Callable[..., Any], plain: tuple[Any, None], *, is_asked: bool) -> Callable[..., Any]:
    """Without quantization vLLM's own choice decides no shapes, and is taken where the device has one."""

    def choose(*args: Any, **kwargs: Any) -> Any:
        if is_asked:
            with contextlib.suppress(NotImplementedError, ValueError):
                return chooser(*args, **kwargs)
        return plain

    return choose


def _plain_backend(chooser: Callable[..., Any]) -> Any:
    """A member of the enumeration that the chooser's return annotation names."""
    annotation = str(inspect.signature(chooser).return_annotation)
    kinds = [one for one in chooser.__globals__.values() if isinstance(one, type) and issubclass(one, enum.Enum)]
    if (kind := next((one for one in kinds if one.__name__ in annotation), None)) is None:
        return None
    members = {one.name: one for one in kind}
    return next((members[name] for name in PREFERRED if name in members), next(iter(members.values())))
