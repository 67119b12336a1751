"""sbatch and scancel on PATH that note what they are asked, and say what the test wants."""

import os
import stat
from pathlib import Path

import pytest

PROGRAM = """#!/bin/sh
here='{folder}'
printf '%s' "$(basename "$0")" >> "$here/calls"
printf ' %s' "$@" >> "$here/calls"
echo >> "$here/calls"
count=$(grep -c . "$here/calls")
if [ -f "$here/refuses-$count" ]; then cat "$here/refuses-$count" >&2; exit 1; fi
if [ -f "$here/says-$count" ]; then cat "$here/says-$count"; else echo "4$count"; fi
"""


class LittleSlurm:
    """Ids are 41, 42, … by the number of the call, where the test does not say another."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        folder.mkdir()
        for name in ("sbatch", "scancel"):
            (folder / name).write_text(PROGRAM.format(folder=folder), encoding="utf-8")
            (folder / name).chmod(stat.S_IRWXU)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def refuses(self, call: int, said: str) -> None:
        (self.folder / f"refuses-{call}").write_text(said, encoding="utf-8")

    def says(self, call: int, said: str) -> None:
        (self.folder / f"says-{call}").write_text(said, encoding="utf-8")

    @property
    def calls(self) -> list[str]:
        file = self.folder / "calls"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []
