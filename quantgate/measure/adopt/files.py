"""Other people's files: their lines, their first bytes, and one sentence where one cannot be read."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar, cast

import msgspec

from quantgate.errors import MeasurementError
from quantgate.measure.adopt.packed import NO_ZIP, ZipFile

T = TypeVar("T")
START_BYTES = 1 << 16
PACKED = b"PK\x03\x04"
NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
NO_NUMBERS = (b"NaN", b"Infinity")
MARK = b"\xef\xbb\xbf"


class Head(NamedTuple):
    """How a file begins, unpacked. `first`: its first line as an object, {} where that is none; `start`: its first 64 KiB; of a zip
    `names`, and the first 64 KiB of the first JSON file in it."""

    path: Path
    start: bytes
    first: dict[str, Any]
    names: frozenset[str] = frozenset()


def head(path: Path) -> Head:
    """Raises MeasurementError for a .gz or a zip that is none."""
    with opened(path) as file:
        try:
            start = file.read(START_BYTES).removeprefix(MARK)
        except (OSError, EOFError, zlib.error) as error:
            raise MeasurementError(f"{path} cannot be unpacked: {error}") from None
    if start.startswith(PACKED):
        return _head_of_zip(path)
    line = start.lstrip().partition(b"\n")[0]
    try:
        found = msgspec.json.decode(line)
    except NO_JSON:
        found = None
        if b"\n" not in start.strip():
            found = _longer_line(path, line)
    return Head(path, start, found if isinstance(found, dict) else {})


def _head_of_zip(path: Path) -> Head:
    try:
        with ZipFile(path) as packed:
            names = packed.namelist()
            first = next((name for name in names if name.endswith(".json")), None)
            start = b""
            if first is not None:
                with packed.open(first) as file:
                    start = file.read(START_BYTES)
    except NO_ZIP as error:
        raise MeasurementError(f"{path} cannot be unpacked: {error}") from None
    return Head(path, start, {}, frozenset(names))


def _longer_line(path: Path, line: bytes) -> Any:
    """The first line of a file of lines, where it is longer than what was looked at."""
    if not line.startswith(b'{"') or path.suffix == ".json":
        return None
    with opened(path) as file:
        try:
            return msgspec.json.decode(file.readline().removeprefix(MARK))
        except (*NO_JSON, OSError, EOFError, zlib.error):
            return None


def opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Each line that is not empty with its number from 1. Raises MeasurementError where a .gz ends before its end."""
    with opened(path) as file:
        number = 0
        try:
            for number, line in enumerate(file, 1):
                plain = line.removeprefix(MARK) if number == 1 else line
                if not plain.isspace():
                    yield number, plain
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise MeasurementError(f"{path}, behind line {number}: it cannot be unpacked further ({error}); fetch it again") from None


def decode(decoder: msgspec.json.Decoder[T], content: bytes | msgspec.Raw, where: str, what: str) -> T:
    """Raises MeasurementError: `where` is no `what`, and why."""
    try:
        return decoder.decode(content)
    except NO_JSON as error:
        plain = bytes(content)
        if not any(word in plain for word in NO_NUMBERS):
            raise MeasurementError(f"{where} is no {what}: {error}") from None
    try:  # Python writes what no JSON has; it stands as text then, and is refused where a number is wanted
        return decoder.decode(json.dumps(json.loads(plain, parse_constant=str)).encode())
    except (*NO_JSON, ValueError) as error:
        raise MeasurementError(f"{where} is no {what}: {error}") from None


def whole(path: Path, wanted: type[T], what: str) -> T:
    """A file that is one JSON document. Raises MeasurementError where it is not."""
    with opened(path) as file:
        return decode(msgspec.json.Decoder(wanted), file.read().removeprefix(MARK), str(path), what)


def canonical(value: Any) -> str:
    """The same text for the same content, whatever the order of its keys."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def written(value: Any) -> float | int | bool | str:
    """A setting as it is, or as JSON where it is no single value."""
    return value if isinstance(value, bool | int | float | str) else canonical(value)
