"""Approved measurements in a folder: one reviewable file each, `<device class>/<family>/<checkpoint>/<suite>.json`."""

import os
from pathlib import Path
from typing import NamedTuple

from quantgate.baselines.objects import Objects
from quantgate.baselines.places import checked, name_of, place_of
from quantgate.records import Measurement, read_measurement

WAY_OUT = "restore it from git, or delete it and approve a new one"


class BaselineFolder(NamedTuple):
    """`root` holds a folder for each device class; it need not exist yet. `objects`: where the items of a file without them are found."""

    root: Path
    objects: Objects = Objects([])

    def load(self, device_class: str, family: str, checkpoint: str, suite: str) -> Measurement | None:
        """The approved measurement, or None; raises BaselineError where the file is no measurement of this suite."""
        path = self.root / f"{place_of(device_class, family, checkpoint, suite)}.json"
        if not path.is_file():
            return None
        return checked(lambda: read_measurement(path, self.objects.fetch), str(path), (family, checkpoint, suite), WAY_OUT)

    def place(self, measured: Measurement) -> Path:
        """The file of an approved measurement."""
        return self.root / f"{name_of(measured)}.json"

    def device_classes(self) -> list[str]:
        """Those that something has been approved on, in the order of their names."""
        return sorted(folder.name for folder in self.root.glob("*") if folder.is_dir())

    def checkpoints(self, device_class: str, family: str) -> list[str]:
        """Those of a family that have a folder, in the order of their names."""
        return sorted(one.name for one in (self.root / place_of(device_class, family)).glob("*") if one.is_dir())

    def has(self, measured: Measurement) -> bool:
        """Whether something is approved there, readable or not."""
        return self.place(measured).is_file()

    def can_be_written(self) -> bool:
        """Whether this user may write there, or make it."""
        existing = next(one for one in (self.root, *self.root.absolute().parents) if one.exists())
        return os.access(existing, os.W_OK | os.X_OK)
