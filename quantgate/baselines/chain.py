"""Baselines from several places, the first that has one counts: what a checkout has approved, then what a team shares.

Reading goes on behind a store that is away, with one warning a run, and says so where nobody behind it has the baseline either. A
baseline that lies in the first folder, whole or in the cache, is read without asking anybody else. An approval goes to the first place
that can be written, if no place before that has the baseline, which would hide it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from quantgate.baselines.folder import BaselineFolder
from quantgate.baselines.objects import Objects
from quantgate.baselines.places import name_of
from quantgate.baselines.shared import SharedBaselines
from quantgate.baselines.store import SECONDS, Store
from quantgate.baselines.where import folder_of, is_url, links
from quantgate.errors import BaselineError, StoreAwayError
from quantgate.records import Apart, Keep, Measurement

Link: TypeAlias = BaselineFolder | SharedBaselines
Write: TypeAlias = Callable[[Path, Measurement, Keep | None], None]
"""Writes a measurement below a folder; what is heavy of it goes where `Keep` takes it."""
REVIEW = "review it with git diff, then commit it"


def open_baselines(where: str | Path, say: Callable[[str], None] = lambda _: None, seconds: float = SECONDS) -> "Baselines":
    """What `--baselines` names: a folder, an fsspec URL, or several with commas between. Nothing is read yet, and no store asked.

    `say` takes warnings; `seconds`: how long a store may take for a call. Raises ConfigurationError for what is no place of baselines.
    """
    given = links(str(where))
    stores = {one: Store(one, seconds) for one in given if is_url(one)}
    objects = Objects(list(stores.values()))
    every: list[Link] = [SharedBaselines(stores[one], objects) if one in stores else BaselineFolder(Path(one), objects) for one in given]
    return Baselines(str(where), every, objects, say)


class Baselines:
    """`where`: as it was given; `local`: the first folder, which has the history and the files for review, None without one."""

    def __init__(self, where: str, every: Sequence[Link], objects: Objects, say: Callable[[str], None]) -> None:
        self.where, self.local, self.say = where, folder_of(where), say
        self._links, self._objects = every, objects
        self._warned = False

    def load(self, device_class: str, family: str, checkpoint: str, suite: str) -> Measurement | None:
        """The approved measurement, or None; raises BaselineError for one that is unreadable, StoreAwayError where a store that is away
        may have it and nobody behind it does."""
        away: StoreAwayError | None = None
        for link in self._links:
            try:
                found = link.load(device_class, family, checkpoint, suite)
            except StoreAwayError as error:
                if isinstance(link, BaselineFolder):
                    raise  # it is approved there, and what another place has is another one
                away = away or error
                continue
            if found is not None:
                if away is not None:
                    self._warn(away)
                return found
        if away is not None:
            raise away
        return None

    def device_classes(self) -> list[str]:
        """Those that something has been approved on, in the order of their names."""
        return self._of_all(lambda link: link.device_classes())

    def checkpoints(self, device_class: str, family: str) -> list[str]:
        """Those of a family that something has been approved for, in the order of their names."""
        return self._of_all(lambda link: link.checkpoints(device_class, family))

    def place(self, measured: Measurement) -> Path | None:
        """The file of an approved measurement, where it lies in a folder."""
        folders = (link for link in self._links if isinstance(link, BaselineFolder))
        return next((link.place(measured) for link in folders if link.has(measured)), None)

    @property
    def are_there(self) -> bool:
        """Whether anything may be found: a store, or a folder that exists."""
        return any(isinstance(link, SharedBaselines) or link.root.is_dir() for link in self._links)

    def approve(self, measured: Measurement, write: Write) -> str:
        """Store an approved measurement; returns what is to be done with it. `write` writes into a folder.

        Raises BaselineError where somebody else has approved one meanwhile, or no place can be written.
        """
        refused = []
        for link in self._links:
            if isinstance(link, BaselineFolder) and link.can_be_written():
                return self._into(link, measured, write)
            if isinstance(link, BaselineFolder):
                why = f"{link.root} cannot be written by this user"
            else:
                try:
                    return f"it stands in {link.approve(measured)}"
                except StoreAwayError as error:
                    if not error.denied:
                        raise
                    why = str(error)
            if link.has(measured):
                raise BaselineError(f"{name_of(measured)} is not approved: {why}, and its baseline there would hide one approved elsewhere")
            refused.append(why)
        raise BaselineError(f"{name_of(measured)} is not approved: {'; '.join(refused)}; name a folder before it: --baselines=baselines,…")

    def _into(self, link: BaselineFolder, measured: Measurement, write: Write) -> str:
        if not any(isinstance(one, SharedBaselines) for one in self._links):
            write(link.root, measured, None)
            return REVIEW
        said: list[str] = []

        def keep(content: bytes, apart: Apart) -> bool:
            try:
                said.append(f"its {apart.items:,} items are in {self._objects.keep(content, apart)}; ")
            except StoreAwayError as error:
                said.append(f"its {apart.items:,} items stay in the file, since no store took them: {error}; ")
                return False
            return True

        write(link.root, measured, keep)
        return f"{''.join(said)}{REVIEW}"

    def _of_all(self, ask: Callable[[Link], list[str]]) -> list[str]:
        found: set[str] = set()
        for link in self._links:
            try:
                found.update(ask(link))
            except StoreAwayError as error:
                self._warn(error)
        return sorted(found)

    def _warn(self, error: StoreAwayError) -> None:
        if not self._warned:
            self._warned = True
            self.say(f"{error}; what lies in a folder is judged all the same")
