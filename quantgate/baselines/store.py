"""A place for files behind an fsspec URL: read, list, and create, which never replaces anything; all of it within a deadline.

Nothing here retries by itself: of S3, botocore asks twice and s3fs again where the connection breaks, within our deadline, which is what
ends a call to a store that does not answer. After such a call the store counts as away for a while, so that a run waits for it once.
Credentials are fsspec's to find (the environment, its configuration, the tools' own files); none goes through here.
"""

import logging
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from quantgate.baselines.where import LOCAL
from quantgate.errors import StoreAwayError
from quantgate.plain_text import in_a_line, without_secrets

T = TypeVar("T")
LOG = logging.getLogger(__name__)
SECONDS, BYTES_A_SECOND = 20.0, 2**20
"""How long a call may take: so many seconds, and those that its bytes take at this rate."""
AWAY_SECONDS = 15.0
"""For so long a store that did not answer is not asked again."""
LONGEST_REASON = 200
S3 = ("s3", "s3a")
S3_CALLS = {"connect_timeout": 5, "read_timeout": 15, "retries": {"max_attempts": 2, "mode": "standard"}}
"""For botocore, where fsspec's own configuration says nothing: seconds, and how often a call is sent."""
EXTRAS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}
DENIED = re.compile(r"\b(?:40[13]|accessdenied|access denied|forbidden|unauthorized|read-only|read only)\b", re.IGNORECASE)
NO_SUCH = re.compile(r"bucket does not exist|nosuchbucket|repository not found", re.IGNORECASE)
NO_CREDENTIALS = re.compile(r"credentials", re.IGNORECASE)
URLS = re.compile(r"\w+://[^\s\"']+")
"""In which a port or a name may look like a reason."""


