"""The merged folder is there whole or not at all, and what others put into it stays."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from quantgate.errors import ConfigurationError
from quantgate.merging import tree
from tests_fixtures.doubles.sharded import Matrix, files_in

KILLED = """
import os, signal, sys
from pathlib import Path
from quantgate.merging import merge, tree
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
folder, step = Path(sys.argv[1]), sys.argv[2]
if step == "writing":
    tree.move = die
elif step == "moving":
    rename = Path.rename
    Path.rename = lambda self, new: die() if ".merging-" in str(self) else rename(self, new)
elif step == "clearing":
    repair = tree._repair
    calls = []
    tree._repair = lambda into: die() if calls else (calls.append(1), repair(into))
merge(sorted((folder / "of-2").iterdir()), folder / "merged", models=folder / "models.toml", baselines=str(folder / "baselines"))
"""


@pytest.fixture
def small(tmp_path: Path) -> Matrix:
    return Matrix(tmp_path, ("ada", "fermi"))


def left_beside(matrix: Matrix) -> list[str]:
    return sorted(one.name for one in matrix.root.iterdir() if one.name.startswith("."))


@pytest.mark.thorough
@pytest.mark.parametrize("step", ["writing", "moving", "clearing"])
def test_a_merge_that_is_killed_can_be_run_again(small: Matrix, step: str) -> None:
    folders, into = small.shards(2), small.root / "merged"
    small.merge(folders)
    (into / "notes.txt").write_text("somebody's")
    whole = files_in(into)
    ended = subprocess.run([sys.executable, "-c", KILLED, str(small.root), step], cwd=Path(__file__).parents[2], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert left_beside(small) != []
    if step == "writing":
        assert files_in(into) == whole
    small.merge(folders)
    assert files_in(into) == whole
    assert left_beside(small) == []


def test_what_a_killed_merge_has_moved_aside_is_put_back_also_by_one_that_is_refused(small: Matrix) -> None:
    folders, into = small.shards(2), small.root / "merged"
    small.merge(folders)
    whole = files_in(into)
    into.rename(small.root / ".merged.before-merging")
    file = folders[0] / "ada" / "bf16" / "text.json"
    file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(ConfigurationError, match="holds another record"):
        small.merge(folders)
    assert files_in(into) == whole


def test_a_merge_that_fails_leaves_what_was_there(small: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    folders, into = small.shards(2), small.root / "merged"
    small.merge(folders)
    whole = files_in(into)
    monkeypatch.setattr(tree, "fill", lambda *_: (_ for _ in ()).throw(OSError(28, os.strerror(28))))
    with pytest.raises(ConfigurationError, match=r"-o \S+merged cannot be written: No space left on device; name a folder"):
        small.merge(folders)
    assert files_in(into) == whole
    assert left_beside(small) == []


def test_what_others_put_into_the_output_stays_and_old_verdicts_go(small: Matrix) -> None:
    folders, into = small.shards(2), small.root / "merged"
    small.merge(folders)
    whole = files_in(into)
    (into / "report").mkdir()
    (into / "report" / "index.html").write_text("page")
    shutil.copy(into / "ada" / "nvfp4" / "q-a.verdict.json", into / "ada" / "nvfp4" / "q-a.length.verdict.json")
    small.merge(folders)
    assert files_in(into) == whole | {"report/index.html": b"page"}


def test_an_output_that_cannot_be_written_is_one_sentence(small: Matrix) -> None:
    folders = small.shards(2)
    with pytest.raises(
        ConfigurationError, match=r"^-o \S+merged cannot be written: (Not a directory|File exists)[^;\n]*; name a folder of yours.*$"
    ):
        small.merge(folders, "models.toml/merged")


def test_a_read_only_file_system_is_one_sentence(small: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(ConfigurationError, match=r"^-o \S+merged cannot be written: Read-only file system; name a folder"):
        small.merge(small.shards(2))
