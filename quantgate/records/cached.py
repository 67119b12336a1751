"""Objects of a store that this machine has fetched or written: a file each, named by its SHA-256, in the cache.

Many processes share it. A file is moved into place whole, its content never changes, and it is checked whenever it is read: what is
damaged counts as not there, and the next fetch writes over it.
"""

import hashlib
from pathlib import Path

from quantgate import folders
from quantgate.records.base import Apart
from quantgate.records.files import write_whole

FOLDER = "baselines"


def cache_file(apart: Apart) -> Path:
    """Where the object lies, if it does."""
    return folders.own_cache() / FOLDER / apart.sha256[:2] / apart.sha256


def cached(apart: Apart) -> bytes | None:
    """The object, checked; None where it is not there, cannot be read, or is damaged."""
    try:
        content = cache_file(apart).read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == apart.sha256 else None


def keep_cached(apart: Apart, content: bytes) -> bool:
    """Whether the object lies in the cache now: where the disk is full or not ours, the run goes on without."""
    file = cache_file(apart)
    try:
        folders.private(file.parent)
        write_whole(file, content)
    except OSError:
        return False
    return True
