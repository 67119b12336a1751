"""Every process of a run, however it names itself and whoever its parents are by now.

A run carries a mark in its environment, which its processes inherit. That alone is blind to the engine: setproctitle
writes over the memory that /proc shows as the environment. So while a run goes on, the sessions of its marked processes
are noted (pytest's servers and their watchdogs have sessions of their own), and whoever is in one of them belongs to it.
"""

import os
import threading
import uuid
from pathlib import Path

SAMPLE_SECONDS = 0.1


class Marked:
    """The mark, and who carries it. Start processes with `variables` in their environment, between `with` and its end."""

    def __init__(self) -> None:
        self.name, self.value = "QUANTGATE_RUN", uuid.uuid4().hex
        self._own, self._sessions = os.getsid(0), set[int]()
        self._done = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "Marked":
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._sampler.join()

    @property
    def variables(self) -> dict[str, str]:
        """What a marked process has in its environment."""
        return {self.name: self.value}

    def _sample(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            self.alive()

    def alive(self) -> list[int]:
        """Processes of the run that live (a zombie holds nothing)."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                carries = f"{self.name}={self.value}".encode() in (folder / "environ").read_bytes()
            except OSError:
                continue  # ended meanwhile, or not ours to read
            state, session = fields[0], int(fields[3])
            if carries and session != self._own:
                self._sessions.add(session)
            if state != "Z" and (carries or session in self._sessions):
                found.append(int(folder.name))
        return found
