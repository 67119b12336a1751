"""Notes of boots, by which a worker knows with which checkpoint another has died: real processes, and real locks."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantgate.server.boots import Boots

ROOT = Path(__file__).parents[2]
WORKER = """
import os, pathlib, sys
from quantgate.server.boots import Boots
boots = Boots(pathlib.Path(sys.argv[1]))
boots.begin("small/nvfp4")
print("begun", flush=True)
said = sys.stdin.readline()
if said == "end\\n":
    boots.end("small/nvfp4")
    print("ended", flush=True)
    sys.stdin.readline()
os._exit(1)
"""


class Worker:
    """Another process that has begun a server of small/nvfp4."""

    def __init__(self, notes: Path) -> None:
        command = [sys.executable, "-c", WORKER, str(notes)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._said() == "begun"

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("end\n")
        self._process.stdin.flush()
        assert self._said() == "ended"

    def die(self) -> None:
        self._process.kill()
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)  # dead, and nobody has asked how yet

    def gone(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[list[Worker]]:
    made = [Worker(tmp_path) for _ in range(2)]
    yield made
    for one in made:
        one.gone()


def test_a_worker_that_lives_or_has_ended_its_server_has_not_died_of_it(workers: list[Worker], tmp_path: Path) -> None:
    mine = Boots(tmp_path)
    mine.begin("small/nvfp4")
    assert mine.died("small/nvfp4") == 0
    workers[0].end()
    workers[0].die()
    assert mine.died("small/nvfp4") == 0
    mine.end("small/nvfp4")
    assert len(list(tmp_path.iterdir())) == 1


def test_each_worker_that_is_killed_beside_its_server_counts_for_that_checkpoint_alone(workers: list[Worker], tmp_path: Path) -> None:
    mine = Boots(tmp_path)
    for number, one in enumerate(workers, 1):
        one.die()
        assert (mine.died("small/nvfp4"), mine.died("small/nvfp4")) == (number, number)
    assert mine.died("small/nvfp") == mine.died("small/nvfp4-x") == mine.died("all/nvfp4") == 0


def test_without_workers_nothing_is_noted() -> None:
    alone = Boots(None)
    alone.begin("small/nvfp4")
    alone.end("small/nvfp4")
    assert alone.died("small/nvfp4") == 0


def test_a_checkpoint_that_is_booted_again_has_one_note(tmp_path: Path) -> None:
    mine = Boots(tmp_path / "notes")
    assert mine.died("small/nvfp4") == 0
    for _ in range(2):
        mine.begin("small/nvfp4")
    assert len(list((tmp_path / "notes").iterdir())) == 1
    mine.end("small/nvfp4")
    mine.end("small/nvfp4")
    assert list((tmp_path / "notes").iterdir()) == []
