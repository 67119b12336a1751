"""A folder, or a hub id: `org/name`, resolved through huggingface_hub into its cache."""

from pathlib import Path

from quantgate.errors import ConfigurationError
from quantgate.registry import hub


def locate(name: str, revision: str | None = None) -> Path:
    """The folder of a checkpoint; for a hub id its snapshot, downloaded if need be. Raises ConfigurationError, one sentence."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise ConfigurationError(f"--revision={revision} belongs to a hub id, and {name} is a folder; leave it out")
        return folder
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise ConfigurationError(f"{name}: there is no such folder, and a hub id looks like org/name")
    return hub.fetch(name, revision, name)
