"""The likeliest tokens of a baseline's sample, in a file of their own beside it: eight lines of 26 kB say nothing in a review of figures.

`<suite>.json` holds the figures and the SHA-256 of `<suite>.topk.jsonl`, which holds a line for each document of the sample. Its ending
is no record's, so that whoever looks for records does not take it for one.
"""

import hashlib
from pathlib import Path

import msgspec

from quantgate.errors import MeasurementError
from quantgate.records.files import decode, encode, write_together
from quantgate.records.measurements import DocumentTopK, Measurement, TextLoss

TOPK = ".topk.jsonl"


def topk_of(path: Path) -> Path:
    """Where the likeliest tokens of the record at `path` lie, if they do not lie in it."""
    return path.with_name(path.name.removesuffix(".json") + TOPK)


def read_measurement(path: Path) -> Measurement:
    """The record at `path`, whole, whether its likeliest tokens lie in it or beside it.

    Raises MeasurementError where it is no record, or where what lies beside it is missing or another record's.
    """
    found: Measurement = decode(path.read_bytes(), Measurement, str(path))  # type: ignore[arg-type]  # a union is no type to mypy
    if not isinstance(found, TextLoss) or found.topk_sha256 is None:
        return found
    beside = topk_of(path)
    try:
        content = beside.read_bytes()
    except FileNotFoundError:
        raise MeasurementError(f"{path} is no usable record: {beside.name}, which belongs to it, does not lie beside it") from None
    if (digest := hashlib.sha256(content).hexdigest()) != found.topk_sha256:
        raise MeasurementError(
            f"{path} is no usable record: {beside.name} beside it is another record's (SHA-256 {digest[:12]}, not {found.topk_sha256[:12]})"
        )
    topk = [decode(line, DocumentTopK, str(beside)) for line in content.splitlines()]
    return msgspec.structs.replace(found, topk=topk, topk_sha256=None)


def write_apart(path: Path, measured: Measurement) -> None:
    """Write a measurement for review: both files or neither; without likeliest tokens the record alone, and an old file of them goes."""
    beside = None
    if isinstance(measured, TextLoss) and measured.topk:
        encode(measured)  # refuses what is not finite, in either file
        beside = b"".join(msgspec.json.encode(one) + b"\n" for one in measured.topk)
        measured = msgspec.structs.replace(measured, topk=[], topk_sha256=hashlib.sha256(beside).hexdigest())
    write_together({topk_of(path): beside, path: encode(measured)})
