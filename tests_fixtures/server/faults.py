"""Faults that a host can do to a run, each done for real to pytest with a vLLM of its own: what the user sees, and what is left.

    python -m tests_fixtures.server.faults --times 5            # every fault five times; --only NAME, --jobs 2, --out FILE, --gpu 0

A run is marked in its environment, which all its processes inherit; survivors are processes with that mark 15 seconds
after pytest has gone, whoever their parents are by then. Also counted: what is left in the temporary folder and in /dev/shm.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from tests_fixtures.server.fault_run import Run

PIPE_BUFFER = 4096
MOUNT, UMOUNT = shutil.which("mount") or "mount", shutil.which("umount") or "umount"


class Outcome(msgspec.Struct):
    """One fault, once.

    `seconds_to_gone`: from pytest's end to the last process's, `noticed_seconds`: from the fault to the test's failure,
    `left_gib`: device memory in use then, less what was before (0 on a CPU).
    """

    fault: str
    code: int | None
    as_expected: bool
    survivors: int
    seconds_to_gone: float
    left_on_disk: int
    left_gib: float
    noticed_seconds: float | None
    said: str


Fault = Callable[[ExitStack], tuple[Run, "float | None", Callable[[int, str], bool]]]
"""Starts a run and does it harm: the run, how long it took to be noticed, and whether exit code and output are as they should be."""


def _exit(wanted: int, *patterns: str) -> Callable[[int, str], bool]:
    return lambda code, said: code == wanted and all(re.search(pattern, said) for pattern in patterns)


def success(stack: ExitStack) -> tuple[Run, float | None, Callable[[int, str], bool]]:
    run = Run(stack)
    run.enough()
    return run, None, _exit(0, "2 passed")


def failure(stack: ExitStack) -> tuple[Run, float | None, Callable[[int, str], bool]]:
    run = Run(stack)
    run.enough()
    (run.folder / "fail").touch()
    return run, None, _exit(1, "1 failed, 1 passed")


def _signalled(sign: int, times: int, expected: Callable[[int, str], bool], phase: str | None = None) -> Fault:
    def fault(stack: ExitStack) -> tuple[Run, float | None, Callable[[int, str], bool]]:
        run = Run(stack)
        if phase is None:
            run.until_load()
        else:
            run.until_phase(phase)
        for _ in range(times):
            os.kill(run.process.pid, sign)
            time.sleep(0.3)
        return run, None, expected

    return fault


def worker_killed(stack: ExitStack) -> tuple[Run, float | None, Callable[[int, str], bool]]:
    run = Run(stack, ("-n", "2", "--gpu=cpu:0,cpu:1"), ("bf16", "fp8"))
    worker, _ = run.until_load()
    os.kill(worker, signal.SIGKILL)
    run.enough()
    return run, None, _exit(1, "crashed while running", r"1 failed, [34] passed")


def _server_harmed(part: str, sign: int, *patterns: str) -> Fault:
    def fault(stack: ExitStack) -> tuple[Run, float | None, Callable[[int, str], bool]]:
        run = Run(stack)
        _, server = run.until_load()
        os.kill(server if part == "server" else run.engine(server), sign)
        harmed = time.monotonic()
        seconds = run.noticed() - harmed
        run.enough()
        return run, seconds, _exit(1, "1 failed, 1 passed", "booted again", *patterns)

    return fault


def server_killed_at_boot(stack: ExitStack) -> tuple[Run, float | None, Callable[[int, str], bool]]:
    run = Run(stack)
    run.until_phase("starting the engine")
    run.wait_for(lambda: bool(run.spawned()), "the engine's process")
    os.kill(run.spawned()[0], signal.SIGKILL)
    run.enough()
    return run, None, _exit(1, "1 passed, 1 error", "did not boot", "booted again")


@contextmanager
def tmpfs(folder: Path, options: str) -> Iterator[Path]:
    folder.mkdir(parents=True)
    subprocess.run([MOUNT, "-t", "tmpfs", "-o", options, "quantgate", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run([UMOUNT, "-l", str(folder)], check=True)


def disk_full(stack: ExitStack) -> tuple[Run, float | None, Callable[[int, str], bool]]:
    """A disk that fills up while a test measures: of its records only, the log is on it too."""
    where = stack.enter_context(tmpfs(Path(tempfile.mkdtemp(prefix="full-")) / "records", "size=256k"))
    run = Run(stack, (f"--records={where}", "--with-gate"))
    run.records = where
    run.until_load()
    filler = os.open(where / "filler", os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):  # full
        while os.write(filler, b"\0" * PIPE_BUFFER):
            pass
    os.close(filler)
    run.enough()
    return run, None, _exit(1, "1 failed, 1 passed", "No space left on device", r"reference/bf16 reference-questions since its approval")


def not_writable(stack: ExitStack) -> tuple[Run, float | None, Callable[[int, str], bool]]:
    where = stack.enter_context(tmpfs(Path(tempfile.mkdtemp(prefix="readonly-")) / "records", "ro,size=64k"))
    return Run(stack, (f"--records={where}",)), None, _exit(4, r"ERROR: --records=\S+ cannot be written: Read-only file system")


def port_taken(stack: ExitStack) -> tuple[Run, float | None, Callable[[int, str], bool]]:
    run = Run(stack, ("--port-taken",))
    run.enough()
    return run, None, _exit(0, "2 passed")


INTERRUPTED = _exit(2, "KeyboardInterrupt|no tests ran|Interrupted")


def _dead_by(sign: int) -> Callable[[int, str], bool]:
    return lambda code, _: code == -sign


FAULTS: dict[str, Fault] = {
    "success": success,
    "failure": failure,
    "Ctrl-C": _signalled(signal.SIGINT, 1, INTERRUPTED),
    "Ctrl-C twice": _signalled(signal.SIGINT, 2, lambda code, _: code != 0),
    "SIGTERM": _signalled(signal.SIGTERM, 1, _dead_by(signal.SIGTERM)),
    "kill -9 of pytest during a load": _signalled(signal.SIGKILL, 1, _dead_by(signal.SIGKILL)),
    "kill -9 of an xdist worker": worker_killed,
    "kill -9 of the API server": _server_harmed("server", signal.SIGKILL, "killed by signal 9"),
    "kill -9 of the engine core": _server_harmed("engine", signal.SIGKILL, "reference/bf16 died"),
    "engine hangs (SIGSTOP)": _server_harmed("engine", signal.SIGSTOP, "reference/bf16 hangs: no token for"),
    "kill -9 of pytest during boot": _signalled(signal.SIGKILL, 1, _dead_by(signal.SIGKILL), "starting the engine"),
    "kill -9 of pytest during warm-up": _signalled(signal.SIGKILL, 1, _dead_by(signal.SIGKILL), "sizing the KV cache"),
    "Ctrl-C during boot": _signalled(signal.SIGINT, 1, INTERRUPTED, "starting the engine"),
    "kill -9 of the engine core during boot": server_killed_at_boot,
    "disk full for records": disk_full,
    "log folder not writable": not_writable,
    "port taken between choice and bind": port_taken,
}


def do(name: str) -> Outcome:
    """One fault, once, with what came of it."""
    with ExitStack() as stack:
        try:
            run, noticed, expected = FAULTS[name](stack)
            code = run.end()
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            return Outcome(name, None, False, 0, 0.0, 0, 0.0, None, str(error))
        survivors, seconds = run.gone()
        said = run.said()
        right = expected(code, said)
        left = run.left_on_disk()
        end = "\n".join(said.splitlines()[-40:])
        return Outcome(
            name, code, right, survivors, round(seconds, 1), left, round(run.left_gib(), 2), noticed, "" if right and not survivors else end
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--only", action="append", choices=list(FAULTS))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--gpu", default="cpu")
    options = parser.parse_args()
    Run.gpu = options.gpu
    # A shell that starts us in the background has us ignore it, and so would every pytest that we start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    wanted = [name for _ in range(options.times) for name in options.only or FAULTS]
    found: list[Outcome] = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for outcome in pool.map(do, wanted):
            found.append(outcome)
            word = "as expected" if outcome.as_expected else f"NOT as expected:\n{outcome.said}\n"
            left = f"{outcome.survivors} survivors, {outcome.left_gib} GiB left"
            print(f"{outcome.fault}: exit {outcome.code}, {left}, {outcome.seconds_to_gone} s, {word}", flush=True)
            if options.out:
                options.out.write_text(json.dumps(msgspec.to_builtins(found), indent=1), encoding="utf-8")
    _print(found)
    return 0 if all(one.as_expected and not one.survivors and not one.left_on_disk for one in found) else 1


def _print(found: list[Outcome]) -> None:
    from rich.console import Console
    from rich.table import Table

    heads = ("times", "as expected", "survivors", "GiB left", "left on disk", "gone after (s, at most)", "noticed after (s, at most)")
    table = Table("fault", *heads)
    for name in dict.fromkeys(one.fault for one in found):
        mine = [one for one in found if one.fault == name]
        noticed = [one.noticed_seconds for one in mine if one.noticed_seconds is not None]
        counts = [len(mine), sum(one.as_expected for one in mine), sum(one.survivors for one in mine)]
        left = [max(one.left_gib for one in mine), sum(one.left_on_disk for one in mine), max(one.seconds_to_gone for one in mine)]
        table.add_row(name, *map(str, [*counts, *left]), f"{max(noticed):.1f}" if noticed else "")
    Console(width=140).print(table)


if __name__ == "__main__":
    sys.exit(main())
