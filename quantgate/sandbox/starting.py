"""How a program is started, in bubblewrap or as it is, and how it is ended with all that it started."""

import contextlib
import io
import json
import os
import selectors
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from quantgate.errors import MeasurementError
from quantgate.sandbox import bubblewrap
from quantgate.sandbox.interpreter import ENVIRONMENT, FLAGS, base_interpreter
from quantgate.sandbox.limits import MIB, Limits

INSIDE = Path(__file__).with_name("inside.py")
GONE_WITHIN_S = 60  # SIGKILL to a namespace takes milliseconds; a minute means a process that the kernel cannot end


@contextlib.contextmanager
def sandboxed(source: str, limits: Limits, fds: dict[str, int], output: int) -> Iterator["Ending"]:
    """Start it in bubblewrap. `fds`: what inside.py says it through, and where the token lies."""
    with contextlib.ExitStack() as stack:
        info, info_to = pipe(stack)
        block, block_to = pipe(stack)
        texts = {"inside": _text(stack, INSIDE.read_bytes()), "program": _text(stack, _encoded(source))}
        files = {**texts, "info": info_to.fileno(), "block": block.fileno()}
        setup = {"program": "/program.py", "limits": rlimits(limits, limits.processes), **fds}
        command = [*bubblewrap.command(base_interpreter(), limits, files), json.dumps(setup)]
        # Its first process is bwrap itself, whose environment can be read inside as /proc/1/environ.
        process = _start(command, output, (*files.values(), *fds.values()), cwd="/", env={"PATH": bubblewrap.TOOLS})
        info_to.close()
        ending = Ending(process, _first_process(info.fileno()))
        stack.callback(ending.end)
        block_to.write(b"!")  # bwrap waits for it, so that the clock starts when all is ready
        yield ending


@contextlib.contextmanager
def plain(source: str, limits: Limits, fds: dict[str, int], output: int) -> Iterator["Ending"]:
    """Start it without a sandbox; what leaves its process group lives on."""
    with contextlib.ExitStack() as stack:
        # A program without a sandbox may make what it likes in here, so clearing up after it may fail.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="quantgate-unsafe-", ignore_cleanup_errors=True)))
        (folder / "program.py").write_bytes(_encoded(source))
        (work := folder / "work").mkdir()
        setup = {"program": str(folder / "program.py"), "limits": rlimits(limits, limits.processes + _tasks_of_this_user()), **fds}
        command = [str(base_interpreter().executable), *FLAGS, str(INSIDE), json.dumps(setup)]
        process = _start(command, output, tuple(fds.values()), cwd=str(work), env={**ENVIRONMENT, "HOME": str(work), "TMPDIR": str(work)})
        ending = Ending(process, None)
        stack.callback(ending.end)
        yield ending


def _start(command: list[str], output: int, fds: tuple[int, ...], cwd: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
    streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
    return subprocess.Popen(command, **streams, pass_fds=fds, cwd=cwd, env=env, start_new_session=True)  # type: ignore[call-overload,no-any-return] # streams


class Ending:
    """Ends a program and waits until it is gone; `first` is the namespace's first process, with which all others in it end."""

    def __init__(self, process: subprocess.Popen[bytes], first: int | None) -> None:
        self.process, self.first, self.done = process, first, False

    def end(self) -> int:
        """Return the exit code as a shell shows it; when called again, only that."""
        if not self.done:
            self.done = True
            self._kill()
        code = self.process.wait(GONE_WITHIN_S)
        return 128 - code if code < 0 else code

    def _kill(self) -> None:
        if self.first is not None:
            with os.fdopen(self.first), selectors.DefaultSelector() as selector:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self.first, signal.SIGKILL)
                selector.register(self.first, selectors.EVENT_READ)  # readable when the process, and so its whole namespace, has ended
                if not selector.select(GONE_WITHIN_S):
                    late = f"{GONE_WITHIN_S} s after SIGKILL"
                    raise MeasurementError(
                        f"a generated program was still there {late}: see `ps` for processes in state D, and end what holds them"
                    )
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # its number is still its own: nobody has waited for it yet


def _first_process(info: int) -> int | None:
    """Return a pidfd of the namespace's first process, or None where bwrap ended without having made one."""
    told = b""
    while b"}" not in told and (more := os.read(info, 4096)):
        told += more
    try:
        return os.pidfd_open(json.loads(told)["child-pid"])
    except (ValueError, ProcessLookupError):  # nothing was told, or it is gone by now
        return None


def rlimits(limits: Limits, processes: int) -> dict[str, tuple[int, int]]:
    """Return each limit by its name in `resource`: soft, hard."""
    return {
        "RLIMIT_AS": (limits.memory_mib * MIB,) * 2,
        "RLIMIT_CPU": (limits.cpu_s, limits.cpu_s + 1),  # SIGXCPU, which tells why; a second later SIGKILL
        "RLIMIT_NPROC": (processes,) * 2,
        "RLIMIT_NOFILE": (limits.open_files,) * 2,
        "RLIMIT_FSIZE": (limits.file_mib * MIB,) * 2,
        "RLIMIT_CORE": (0, 0),
    }


def _tasks_of_this_user() -> int:
    """How many processes and threads this user has: outside of a user namespace RLIMIT_NPROC counts them all."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile
            count += len(list((folder / "task").iterdir())) if folder.stat().st_uid == os.getuid() else 0
    return count


def _encoded(source: str) -> bytes:
    return source.encode("utf-8", "backslashreplace")  # a lone surrogate out of a model's JSON is no reason to stop


def pipe(stack: contextlib.ExitStack) -> tuple[io.FileIO, io.FileIO]:
    # Files and not numbers: closed a second time, a number may be another thread's by then.
    read, write = os.pipe()
    return stack.enter_context(io.FileIO(read, "rb")), stack.enter_context(io.FileIO(write, "wb"))


def _text(stack: contextlib.ExitStack, data: bytes) -> int:
    file = stack.enter_context(io.FileIO(os.memfd_create("quantgate"), "wb+"))
    file.write(data)
    file.seek(0)
    return file.fileno()
