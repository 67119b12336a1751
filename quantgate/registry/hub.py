"""A checkpoint's files on this machine: a folder as it is, or a hub id fetched into the hub's cache; a data set's alike."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

from quantgate import folders
from quantgate.errors import ConfigurationError
from quantgate.registry.models import PICKLED, Checkpoint

SLACK_GIB = 1.0
_HERE_ALONE = ContextVar("here_alone", default=False)


@contextmanager
def here_alone() -> Iterator[None]:
    """Within it nothing is fetched, and nobody asked: what is not on this machine is told as what cannot be reached."""
    before = _HERE_ALONE.set(True)
    try:
        yield
    finally:
        _HERE_ALONE.reset(before)


def local_folder(checkpoint: Checkpoint) -> Path:
    """Where the checkpoint lies. Raises ConfigurationError where it cannot be fetched, there is no room for it, or it was not made yet."""
    if checkpoint.revision is None:
        if checkpoint.command is not None and not _is_made(checkpoint):
            raise ConfigurationError(f"{checkpoint} has not been made yet: {checkpoint.path} is not there; make it: {checkpoint.command}")
        return Path(checkpoint.path)
    return fetch(checkpoint.path, checkpoint.revision, f"{checkpoint} ({checkpoint.path} at {checkpoint.revision})")


def _is_made(checkpoint: Checkpoint) -> bool:
    return Path(checkpoint.path, "config.json").is_file()


def in_cache(checkpoint: Checkpoint) -> Path | None:
    """The folder of its files if they are on this machine; nothing is fetched."""
    from huggingface_hub import try_to_load_from_cache

    if checkpoint.revision is None:
        return Path(checkpoint.path) if checkpoint.command is None or _is_made(checkpoint) else None
    found = try_to_load_from_cache(checkpoint.path, "config.json", revision=checkpoint.revision)
    return Path(found).parent if isinstance(found, str) else None


def fetch(
    name: str, revision: str | None, what: str, *, kind: Literal["model", "dataset"] = "model", only: Sequence[str] | None = None
) -> Path:
    """The snapshot of a hub id, fetched after a look at the disk, without pickled weights; `what` names it in messages.

    `only`: patterns of the files that are wanted, all where there is none.

    Raises ConfigurationError, one sentence for each thing that people can do about it.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import (  # type: ignore[attr-defined] # HTTPError, its client's base of all errors, is not listed as its own
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        HTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    page, cache = f"{constants.ENDPOINT}/{'datasets/' if kind == 'dataset' else ''}{name}", Path(constants.HF_HUB_CACHE)
    chosen: dict[str, Any] = {"repo_type": kind, "allow_patterns": list(only)} if only else {"repo_type": kind}
    log_in, instead = "log in (hf auth login, or HF_TOKEN)", "name a folder" + (" with --data-dir" if kind == "dataset" else "")
    try:
        missing = None if _HERE_ALONE.get() else _missing_gib(name, revision, kind, only)
        folders.require_free(cache, missing or 0.0, what)
        # Where nobody answered, the library would ask five times more, and say so each time.
        here_alone = missing is None
        return Path(snapshot_download(name, revision=revision, ignore_patterns=list(PICKLED), local_files_only=here_alone, **chosen))
    except GatedRepoError:
        told = f"is gated: ask for access on {page}, then {log_in}"
    except RepositoryNotFoundError:
        told = f"is no repository on {constants.ENDPOINT}, or a private one: check the name, or {log_in}"
    except RevisionNotFoundError:
        told = f"has no revision {revision}; see {page}/commits"
    except HFValidationError:
        told = "is no folder and no hub id (org/name)"
    except (LocalEntryNotFoundError, OfflineModeIsEnabled):
        told = f"is not in the cache {cache}, and the hub cannot be reached; connect, or {instead}"
    except HfHubHTTPError as error:
        told = f"could not be fetched from {constants.ENDPOINT} ({_first_line(error)}); try again later, or {instead}"
    except (HTTPError, OSError) as error:
        told = f"is not in the cache {cache} and could not be fetched ({_first_line(error)}); connect, or {instead}"
    raise ConfigurationError(f"{what} {told}")


def _first_line(error: Exception) -> str:
    name = type(error).__name__
    return f"{name}: {str(error).splitlines()[0][:200]}" if str(error) else name


def _missing_gib(name: str, revision: str | None, kind: str, only: Sequence[str] | None) -> float | None:
    """What is to be fetched, with some slack. None where the hub cannot be reached, 0 where it answers with an error: what the cache
    has may be all there is to have."""
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled  # type: ignore[attr-defined] # as above

    try:
        ask = HfApi().model_info if kind == "model" else HfApi().dataset_info
        files = ask(name, revision=revision, files_metadata=True).siblings or []
    except HfHubHTTPError:
        return 0.0
    except (HTTPError, OfflineModeIsEnabled):
        return None
    missing = [
        file.size or 0
        for file in files
        if not any(Path(file.rfilename).match(ending) for ending in PICKLED)
        and (only is None or any(fnmatch(file.rfilename, pattern) for pattern in only))
        and not isinstance(try_to_load_from_cache(name, file.rfilename, revision=revision, repo_type=kind), str)
    ]
    return sum(missing) / folders.GIB + SLACK_GIB if missing else 0.0


def locate(name: str, revision: str | None = None) -> Path:
    """The folder of a checkpoint; for a hub id its snapshot, downloaded if need be. Raises ConfigurationError, one sentence."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise ConfigurationError(f"--revision={revision} belongs to a hub id, and {name} is a folder; leave it out")
        return folder
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise ConfigurationError(f"{name}: there is no such folder, and a hub id looks like org/name")
    return fetch(name, revision, name)
