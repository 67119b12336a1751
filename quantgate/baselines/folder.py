"""Approved measurements in a folder: one reviewable file each, `<device class>/<family>/<checkpoint>/<suite>.json`."""

from pathlib import Path
from typing import NamedTuple

from quantgate.errors import BaselineError, MeasurementError
from quantgate.judgement import malformed
from quantgate.records import Measurement, read_measurement


def name_of(measured: Measurement) -> str:
    """Where a measurement lies below `baselines/` once it is approved, without the ending."""
    return place_of(measured.provenance.device_class, measured.family, measured.checkpoint, measured.suite)


def place_of(*parts: str) -> str:
    """Where what is of this device class, family, checkpoint and suite (or of the first of these alone) lies below `baselines/`."""
    return "/".join(part.replace("/", "-") for part in parts)


class BaselineFolder(NamedTuple):
    """`root` holds a folder for each device class; it need not exist yet."""

    root: Path

    def load(self, device_class: str, family: str, checkpoint: str, suite: str) -> Measurement | None:
        """The approved measurement, or None; raises BaselineError where the file is no measurement of this suite."""
        path = self.root / f"{place_of(device_class, family, checkpoint, suite)}.json"
        if not path.is_file():
            return None
        try:
            found = read_measurement(path)
        except MeasurementError as error:
            raise BaselineError(f"{error}; restore it from git, or delete it and approve a new one") from error
        if (found.family, found.checkpoint, found.suite) != (family, checkpoint, suite):
            raise BaselineError(f"{path} holds {found.family}/{found.checkpoint} {found.suite}, which is not what its place says")
        if (wrong := malformed(found)) is not None:
            raise BaselineError(
                f"{path} was not written by a measurement: {wrong}; restore it from git, or delete it and approve a new one"
            )
        return found

    def place(self, measured: Measurement) -> Path:
        """The file of an approved measurement."""
        return self.root / f"{name_of(measured)}.json"

    def device_classes(self) -> list[str]:
        """Those that something has been approved on, in the order of their names."""
        return sorted(folder.name for folder in self.root.glob("*") if folder.is_dir())
