"""One process for the engine: vLLM is imported there once, each checkpoint is read in a child of it, and what takes too long is killed."""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from quantgate.checkpoint.engine.answer import Answer
from quantgate.errors import ConfigurationError
from quantgate.registry import Serve

LIMIT_SECONDS = 300.0
MEMORY_GIB = 8.0
POLL_SECONDS = 0.2
LOG_LINES, LOG_LETTERS = 3, 400
HERE = Path(__file__).parent
RUN = "import runpy, sys; sys.path.append(sys.argv[1]); runpy.run_module('engine_probe', run_name='__main__')"
HIDDEN = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "QUANTGATE_API_KEY"}
"""Secrets, of which reading a folder needs none."""
OWN = {"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"}
"""Of this interpreter, and no use to another one."""


def as_served(serve: Serve) -> list[str]:
    """What of a checkpoint's `serve` says how its weights are read."""
    return ["--dtype", serve.dtype, *(["--trust-remote-code"] if serve.trust_remote_code else []), *serve.args]


class Engine:
    """`python`: the interpreter whose vLLM is asked, this one's if None. Limits are for one checkpoint, imports included."""

    def __init__(self, python: Path | None = None, limit_seconds: float = LIMIT_SECONDS, memory_gib: float = MEMORY_GIB) -> None:
        self.python, self.limit_seconds, self.memory_gib = python, limit_seconds, memory_gib
        self._process: subprocess.Popen[bytes] | None = None
        self._scratch = Path(tempfile.mkdtemp(prefix="quantgate-engine-"))
        self._asked = 0
        self._lines = b""

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process and its children; nothing of it stays."""
        self._kill()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def ask(self, folder: Path, args: Sequence[str] = (), env: Mapping[str, str] | None = None) -> Answer:
        """`args` are those of `vllm serve`, as the checkpoint is served; of them only what concerns the model counts.

        Raises ConfigurationError where the interpreter has no vLLM.
        """
        process = self._process if self._process is not None and self._process.poll() is None else self._start()
        self._asked += 1
        file = self._scratch / f"answer-{self._asked}.json"
        request = {"folder": str(folder.resolve()), "args": list(args), "env": dict(env or {}), "answer": str(file)}
        if ended := self._wait(process, json.dumps(request).encode() + b"\n"):
            self._kill()
        known = msgspec.json.decode(file.read_bytes(), type=Answer) if file.is_file() else Answer()
        if known.error is not None and known.error.text == "No module named 'vllm'":
            raise ConfigurationError(f"{self.python or sys.executable} cannot import vLLM ({known.error.text}); name a Python that has it")
        return msgspec.structs.replace(known, ended=ended)

    def _start(self) -> "subprocess.Popen[bytes]":
        self._kill()
        hidden = HIDDEN | (OWN if self.python is not None else set())
        env = {name: value for name, value in os.environ.items() if name not in hidden and not name.startswith("VLLM_")}
        self._lines = b""
        with self._log.open("wb") as log:
            try:
                self._process = subprocess.Popen(
                    [str(self.python or sys.executable), "-c", RUN, str(HERE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=log, cwd=self._scratch, env=env | {"TMPDIR": str(self._scratch)}, start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise ConfigurationError(f"{self.python} cannot be started ({error.strerror}); name a Python that has vLLM") from None
        return self._process

    @property
    def _log(self) -> Path:
        return self._scratch / "log"

    def _wait(self, process: "subprocess.Popen[bytes]", request: bytes) -> str:
        """Empty once the answer is there, or why there is none."""
        assert process.stdin is not None
        deadline, child = time.monotonic() + self.limit_seconds, 0
        with contextlib.suppress(BrokenPipeError):  # its end is seen below
            process.stdin.write(request)
            process.stdin.flush()
        while (told := self._line(process)) is not None:
            child = told.get("pid", child)
            if (code := told.get("exit")) is not None:
                return f"it {_exit(code)} ({self._last_words()})" if code else ""
            if time.monotonic() > deadline:
                return f"it took longer than {self.limit_seconds:g} s"
            if child and (gib := _private_gib(child)) > self.memory_gib:
                return f"it took {gib:.1f} GiB of memory, of {self.memory_gib:g} allowed"
        return f"its process ended ({self._last_words()})"

    def _line(self, process: "subprocess.Popen[bytes]") -> dict[str, int] | None:
        """The next line of the process, {} where there is none yet, None once it is gone."""
        assert process.stdout is not None
        if b"\n" not in self._lines:
            if not select.select([process.stdout], [], [], POLL_SECONDS)[0]:
                return {}
            if not (read := os.read(process.stdout.fileno(), 1 << 16)):
                return None
            self._lines += read
        line, found, rest = self._lines.partition(b"\n")
        if not found:
            return {}
        self._lines = rest
        return msgspec.json.decode(line, type=dict[str, int])

    def _last_words(self) -> str:
        lines = [line.strip() for line in self._log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        return " / ".join(lines[-LOG_LINES:])[-LOG_LETTERS:] or "without a word"

    def _kill(self) -> None:
        if (process := self._process) is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()
        self._process = None


def _exit(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _private_gib(pid: int) -> float:
    """Memory that is no mapped file, of which the kernel can take back every page; 0 where it cannot be told."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        return int(status.partition("RssAnon:")[2].split()[0]) / (1 << 20)
    return 0.0
