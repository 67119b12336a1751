"""A run of pytest on a project of its own, with a vLLM of its own, marked so that nothing of it can hide."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from quantgate import devices, folders
from quantgate.devices import SLACK_GIB, used_gib
from quantgate.server import vllm_log
from tests_fixtures.doubles.marked import Marked

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "fixtures" / "reference"
GONE_SECONDS, WAIT_SECONDS, POLL_SECONDS = 15.0, 300.0, 0.1
MODELS = """
[[family]]
name = "reference"
suites = ["reference-questions"]
tolerance.bf16 = {{ accuracy_points = 2.0 }}
tolerance.fp8 = {{ accuracy_points = 2.0 }}
"""
CHECKPOINT = """
[[family.checkpoint]]
name = "{name}"
precision = "{name}"
path = "{path}"
serve = {{ max_model_len = 1024, max_num_seqs = 32, max_num_batched_tokens = 2048, hang_seconds = 6, enforce_eager = true }}
"""
CONFTEST = """
import pathlib, socket, time
import pytest
from quantgate.server import server

pytest_plugins = ["fixtures.plugin"]
taken = []

def pytest_addoption(parser):
    parser.addoption("--port-taken", action="store_true")
    parser.addoption("--with-gate", action="store_true")

def pytest_runtest_logreport(report):
    if report.failed:
        (pathlib.Path(__file__).parent / "failed").write_text(str(time.monotonic()))

def pytest_configure(config):
    if config.option.port_taken:
        choose = server.reserve_port
        def choose_taken():
            found = choose()
            if not taken:
                port = found.getsockname()[1]
                found.close()
                other = socket.create_server(("127.0.0.1", port))
                taken.append(other)
                class Chosen:
                    def getsockname(self): return ("127.0.0.1", port)
                    def close(self): pass
                return Chosen()
            return found
        server.reserve_port = choose_taken
"""
TESTS = """
import os, pathlib
import pytest
from quantgate.measure import answers, measure_answers

HERE = pathlib.Path(__file__).parent

@pytest.mark.server
def test_load(server, question_suite, case, monkeypatch):
    got = answers.Got

    def first(*arguments):  # an answer has come, and the next ones are under way
        monkeypatch.setattr(answers, "Got", got)
        (HERE / f"ready-{case.checkpoint.name}").write_text(f"{os.getpid()} {server.pid} {server.watchdog_pid}")
        return got(*arguments)

    monkeypatch.setattr(answers, "Got", first)
    while not (HERE / "enough").exists():
        measure_answers(server, question_suite)
    assert not (HERE / "fail").exists(), "as was asked"

@pytest.mark.server
def test_after(server, question_suite, gate, pytestconfig):
    if pytestconfig.option.with_gate:
        gate(measure_answers(server, question_suite))
    server.raise_if_dead()
"""


class Run:
    """pytest on a project of its own, marked."""

    gpu = "cpu"

    def __init__(self, stack: ExitStack, arguments: tuple[str, ...] = (), checkpoints: tuple[str, ...] = ("bf16",)) -> None:
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        self.records = self.folder / "records"
        text = MODELS.format() + "".join(CHECKPOINT.format(name=name, path=REFERENCE / name) for name in checkpoints)
        for name, content in {"models.toml": text, "conftest.py": CONFTEST, "test_it.py": TESTS}.items():
            (self.folder / name).write_text(content, encoding="utf-8")
        (self.folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\n", encoding="utf-8")
        shutil.copytree(ROOT / "baselines", self.folder / "baselines")
        (self.folder / "tmp").mkdir()
        self.mark = stack.enter_context(Marked())
        self.output = self.folder / "output"
        self.slot = devices.select(self.gpu)[0]
        self.gib = used_gib(self.slot) or 0.0
        self.shm = set(os.listdir("/dev/shm"))  # noqa: PTH208, S108
        command = [sys.executable, "-m", "pytest", f"--gpu={self.gpu}", f"--records={self.records}", "-p", "no:cacheprovider", *arguments]
        environment = os.environ | self.mark.variables | {"COLUMNS": "200", "TMPDIR": str(self.folder / "tmp")}
        environment |= {"QUANTGATE_LOCKS": str(self.folder / "locks"), "PYTHONUNBUFFERED": "1"}
        environment |= {"TORCHINDUCTOR_CACHE_DIR": str(folders.compiled())}
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )
        stack.callback(self._clean)

    def _clean(self) -> None:
        self.process.kill()
        self.process.wait()
        for pid in self.marked():
            os.kill(pid, signal.SIGKILL)

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not come in {WAIT_SECONDS:.0f} s; pytest said:\n{self.said()}")
            time.sleep(POLL_SECONDS)

    def until_load(self, name: str = "bf16") -> tuple[int, int]:
        """Pids of the pytest process that measures (a worker under xdist) and of its API server, once a load runs."""
        file = self.folder / f"ready-{name}"
        self.wait_for(lambda: (file.exists() and len(file.read_text().split()) == 3) or self.process.poll() is not None, "the first load")
        pytest_pid, server_pid, _ = file.read_text().split()
        return int(pytest_pid), int(server_pid)

    def until_phase(self, phase: str) -> None:
        log = self.records / "reference" / "bf16" / "server.log"
        self.wait_for(lambda: log.exists() and vllm_log.phase(vllm_log.read(log)) == phase, phase)

    def enough(self) -> None:
        (self.folder / "enough").touch()

    def end(self) -> int:
        return self.process.wait(WAIT_SECONDS)

    def marked(self) -> list[int]:
        return self.mark.alive()

    def engine(self, server_pid: int) -> int:
        """The engine core: the API server's child that has children of its own, or is named so."""
        children = Path(f"/proc/{server_pid}/task/{server_pid}/children").read_text().split()
        return next(int(pid) for pid in children if b"EngineCore" in Path(f"/proc/{pid}/cmdline").read_bytes())

    def spawned(self) -> list[int]:
        """Processes that Python has spawned for the server, before they give themselves names: the engine core comes first."""
        found = [pid for pid in self.marked() if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        return sorted(found)

    def gone(self) -> tuple[int, float]:
        """Survivors after GONE_SECONDS, and how long the last one took to go."""
        started = time.monotonic()
        while (left := self.marked()) or self.left_gib() > SLACK_GIB:
            if time.monotonic() - started > GONE_SECONDS:
                break
            time.sleep(POLL_SECONDS)
        return len(left), time.monotonic() - started

    def left_gib(self) -> float:
        return (used_gib(self.slot) or 0.0) - self.gib

    def left_on_disk(self) -> int:
        """Temporary files, and shared memory that came meanwhile and that no process has open any more."""
        temporary = [one for one in (self.folder / "tmp").iterdir() if not one.name.startswith("pytest-of-")]
        new = {one for one in os.listdir("/dev/shm") if one.startswith("psm_")} - self.shm  # noqa: PTH208, S108
        return len(temporary) + len([one for one in new if not self._is_open(one)])

    @staticmethod
    def _is_open(name: str) -> bool:
        for maps in Path("/proc").glob("[0-9]*/maps"):
            try:
                if name in maps.read_text(encoding="utf-8", errors="replace"):
                    return True
            except OSError:
                continue  # ended meanwhile
        return False

    def noticed(self) -> float:
        """When the first test failed, by the clock that all processes share."""
        file = self.folder / "failed"
        self.wait_for(lambda: file.exists() and file.read_text() != "", "the failure")
        return float(file.read_text())
