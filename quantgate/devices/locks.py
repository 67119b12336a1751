"""One session a device: a lock file for each, held from the choice of a slot until the run ends.

Speed measured beside another session is noise, and two servers do not fit into one device's memory.

The folder is $QUANTGATE_LOCKS, else quantgate-locks in the temporary folder, open to every user of the host: set the
variable where users (TMPDIR) or containers have temporary folders of their own.
"""

import contextlib
import errno
import os
import re
import stat
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from quantgate.devices.nvml import Device
from quantgate.errors import ConfigurationError
from quantgate.locks import Held, Wanted, lock

SHARED_FOLDER = 0o1777  # any user may lock; nobody may remove what is another's
UNUSABLE, ELSEWHERE = "devices cannot be locked with", "name another folder in QUANTGATE_LOCKS"


def lock_devices(devices: Sequence[Device], command: str, wait_seconds: float = 0.0, say: Callable[[str], None] = lambda _: None) -> Held:
    """Lock these devices for this process; those without a lock (the whole CPU) are left out.

    Waits for `wait_seconds` in all, saying so once. Raises ConfigurationError when a device is still held then.
    """
    folder = _folder()
    named = [(folder / f"{name}.lock", str(device)) for device in devices if (name := _name(device))]
    wanted = [Wanted(file, device, "choose another device", UNUSABLE, ELSEWHERE) for file, device in named]
    return lock(wanted, command, wait_seconds, say)


def _name(device: Device) -> str:
    """The lock's name: the UUID, or the core; "" for the whole CPU, which any number of sessions may share."""
    if device.uuid:
        return re.sub(r"[^\w.-]", "_", device.uuid)
    return "" if device.core is None else f"cpu-{device.core}"


def _folder() -> Path:
    named = os.environ.get("QUANTGATE_LOCKS")
    folder = Path(named).resolve() if named else Path(tempfile.gettempdir()) / "quantgate-locks"
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            folder.chmod(SHARED_FOLDER)  # mkdir's own mode is subject to the umask
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "it is no folder")
    except OSError as error:
        raise ConfigurationError(f"{UNUSABLE} {folder}: {error.strerror}; {ELSEWHERE}") from None
    return folder
