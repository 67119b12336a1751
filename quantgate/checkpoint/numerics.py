"""Numbers that numpy does not have: BF16, FP8 (E4M3, E5M2, E8M0) and FP4 (E2M1), as tables and as rounding.

E4M3 (OCP 8-bit floating point specification 1.0): bias 7, largest 448, no infinities, 0x7F and 0xFF are NaN.
E2M1 (OCP microscaling formats 1.0): 0, ½, 1, 1½, 2, 3, 4, 6 and their negatives.
"""

from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from quantgate.checkpoint.storage import Raw

Floats: TypeAlias = npt.NDArray[np.float32]

FP4_MAX, FP8_MAX = 6.0, 448.0
FP4_VALUES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
EXPONENT_BITS = np.int32(0x7F800000)


def bf16_to_fp32(bits: Raw) -> Floats:
    """BF16 is the upper half of FP32."""
    wide = bits.astype(np.uint32)
    wide <<= 16
    return wide.view(np.float32)


def fp32_to_bf16(values: Floats) -> Raw:
    """Bits of the nearest BF16, ties to even; finite values only."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


@cache
def e4m3_table() -> Floats:
    """Of the 256 bytes."""
    byte = np.arange(256)
    exponent, mantissa = (byte >> 3) & 0xF, byte & 0x7
    size = np.where(exponent == 0, mantissa * 2.0**-9, (8 + mantissa) * 2.0 ** (exponent - 10.0))
    size[(byte & 0x7F) == 0x7F] = np.nan
    return np.asarray(np.where(byte & 0x80, -size, size), np.float32)


@cache
def e5m2_table() -> Floats:
    """Of the 256 bytes: the upper half of an FP16."""
    return np.asarray((np.arange(256, dtype=np.uint16) << 8).view(np.float16), np.float32)


@cache
def e8m0_table() -> Floats:
    """Powers of two, 2^(byte - 127); 255 is NaN."""
    powers = np.exp2(np.arange(256) - 127.0)
    powers[255] = np.nan
    return np.asarray(powers, np.float32)


@cache
def fp4_table() -> Floats:
    """(256, 2): the two values of a byte, the low four bits first."""
    values = np.array([*FP4_VALUES, *(-value for value in FP4_VALUES)], np.float32)
    byte = np.arange(256)
    return np.asarray(np.stack([values[byte & 0xF], values[byte >> 4]], -1), np.float32)


@cache
def int4_table() -> Floats:
    """(256, 2): two signed numbers stored with 8 added, the low four bits first."""
    byte = np.arange(256)
    return np.stack([(byte & 0xF) - 8, (byte >> 4) - 8], -1).astype(np.float32)


@cache
def pairs(table: str) -> Floats:
    """(65536, n): the values of two bytes at once, read as a little-endian number, so that one look-up serves for both."""
    one = {"e4m3": e4m3_table, "fp4": fp4_table, "int4": int4_table}[table]()
    one = one.reshape(256, -1)
    word = np.arange(1 << 16)
    return np.concatenate([one[word & 0xFF], one[word >> 8]], -1)


def look_up(table: str, codes: Raw) -> Floats:
    """Values of the bytes (rows, n): (rows, n · values a byte), FP32."""
    if codes.shape[-1] % 2:
        one = {"e4m3": e4m3_table, "fp4": fp4_table, "int4": int4_table}[table]()
        return one.take(codes, axis=0).reshape(len(codes), -1)
    return pairs(table).take(np.ascontiguousarray(codes).view(np.uint16), axis=0).reshape(len(codes), -1)


def to_floats(raw: Raw, dtype: str) -> Floats:
    """What the stored bits of a safetensors dtype mean, FP32."""
    if dtype == "BF16":
        return bf16_to_fp32(raw)
    tables = {"F8_E4M3": e4m3_table, "F8_E5M2": e5m2_table, "F8_E8M0": e8m0_table}
    if dtype in tables:
        return tables[dtype]().take(raw)
    return np.asarray(raw, np.float32)


def round_to_fp4(values: Floats) -> Floats:
    """Nearest E2M1 value, ties to the even code, beyond 6 to 6: the step is half the power of two below |value|, ½ below 1."""
    return _round(np.clip(values, -FP4_MAX, FP4_MAX), np.float32(1.0), np.float32(0.5))


def round_to_e4m3(values: Floats) -> Floats:
    """Nearest E4M3 value, ties to the even code, beyond 448 to 448: the step is an eighth of that power, 2^-9 below 2^-6."""
    return _round(np.clip(values, -FP8_MAX, FP8_MAX), np.float32(2.0**-6), np.float32(0.125))


def _round(values: Floats, smallest: np.float32, share: np.float32) -> Floats:
    power = (np.maximum(np.abs(values), smallest).view(np.int32) & EXPONENT_BITS).view(np.float32)
    power *= share
    return np.asarray(np.rint(values / power) * power, np.float32)
