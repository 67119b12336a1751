"""Where things go on disk: caches under one setting, scratch space for a server, folders that only their owner reads."""

import getpass
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from quantgate.errors import ConfigurationError

CACHE = "QUANTGATE_CACHE"
BELOW_IT = {
    "HF_HOME": "huggingface",
    "HF_HUB_CACHE": "huggingface/hub",
    "HF_DATASETS_CACHE": "huggingface/datasets",
    "XDG_CACHE_HOME": "xdg",
    "VLLM_CACHE_ROOT": "vllm",
    "TORCHINDUCTOR_CACHE_DIR": "torchinductor",
    "TRITON_CACHE_DIR": "triton",
    "CUDA_CACHE_PATH": "cuda",
    "FLASHINFER_WORKSPACE_BASE": "flashinfer",
}
"""Variable → folder below QUANTGATE_CACHE. Servers get a TMPDIR below it, too; pytest keeps its own, where device locks lie."""
TEMPORARY = "tmp"
LONGEST_SOCKET_FOLDER = 64  # characters: a UUID follows, and the kernel takes 107 for the whole path of a socket
GIB = 2**30


def caches(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that QUANTGATE_CACHE sets, folders made; none without it. Raises ConfigurationError."""
    if not (named := environment.get(CACHE)):
        return {}
    root = Path(named).expanduser().resolve()
    try:
        for below in {*BELOW_IT.values(), TEMPORARY}:
            private(root / below)
    except OSError as error:
        raise ConfigurationError(f"{CACHE}={named}: {error.filename}: {error.strerror}; name a folder that this user can write") from None
    return {variable: str(root / below) for variable, below in BELOW_IT.items()}


def own_cache() -> Path:
    """The folder in the cache ($QUANTGATE_CACHE, else $XDG_CACHE_HOME, else ~/.cache) that is this package's alone; nothing is made yet."""
    named = os.environ.get(CACHE)
    root = Path(named) / BELOW_IT["XDG_CACHE_HOME"] if named else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return root.expanduser() / "quantgate"


def private(folder: Path) -> Path:
    """Make a folder, and those above it that are missing, for its owner alone (0700): prompts and answers lie in it."""
    for one in reversed([folder, *folder.parents]):
        if not one.exists():
            one.mkdir(mode=0o700, exist_ok=True)
    return folder


def writable(folder: Path, option: str) -> None:
    """See to it now that files can be made there; raises ConfigurationError, before anything has been measured in vain."""
    try:
        private(folder)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0" * 4096)
    except OSError as error:
        raise ConfigurationError(
            f"{option}={folder} cannot be written: {error.strerror}; name a folder of yours with space in it"
        ) from None


def scratch() -> Path:
    """A new folder for one server's temporary files and sockets, with a path that is short enough for a socket."""
    named = os.environ.get(CACHE)
    where = str(Path(named).expanduser().resolve() / TEMPORARY) if named else tempfile.gettempdir()
    if len(where) > LONGEST_SOCKET_FOLDER - len("/quantgate-12345678"):
        where = "/tmp"  # noqa: S108 (a folder of our own is made in it, 0700)
    made = Path(tempfile.mkdtemp(prefix="quantgate-", dir=where))
    (made / f"torchinductor_{_user()}").symlink_to(compiled())
    return made


def compiled() -> Path:
    """Where Inductor keeps what it has compiled for this user: by itself in TMPDIR, and every boot would compile anew.

    TORCHINDUCTOR_CACHE_DIR alone does not help: precompiled headers go into the folder of this name in TMPDIR all the same.
    """
    named = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
    return private(Path(named) if named else Path(tempfile.gettempdir()) / f"torchinductor_{_user()}").resolve()


def _user() -> str:
    """As torch writes it."""
    try:
        return re.sub(r'[\\/:*?"<>|]', "_", getpass.getuser())
    except (KeyError, OSError):  # a user without an entry in the password file, as in containers
        return str(os.getuid())


def require_free(folder: Path, gib: float, what: str) -> None:
    """Raises ConfigurationError unless the disk of `folder` has room for `what`."""
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(existing).free / GIB
    if free < gib:
        raise ConfigurationError(
            f"{what} needs {gib:.1f} GiB, and {folder} has {free:.1f} GiB free; free some, or name a larger disk in {CACHE}"
        )


def size_gib(folder: Path) -> float:
    """Size of a checkpoint's weights."""
    return sum(shard.stat().st_size for shard in folder.glob("*.safetensors")) / GIB


def set_caches() -> None:
    """Let this process and all that it starts use QUANTGATE_CACHE; before huggingface_hub is imported, which reads them once."""
    os.environ.update(caches(os.environ))
