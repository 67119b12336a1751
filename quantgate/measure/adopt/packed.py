"""Zip files, those packed with zstd among them, as Inspect packs its logs; Python itself reads these since 3.14."""

import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from quantgate.errors import MeasurementError

if TYPE_CHECKING:  # the backport's zipfile has no types of its own, and is the standard one's
    from zipfile import BadZipFile, ZipFile, is_zipfile

    from backports.zstd import ZstdError
elif sys.version_info >= (3, 14):
    from zipfile import BadZipFile, ZipFile, is_zipfile

    from compression.zstd import ZstdError
else:
    from backports.zstd import ZstdError
    from backports.zstd.zipfile import BadZipFile, ZipFile, is_zipfile

__all__ = ["NO_ZIP", "ZipFile", "is_zipfile", "part"]
NO_ZIP = (BadZipFile, RuntimeError, EOFError, zlib.error, UnicodeDecodeError, ZstdError)
"""RuntimeError: encrypted, or (NotImplementedError) packed in a way that this Python does not know."""


def part(packed: ZipFile, name: str, path: Path) -> bytes:
    """One file in a zip. Raises MeasurementError where it cannot be unpacked."""
    try:
        return packed.read(name)
    except NO_ZIP as error:
        raise MeasurementError(f"{path}: {name} cannot be unpacked ({error}); fetch it again, or unpack it yourself") from None
