"""Baselines that are approved into a store alone: `approved/<device class>/<family>/<checkpoint>/<suite>/<number>.json`, newest counts.

Approvals are only ever added. The number is how many the baseline has had, this one counted: of two people who approve on top of the same
one both want the same number, one gets it, and the other is told, so that no approval drops out of the history.
"""

import time

import msgspec

from quantgate.baselines.objects import Objects
from quantgate.baselines.places import checked, name_of, place_of
from quantgate.baselines.store import Store
from quantgate.errors import BaselineError, MeasurementError
from quantgate.records import Approval, Measurement, decode, divided, encode, whole

FOLDER = "approved"
FRESH_SECONDS = 5.0
"""For so long the list of what is approved is taken for the store's."""
WAY_OUT = "delete it in the store, and approve a new one"


class _History(msgspec.Struct):
    history: list[Approval] = []


class SharedBaselines:
    """Those below `store`; their heavy parts in `objects`. What has been read once is kept: nothing there ever changes."""

    def __init__(self, store: Store, objects: Objects) -> None:
        self.store = store
        self._objects = objects
        self._listed: tuple[float, dict[str, int]] | None = None
        self._read: dict[str, bytes] = {}

    def load(self, device_class: str, family: str, checkpoint: str, suite: str) -> Measurement | None:
        """The newest approval, whole, or None. Raises BaselineError where it is unreadable, StoreAwayError where nobody can tell."""
        name = place_of(device_class, family, checkpoint, suite)
        number = self._newest().get(name)
        return None if number is None else self._approved(_path(name, number), family, checkpoint, suite)

    def has(self, measured: Measurement) -> bool:
        """Whether something is approved there, readable or not."""
        return name_of(measured) in self._newest()

    def device_classes(self) -> list[str]:
        """Those that something has been approved on."""
        return sorted({name.split("/")[0] for name in self._newest()})

    def checkpoints(self, device_class: str, family: str) -> list[str]:
        """Those of a family that something has been approved for."""
        place = place_of(device_class, family) + "/"
        return sorted({name.removeprefix(place).split("/")[0] for name in self._newest() if name.startswith(place)})

    def approve(self, measured: Measurement) -> str:
        """Add an approval; returns where it stands. Raises BaselineError where somebody else has added one meanwhile, StoreAwayError
        where the store cannot be written."""
        name, number = name_of(measured), len(measured.history)
        path, parts = _path(name, number), divided(measured)
        if parts is not None:
            light, content, apart = parts
            self._objects.keep(content, apart)  # first: an approval never stands there without its items
            measured = light
        if not self.store.create(path, encode(measured)):
            self._listed = None
            raise BaselineError(
                f"{name} was approved meanwhile{self._by_whom(path)}, and nothing is written over: look at it, then run again"
            )
        self._listed = None
        return f"{self.store.url}/{path}"

    def _by_whom(self, path: str) -> str:
        where, content = f"{self.store.url}/{path}", self.store.read(path) or b""
        try:
            history = decode(content, _History, where).history
        except MeasurementError:
            return f" ({where})"
        return f" by {history[-1].by} ({history[-1].when}, {where})" if history else f" ({where})"

    def _approved(self, path: str, family: str, checkpoint: str, suite: str) -> Measurement:
        where = f"{self.store.url}/{path}"
        content = self._read.get(path)
        if content is None:
            content = self.store.read(path)
            if content is None:
                raise BaselineError(f"{where} was listed, and is not there: somebody has deleted it; run again")
            self._read[path] = content
        return checked(lambda: whole(content, where, self._objects.fetch), where, (family, checkpoint, suite), WAY_OUT)

    def _newest(self) -> dict[str, int]:
        """By name, the largest number."""
        if self._listed is None or time.monotonic() - self._listed[0] > FRESH_SECONDS:
            found: dict[str, int] = {}
            for file in self.store.names(FOLDER):
                name, _, number = file.removesuffix(".json").rpartition("/")
                if file.endswith(".json") and number.isdecimal():
                    found[name] = max(found.get(name, 0), int(number))
            self._listed = time.monotonic(), found
        return self._listed[1]


def _path(name: str, number: int) -> str:
    return f"{FOLDER}/{name}/{number:06d}.json"
