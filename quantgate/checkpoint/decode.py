"""The weights that a linear's tensors stand for, rows at a time."""

from typing import NamedTuple

import numpy as np

from quantgate.checkpoint.numerics import Floats, look_up, to_floats
from quantgate.checkpoint.schemes import Scheme
from quantgate.checkpoint.storage import Raw, Weights


class Linear(NamedTuple):
    """A quantized linear, (rows, width): its scheme, and where its tensors lie."""

    name: str
    scheme: Scheme
    weights: Weights
    rows: int
    width: int

    def tensor(self, part: str) -> str:
        return f"{self.name}.{part}"

    def codes(self, start: int = 0, stop: int | None = None) -> Raw:
        """(rows, stored elements a row): as stored, or as `pack-quantized` would store them where a format keeps the transpose."""
        name = self.tensor(self.scheme.weight)
        if self.scheme.form == "rows":
            found = self.weights.read(name, start, stop)
            return found.view(np.uint8) if self.scheme.codes == "fp4" else found
        stop = self.rows if stop is None else min(stop, self.rows)
        if self.scheme.form == "gptq":
            return np.ascontiguousarray(self.weights.whole(name)[:, start:stop].T)
        values = _awq(self.weights.whole(name), start, stop).T
        padded = np.pad(values, ((0, 0), (0, values.shape[1] % 2)))
        return np.ascontiguousarray(padded[:, ::2] | (padded[:, 1::2] << 4))

    def scalar(self, part: str) -> float:
        """A scale that stands alone; the largest where a loader would find several."""
        name = self.tensor(part)
        return float(to_floats(self.weights.read(name), self.weights[name].dtype).max())

    def scales(self, start: int = 0, stop: int | None = None) -> Floats:
        """Stored scales of these rows: (rows, groups) or (1, 1) for one a tensor; block scales spread over rows, (rows, blocks)."""
        name = self.tensor(self.scheme.scale)
        stored, stop = self.weights[name], self.rows if stop is None else min(stop, self.rows)
        if self.scheme.strategy == "tensor":
            return self._read_scales(name).reshape(1, -1)[:, :1]
        if self.scheme.strategy == "block" and self.scheme.block:
            high = self.scheme.block[0]
            found = self._read_scales(name, start // high, -(-stop // high))
            found = found.reshape(len(found), -1)  # some are stored with two dimensions more
            return np.asarray(found[np.arange(start, stop) // high - start // high], np.float32)
        if self.scheme.form != "rows":
            return np.ascontiguousarray(self._read_scales(name)[:, start:stop].T)
        assert stored.rows == self.rows
        return self._read_scales(name, start, stop).reshape(stop - start, -1)

    def _read_scales(self, name: str, start: int = 0, stop: int | None = None) -> Floats:
        dtype = self.weights[name].dtype
        return to_floats(self.weights.read(name, start, stop), "F8_E8M0" if dtype == "U8" else dtype)

    def global_factor(self) -> np.float32:
        """What every scale is multiplied by: 1 where there is no global scale."""
        if self.scheme.global_scale is None:
            return np.float32(1.0)
        stored = np.float32(self.scalar(self.scheme.global_scale))
        with np.errstate(divide="ignore"):
            return np.float32(1.0) / stored if self.scheme.convention == "divisor" else stored

    def decode(self, start: int = 0, stop: int | None = None) -> Floats:
        """FP32 (rows, width): code · scale, the group scale divided by a divisor first, as compressed-tensors does."""
        stop = self.rows if stop is None else min(stop, self.rows)
        values, scales = self.numbers(start, stop), self.scales(start, stop)
        if self.scheme.global_scale is not None:
            stored = np.float32(self.scalar(self.scheme.global_scale))
            with np.errstate(all="ignore"):
                scales = scales / stored if self.scheme.convention == "divisor" else scales * stored
        with np.errstate(all="ignore"):
            return self._scaled(values, scales)

    def numbers(self, start: int, stop: int) -> Floats:
        """Codes less their zero points: what the scales multiply, FP32 (rows, width)."""
        values = self._values(start, stop)
        return values if self.scheme.is_symmetric else values - self.spread(self._zero_points(start, stop))

    def _scaled(self, values: Floats, scales: Floats) -> Floats:
        values *= self.spread(scales)  # spread out first: one long product is faster than many of 16
        return values

    def spread(self, scales: Floats) -> Floats:
        """(rows, width) of (rows, groups)."""
        if scales.shape[-1] == 1:
            return scales
        if self.scheme.has_order:
            return scales[:, np.asarray(self.weights.read(self.tensor(self.scheme.order)), np.intp)]
        size = self.scheme.block[1] if self.scheme.block else self.scheme.group or self.width
        return np.repeat(scales, size, axis=-1)[:, : self.width]

    def _values(self, start: int, stop: int) -> Floats:
        codes = self.codes(start, stop)
        if self.scheme.codes == "fp4":
            return look_up("fp4", codes)
        if self.scheme.codes == "fp8":
            return look_up("e4m3", codes)
        if self.scheme.codes == "int":
            return codes.astype(np.float32)
        return unpacked(codes, self.scheme.bits)[:, : self.width]

    def _zero_points(self, start: int, stop: int) -> Floats:
        """(rows, groups), on the scale of the codes: those of packed formats have half the range taken away."""
        raw, bits = self.weights.read(self.tensor(self.scheme.zero_point)), self.scheme.bits
        if self.scheme.form == "awq":
            return _awq(raw, start, stop).T.astype(np.float32) - 8
        if self.scheme.form == "gptq":  # GPTQ stores one less
            return unpacked(raw, bits)[:, start:stop].T + 1
        if self.scheme.codes == "packed":
            raw = unpacked(np.ascontiguousarray(raw.T), bits).T  # packed along the rows, eight of four bits a number
        return np.asarray(raw, np.float32).reshape(len(raw) if raw.ndim else 1, -1)[start:stop]


AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
"""Which of eight neighbouring outputs lies in the first, second … four bits of an INT32."""


def _awq(words: Raw, start: int, stop: int) -> Raw:
    """Numbers from 0 to 15 of the columns `start` to `stop`: (rows of `words`, stop - start), one a byte."""
    first, last = start // 8, -(-stop // 8)
    octets = np.ascontiguousarray(words[:, first:last]).view(np.uint8)
    halves = np.stack([octets & 0xF, octets >> 4], -1).reshape(len(octets), -1, 8)
    return halves[..., np.argsort(AWQ_ORDER)].reshape(len(octets), -1)[:, start - 8 * first : stop - 8 * first]


def unpacked(codes: Raw, bits: int) -> Floats:
    """Signed numbers, stored with half the range added as one stream of bits, the lowest first."""
    octets = np.ascontiguousarray(codes).view(np.uint8).reshape(len(codes), -1)
    if bits == 4:
        return look_up("int4", octets)
    if bits == 8:
        return octets.astype(np.float32) - 128.0
    stream = np.unpackbits(octets, axis=1, bitorder="little")
    numbers = stream[:, : stream.shape[1] // bits * bits].reshape(len(octets), -1, bits)
    return np.asarray(numbers @ (1 << np.arange(bits)) - (1 << (bits - 1)), np.float32)