class Store:
    """What lies below `url`, which holds no secret. Every method raises StoreAwayError where the store is away or forbids it."""

    def __init__(self, url: str, seconds: float = SECONDS) -> None:
        self.url = url.rstrip("/")
        self._scheme, self._seconds = url.partition("://")[0], seconds
        self._opened: tuple[Any, str] | None = None
        self._away: tuple[float, StoreAwayError] | None = None

    def read(self, path: str, size: int = 0) -> bytes | None:
        """The file, of about `size` bytes; None where there is none."""
        try:
            content: bytes = self._ask("read", lambda files, root: files.cat_file(f"{root}/{path}"), size)
        except FileNotFoundError:
            return None
        return content

    def names(self, below: str) -> list[str]:
        """Every file below that folder, as a path from there."""

        def find(files: Any, root: str) -> list[str]:
            files.invalidate_cache()  # another host may have written since
            top = files._strip_protocol(f"{root}/{below}")
            return [str(name)[len(top) :].lstrip("/") for name in files.find(top)]

        try:
            return sorted(self._ask("list", find))
        except FileNotFoundError:
            return []

    def create(self, path: str, content: bytes) -> bool:
        """Write a file that is not there yet, whole; False where another one lies there, which stays as it is.

        One of the same content counts as ours: an answer that was lost on the way is asked for again by the libraries below.
        """
        try:
            self._ask("write", lambda files, root: _create(files, self._scheme, f"{root}/{path}", content), len(content))
        except FileExistsError:
            return self.read(path, len(content)) == content
        return True

    def _ask(self, what: str, ask: Callable[[Any, str], T], size: int = 0) -> T:
        """Raises FileNotFoundError and FileExistsError for a file; everything else that goes wrong is StoreAwayError."""
        if self._away is not None and time.monotonic() < self._away[0]:
            raise self._away[1]
        seconds = self._seconds + size / BYTES_A_SECOND
        try:
            return _within(seconds, lambda: ask(*self._open()))
        except (FileNotFoundError, FileExistsError) as error:
            nowhere = what == "write" and isinstance(error, FileNotFoundError)  # as Google's store says it
            if not nowhere and not _says(error, NO_SUCH):
                raise
            raise StoreAwayError(f"{self.url}: there is no such bucket or repository; look at its name") from None
        except Exception as error:  # noqa: BLE001 (each file system has its own errors, and none may end a run)
            away = self._told(error, what, seconds)
            if not away.denied:
                self._away = (time.monotonic() + AWAY_SECONDS, away)
            raise away from None

    def _open(self) -> tuple[Any, str]:
        if self._opened is None:
            import fsspec

            options: dict[str, Any] = {"use_listings_cache": False}
            if self._scheme in S3 and "config_kwargs" not in fsspec.config.conf.get("s3", {}):
                options["config_kwargs"] = S3_CALLS
            files, root = fsspec.core.url_to_fs(self.url, **options)
            if files.async_impl:  # what breaks beside a call that is told here would be a traceback on the terminal
                files.loop.set_exception_handler(lambda _, context: LOG.debug("%s", context.get("exception")))
            self._opened = files, str(root).rstrip("/")
        return self._opened

    def _told(self, error: Exception, what: str, seconds: float) -> StoreAwayError:
        if isinstance(error, ImportError):
            package = EXTRAS.get(self._scheme)
            way = f"pip install {package}" if package is not None else in_a_line(str(error))
            return StoreAwayError(f"{self.url} cannot be reached: the package for {self._scheme}:// is not installed; {way}")
        if isinstance(error, TimeoutError):
            return StoreAwayError(
                f"{self.url} cannot be reached: no answer within {seconds:.0f} s; look at its endpoint, and whether it is up"
            )
        if NO_CREDENTIALS.search(type(error).__name__) or _says(error, NO_CREDENTIALS):
            way = "give them as fsspec takes them: the environment, or the store's own configuration files"
            return StoreAwayError(f"{self.url} cannot be reached: no usable credentials ({_words(error)}); {way}")
        if isinstance(error, PermissionError) or _says(error, DENIED):
            return StoreAwayError(f"{self.url}: to {what} is not allowed ({_words(error)}); ask for the right to", denied=True)
        if isinstance(error, OSError) and error.strerror and self._scheme in LOCAL:
            return StoreAwayError(f"{self.url}: to {what} is not possible: {error.strerror}", denied=what == "write")
        return StoreAwayError(f"{self.url} cannot be reached ({_words(error)}); look at its endpoint, and whether it is up")


def _words(error: Exception) -> str:
    said = in_a_line(without_secrets(f"{type(error).__name__}: {error}")).rstrip(".")
    return said if len(said) <= LONGEST_REASON else f"{said[:LONGEST_REASON]}…"


def _says(error: Exception, words: re.Pattern[str]) -> bool:
    return words.search(URLS.sub("", f"{error} {error.__cause__ or ''}")) is not None


def _within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` gives or raises; TimeoutError after so many seconds, and then its thread, which ends with the process, goes on alone."""
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001 (raised again by whoever waits)
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True, name="quantgate-store")
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not done:
        raise TimeoutError
    return done[0]


def _create(files: Any, scheme: str, path: str, content: bytes) -> None:
    """Raises FileExistsError."""
    if scheme in LOCAL:
        _link(Path(path), content)
        return
    try:
        files.pipe_file(path, content, mode="create")
    except (NotImplementedError, ValueError, TypeError):  # a file system that has no such mode: look before, and look after
        files.invalidate_cache()
        if files.exists(path):
            raise FileExistsError(path) from None
        files.pipe_file(path, content)
        if files.cat_file(path) != content:
            raise FileExistsError(path) from None


def _link(path: Path, content: bytes) -> None:
    """A whole file under a name that nothing has: a rename would replace what came meanwhile, a link does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, 0o644)  # noqa: PTH101 (a name from mkstemp, 0600 until here)
        Path(path).hardlink_to(beside)
    finally:
        Path(beside).unlink(missing_ok=True)
