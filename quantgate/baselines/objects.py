"""The heavy part of baselines, `objects/<the first two digits>/<SHA-256>` in a store: written once, never changed, checked when read.

Whoever writes an object creates it where it is missing. The name is its content, so two who write the same at once write one.
"""

import hashlib
from collections.abc import Sequence

from quantgate.baselines.store import Store
from quantgate.errors import BaselineError, StoreAwayError
from quantgate.records import Apart, cached, keep_cached

FOLDER = "objects"


def object_path(apart: Apart) -> str:
    """Where the object lies in a store."""
    return f"{FOLDER}/{apart.sha256[:2]}/{apart.sha256}"


class Objects:
    """Those of several stores, of which the first that has one counts; and the cache of this machine before them."""

    def __init__(self, stores: Sequence[Store]) -> None:
        self._stores = stores

    def fetch(self, apart: Apart) -> bytes:
        """The object, checked. Raises StoreAwayError where a store that may have it is away, BaselineError where none has it whole."""
        if (content := cached(apart)) is not None:
            return content
        said, away = [], []
        for store in self._stores:
            try:
                found = store.read(object_path(apart), apart.bytes)
            except StoreAwayError as error:
                away.append(str(error))
                continue
            if found is None:
                said.append(f"{store.url} has no {object_path(apart)}")
            elif (wrong := _damage(found, apart)) is not None:
                said.append(f"{store.url}/{object_path(apart)} is damaged ({wrong})")
            else:
                keep_cached(apart, found)
                return found
        what = f"its {apart.items:,} items ({apart.bytes:,} bytes, SHA-256 {apart.sha256[:12]})"
        if away:
            raise StoreAwayError(f"{what} cannot be fetched: {'; '.join([*away, *said])}")
        if not said:
            raise BaselineError(f"{what} lie in a store: name it behind the folder, as in --baselines=baselines,s3://bucket/team")
        whoever = "put back the object that was approved (the cache of the host that approved it has it), or approve a new baseline"
        raise BaselineError(f"{what} cannot be fetched: {'; '.join(said)}; {whoever}")

    def keep(self, content: bytes, apart: Apart) -> str:
        """Where the object lies from now on, in the first store that takes it. Raises StoreAwayError where none does."""
        refused = []
        for store in self._stores:
            try:
                if store.create(object_path(apart), content):
                    keep_cached(apart, content)
                    return store.url
            except StoreAwayError as error:
                refused.append(error)
            else:
                damaged = f"{store.url}/{object_path(apart)} is damaged, and nothing is written over: delete it there, and approve again"
                refused.append(StoreAwayError(damaged, denied=True))
        raise StoreAwayError("; ".join(map(str, refused)), denied=all(one.denied for one in refused))


def _damage(content: bytes, apart: Apart) -> str | None:
    if len(content) != apart.bytes:
        return f"{len(content):,} bytes, not {apart.bytes:,}"
    digest = hashlib.sha256(content).hexdigest()
    return None if digest == apart.sha256 else f"SHA-256 {digest[:12]}, not {apart.sha256[:12]}"
