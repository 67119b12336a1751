"""A Slurm of two nodes on this machine, for as long as a program wants it.

munged, slurmctld and a slurmd a node come out of the distribution's packages (Debian: slurm-wlm), with a configuration of their own in a
temporary folder. The machine's configuration is left alone, and no process stays behind.
"""

import contextlib
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

NODES = ("node1", "node2")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel")
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])  # where Debian has the three that serve
CONFIGURATION = """
ClusterName=quantgate
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
KillWait=20
MinJobAge=86400
SchedulerParameters=batch_sched_delay=1
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdSpoolDir={folder}/spool-%n
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/%n.log
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/completed.txt
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=1
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1
PartitionName=all Nodes=node1,node2 Default=YES MaxTime=INFINITE State=UP
"""
"""`cred_expire`: a requeued task waits until its first credential is void, two minutes by default. `MinJobAge`: how long Slurm tells
of a job that has ended, five minutes by default."""


def missing() -> list[str]:
    """Of Slurm's programs those that are not here."""
    return [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which Slurm's commands mean this cluster. `folder`: a new one, with a short path (munge's socket)."""
    environment = {**os.environ, "PATH": PATH, "SLURM_CONF": str(folder / "slurm.conf")}
    _configure(folder)
    socket_file = folder / "munge" / "socket"
    munged = ["munged", "--foreground", "--force", f"--key-file={folder}/munge/key", f"--socket={socket_file}"]
    munged += [f"--{name}-file={folder}/munge/{name}" for name in ("pid", "log", "seed")]
    started = list[subprocess.Popen[bytes]]()
    try:
        started.append(_start(munged, folder, environment))
        until(socket_file.exists, "munged's socket", 10)
        started.append(_start(["slurmctld", "-D"], folder, environment))
        started += [_start(["slurmd", "-D", "-N", node], folder, environment) for node in NODES]
        until(lambda: asked(["sinfo", "-h", "-N", "-o", "%T"], environment).split() == ["idle"] * len(NODES), "two idle nodes", 60)
        yield environment
    finally:
        _stop(started, folder, environment)


def _configure(folder: Path) -> None:
    for name in ("munge", "state", *(f"spool-{node}" for node in NODES)):
        (folder / name).mkdir(parents=True, mode=0o700)
    key = folder / "munge" / "key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    folder.chmod(0o755)  # munged refuses a socket that clients could not reach
    (folder / "munge").chmod(0o755)
    with contextlib.ExitStack() as stack:  # all three at once, so that they differ
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        ports = [one.getsockname()[1] for one in taken]
    text = CONFIGURATION.format(folder=folder, host=socket.gethostname().split(".")[0], user=getpass.getuser(), ports=ports)
    (folder / "slurm.conf").write_text(text.lstrip(), encoding="utf-8")


def _start(command: Sequence[str], folder: Path, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """In a session of its own: Ctrl-C is for this program, which needs Slurm to end its jobs."""
    program = shutil.which(command[0], path=PATH) or command[0]
    with (folder / f"{command[0]}.out").open("ab") as output:
        return subprocess.Popen(
            [program, *command[1:]],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )


def _stop(started: Sequence["subprocess.Popen[bytes]"], folder: Path, environment: dict[str, str]) -> None:
    """Jobs first, while there is somebody to end them; then nodes, controller and munge; then whatever has outlived them."""
    with contextlib.suppress(TimeoutError, RuntimeError, subprocess.SubprocessError, OSError):
        asked(["scancel", f"--user={getpass.getuser()}"], environment)
        until(lambda: not asked(["squeue", "-h"], environment), "no job left", 120)
    for process in reversed(started):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in left(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        with contextlib.suppress(TimeoutError):
            until(lambda: not left(folder), "their end", 30)


def left(folder: Path) -> dict[int, str]:
    """Pid → command line of the processes that name the folder in their environment or arguments, or stand in it; this one apart."""
    found, wanted = dict[int, str](), os.fsencode(folder)
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (process / "cmdline").read_bytes()
            where = os.fsencode((process / "cwd").readlink())
            if int(process.name) != os.getpid() and line and wanted in b"\0".join([line, where, (process / "environ").read_bytes()]):
                found[int(process.name)] = line.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def asked(command: Sequence[str], environment: dict[str, str]) -> str:
    """What one of Slurm's commands says. One that fails is asked again: on a busy machine controller and munge may be late.

    Raises RuntimeError with what it says the fifth time: no answer is no empty queue.
    """
    program = shutil.which(command[0], path=PATH) or command[0]
    for attempt in range(5):
        done = subprocess.run([program, *command[1:]], env=environment, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode == 0:
            break
        time.sleep(attempt)
    else:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def until(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Raises TimeoutError where it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.2)
