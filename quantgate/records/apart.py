"""What is heavy of a baseline, in a file of its own, and its SHA-256 in the record: a review of figures is not about 26 kB a line.

In a folder, the likeliest tokens: `<suite>.json` holds the figures and the SHA-256 of `<suite>.topk.jsonl`, which holds a line for each
document of the sample. Its ending is no record's, so that whoever looks for records does not take it for one. Where there is a store
(`quantgate/baselines/objects.py`), all items: the record holds figures, history, provenance and `apart`, by which they are found again.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from quantgate.errors import MeasurementError
from quantgate.records.base import Apart
from quantgate.records.cached import cached
from quantgate.records.files import decode, encode, write_together
from quantgate.records.measurements import Answer, Answers, DocumentLoss, DocumentTopK, Measurement, TextLoss

TOPK = ".topk.jsonl"


class _Documents(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    documents: list[DocumentLoss]
    again: list[DocumentLoss] = msgspec.field(default_factory=list)
    topk: list[DocumentTopK] = msgspec.field(default_factory=list)


class _Items(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    items: list[Answer]
    again: list[Answer] = msgspec.field(default_factory=list)


Fetch: TypeAlias = Callable[[Apart], bytes]
"""Gives the object; raises MeasurementError or BaselineError where it is not to be had."""
Keep: TypeAlias = Callable[[bytes, Apart], bool]
"""Takes an object where it can be read again; False where it could not be kept."""


def _from_cache(apart: Apart) -> bytes:
    """What this machine has fetched before."""
    if (content := cached(apart)) is None:
        raise MeasurementError(
            f"its {apart.items:,} items lie in a store (SHA-256 {apart.sha256[:12]}), and were not fetched here yet: give pytest or "
            "`quantgate report` the store behind the folder, as in --baselines=baselines,s3://bucket/team"
        )
    return content


def topk_of(path: Path) -> Path:
    """Where the likeliest tokens of the record at `path` lie, if they do not lie in it."""
    return path.with_name(path.name.removesuffix(".json") + TOPK)


def read_measurement(path: Path, fetch: Fetch = _from_cache) -> Measurement:
    """The record at `path`, whole, whether all of it lies in it, its likeliest tokens beside it, or its items where `fetch` finds them.

    Raises MeasurementError where it is no record, or where what belongs to it is missing or another record's.
    """
    return whole(path.read_bytes(), str(path), fetch, beside=topk_of(path))


def whole(content: bytes, where: str, fetch: Fetch, beside: Path | None = None) -> Measurement:
    """The measurement of a record's bytes, which lay at `where`; `beside`: a file with its likeliest tokens."""
    found: Measurement = decode(content, Measurement, where)  # type: ignore[arg-type]  # a union is no type to mypy
    if isinstance(found, TextLoss | Answers) and found.apart is not None:
        return united(found, _fetched(found.apart, where, fetch), where)
    if not isinstance(found, TextLoss) or found.topk_sha256 is None:
        return found
    name = "its sample of likeliest tokens" if beside is None else beside.name
    try:
        sample = b"" if beside is None else beside.read_bytes()
    except FileNotFoundError:
        raise MeasurementError(f"{where} is no usable record: {name}, which belongs to it, does not lie beside it") from None
    if (digest := hashlib.sha256(sample).hexdigest()) != found.topk_sha256:
        raise MeasurementError(
            f"{where} is no usable record: {name} beside it is another record's (SHA-256 {digest[:12]}, not {found.topk_sha256[:12]})"
        )
    topk = [decode(line, DocumentTopK, str(beside)) for line in sample.splitlines()]
    return msgspec.structs.replace(found, topk=topk, topk_sha256=None)


def _fetched(apart: Apart, where: str, fetch: Fetch) -> bytes:
    try:
        return fetch(apart)
    except MeasurementError as error:
        raise MeasurementError(f"{where}: {error}") from None


def divided(measured: Measurement) -> tuple[Measurement, bytes, Apart] | None:
    """The record without what is heavy, that as an object, and what finds it; None of a speed, where nothing is.

    Raises MeasurementError for what is not finite, in either.
    """
    encode(measured)
    if isinstance(measured, TextLoss):
        content = encode(_Documents(documents=measured.documents, again=measured.again, topk=measured.topk))
        apart = _apart(content, measured.documents)
        return msgspec.structs.replace(measured, documents=[], again=[], topk=[], apart=apart), content, apart
    if isinstance(measured, Answers):
        content = encode(_Items(items=measured.items, again=measured.again))
        apart = _apart(content, measured.items)
        return msgspec.structs.replace(measured, items=[], again=[], apart=apart), content, apart
    return None


def _apart(content: bytes, items: Sequence[object]) -> Apart:
    return Apart(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content), items=len(items))


def united(light: TextLoss | Answers, content: bytes, where: str) -> Measurement:
    """The record with its object, which is checked once more: whoever fetched it. Raises MeasurementError."""
    assert light.apart is not None
    if (digest := hashlib.sha256(content).hexdigest()) != light.apart.sha256:
        raise MeasurementError(f"{where}: its items have SHA-256 {digest[:12]}, not {light.apart.sha256[:12]}, which was approved")
    place = f"the object {light.apart.sha256[:12]} of {where}"
    if isinstance(light, TextLoss):
        documents = decode(content, _Documents, place)
        return msgspec.structs.replace(light, documents=documents.documents, again=documents.again, topk=documents.topk, apart=None)
    items = decode(content, _Items, place)
    return msgspec.structs.replace(light, items=items.items, again=items.again, apart=None)


def write_apart(path: Path, measured: Measurement, keep: Keep | None = None) -> None:
    """Write a measurement for review: what `keep` takes of it lies there, and the record alone here; else both files or neither.

    What belonged to an older record beside it goes. Without likeliest tokens there is the record alone.
    """
    parts = divided(measured) if keep is not None else None
    if keep is not None and parts is not None and keep(*parts[1:]):
        write_together({topk_of(path): None, path: encode(parts[0])})
        return
    beside = None
    if isinstance(measured, TextLoss) and measured.topk:
        encode(measured)  # refuses what is not finite, in either file
        beside = b"".join(msgspec.json.encode(one) + b"\n" for one in measured.topk)
        measured = msgspec.structs.replace(measured, topk=[], topk_sha256=hashlib.sha256(beside).hexdigest())
    write_together({topk_of(path): beside, path: encode(measured)})
