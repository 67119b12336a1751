"""What happens to a model's parameters while vLLM reads a checkpoint into it: which are written, by which stored names, and how.

A dispatch mode sees every operation below vLLM's code. Copies into large parameters are checked and left out, so that
memory and time do not grow with the checkpoint: stored tensors are mapped files whose pages are never touched, and parameters
are memory that was never written to.
"""

import bisect
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

LARGE_BYTES = 1 << 20
ATEN = torch.ops.aten
COPY = ATEN.copy_.default
FILLS = {ATEN.fill_.Scalar, ATEN.fill_.Tensor, ATEN.zero_.default, ATEN.uniform_.default, ATEN.normal_.default}
CREATIONS = {ATEN.zeros.default, ATEN.ones.default, ATEN.full.default, ATEN.rand.default, ATEN.randn.default}
CODES = {torch.float8_e4m3fn, torch.float8_e5m2, torch.uint8, torch.int8, torch.int32}
WIDE = {torch.bfloat16, torch.float16, torch.float32}


class Parameter:
    """One parameter as the model class made it, and which of its rows (first dimension) were written."""

    def __init__(self, name: str, tensor: torch.Tensor) -> None:
        self.name, self.tensor = name, tensor
        self.is_large = tensor.numel() * tensor.element_size() > LARGE_BYTES
        self.row_stride = tensor.stride(0) if tensor.ndim and tensor.is_contiguous() else 0
        self.rows = bytearray(tensor.shape[0]) if self.row_stride else bytearray(1)

    def write(self, target: torch.Tensor) -> None:
        if not target.numel():
            return
        if not self.row_stride:
            self.rows[:] = b"\1" * len(self.rows)
            return
        first = target.storage_offset() - self.tensor.storage_offset()
        last = first + sum((size - 1) * stride for size, stride in zip(target.shape, target.stride(), strict=True))
        low, high = max(0, first // self.row_stride), min(len(self.rows) - 1, last // self.row_stride)
        self.rows[low : high + 1] = b"\1" * (high + 1 - low)


class Watch(TorchDispatchMode):
    """`reading` is the stored name that is under way."""

    def __init__(self) -> None:
        super().__init__()
        self.parameters: dict[int, Parameter] = {}
        self.casts: dict[str, str] = {}
        self.reading = ""
        self.unused: dict[str, int] = {}
        self._views: dict[Any, bool] = {}
        self._starts: list[int] = []
        self._spans: list[tuple[int, int, str]] = []
        self._has_written = self._is_fetching = False

    def follow(self, model: torch.nn.Module) -> None:
        """From here on writes into the model's parameters are noted."""
        for name, parameter in model.named_parameters():
            if parameter.device.type == "cpu" and parameter.numel():
                self.parameters.setdefault(parameter.untyped_storage().data_ptr(), Parameter(name, parameter.data))

    def stored(self, weights: Iterable[tuple[str, torch.Tensor]]) -> Iterator[tuple[str, torch.Tensor]]:
        """`weights` handed on, each noted as unused until something but a view is made of it."""
        fetched = iter(weights)
        while (found := self._fetch(fetched)) is not None:
            name, tensor = found
            self.reading, self._has_written = name, False
            self.unused[name] = tensor.numel()
            self._remember(name, tensor)
            yield name, tensor
            if self._has_written:
                self.unused.pop(name, None)
        self.reading = ""

    def _fetch(self, weights: Iterator[tuple[str, torch.Tensor]]) -> tuple[str, torch.Tensor] | None:
        """The next one; what the reader of files does to tensors is no use of them."""
        self._is_fetching = True
        found = next(weights, None)
        self._is_fetching = False
        return found

    def _remember(self, name: str, tensor: torch.Tensor) -> None:
        """Where a stored tensor lies; what lay there before is gone."""
        start, size = tensor.data_ptr(), tensor.numel() * tensor.element_size()
        if not start or not size:
            return
        low, high = bisect.bisect_left(self._starts, start), bisect.bisect_left(self._starts, start + size)
        if low and self._spans[low - 1][1] > start:
            low -= 1
        self._starts[low:high] = [start]
        self._spans[low:high] = [(start, start + size, name)]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._is_fetching:
            return func(*args, **kwargs)
        if func is COPY and isinstance(args[0], torch.Tensor):
            return self._copy(*args, **kwargs)
        if func in CREATIONS and _bytes(args[0], kwargs.get("dtype")) > LARGE_BYTES:
            kept = {key: value for key, value in kwargs.items() if key in {"dtype", "layout", "device", "pin_memory"}}
            return ATEN.empty.memory_format(args[0], **kept)
        if func in FILLS and args[0].numel() * args[0].element_size() > LARGE_BYTES:
            self._written(args[0])
            return args[0]
        if not self._is_view(func):
            for one in (*args, *kwargs.values()):
                for tensor in one if isinstance(one, list | tuple) else (one,):
                    if isinstance(tensor, torch.Tensor):
                        self._used(tensor)
            if func._schema.is_mutable and args and isinstance(args[0], torch.Tensor):
                self._written(args[0])
        return func(*args, **kwargs)

    def _copy(self, target: torch.Tensor, source: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
        self._used(source)
        parameter = self._written(target)
        if parameter is None:
            return COPY(target, source, non_blocking)
        if (source.dtype in WIDE and target.dtype in CODES) or (source.dtype in CODES and target.dtype in WIDE):
            self.casts.setdefault(parameter.name, f"{source.dtype} into {target.dtype}".replace("torch.", ""))
        if not parameter.is_large:
            return COPY(target, source, non_blocking)
        if source.shape != target.shape:  # torch's own sentence where they do not fit
            COPY(torch.empty(target.shape, dtype=target.dtype, device="meta"), torch.empty(source.shape, dtype=source.dtype, device="meta"))
        return target

    def _written(self, target: torch.Tensor) -> Parameter | None:
        if target.device.type != "cpu" or target.layout is not torch.strided:
            return None
        parameter = self.parameters.get(target.untyped_storage().data_ptr())
        if parameter is not None:
            self._has_written = True
            parameter.write(target)
        return parameter

    def _used(self, tensor: torch.Tensor) -> None:
        if not self._spans or tensor.device.type != "cpu" or tensor.layout is not torch.strided:
            return
        at = tensor.data_ptr()
        index = bisect.bisect(self._starts, at) - 1
        if index >= 0 and at < self._spans[index][1]:
            self.unused.pop(self._spans[index][2], None)

    def _is_view(self, func: Any) -> bool:
        if func not in self._views:
            returned = [one.alias_info for one in func._schema.returns]
            self._views[func] = any(one is not None and not one.is_write for one in returned)
        return self._views[func]


def _bytes(shape: Any, dtype: torch.dtype | None) -> int:
    count = 1
    for size in shape:
        count *= int(size)
    return count * (dtype or torch.get_default_dtype()).itemsize
