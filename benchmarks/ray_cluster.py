"""A Ray of several nodes on this machine, each with ports, folders and a slot of its own, and everything that a node runs by its mark."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

MARK = "QUANTGATE_RAY_NODE"
RAY = str(Path(sys.executable).with_name("ray"))
START_SECONDS = 120.0
OURS = ("quantgate.fan_out.keeper", "pytest", "vllm", "VLLM")
STORE_BYTES = 80_000_000


class Node:
    """`name` is its mark, which all that it starts inherits. The first has the head, and `client` is its address for one."""

    def __init__(self, name: str, folder: Path, number: int, head: str | None) -> None:
        self.name, self.is_head = name, head is None
        ports = 21_000 + 200 * number
        told = [f"--min-worker-port={ports}", f"--max-worker-port={ports + 150}", '--resources={"slot": 1}', "--num-cpus=1"]
        told += [
            "--disable-usage-stats",
            "--node-ip-address=127.0.0.1",
            f"--object-store-memory={STORE_BYTES}",
            f"--temp-dir={folder / name}",
        ]
        port = free_port() if head is None else 0
        client = free_port()
        where = ["--head", f"--port={port}", "--include-dashboard=false", f"--ray-client-server-port={client}"]
        self.client = f"ray://127.0.0.1:{client}"
        self.address = head or f"127.0.0.1:{port}"
        env = os.environ | {MARK: f"{folder.name}-{name}", "QUANTGATE_LOCKS": str(folder / f"locks-{name}")}
        self.mark = f"{folder.name}-{name}"
        command = [RAY, "start", *(where if head is None else [f"--address={head}"]), *told]
        started = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=START_SECONDS)
        if started.returncode:
            raise SystemExit(f"{' '.join(command)}: {started.stdout[-2000:]}{started.stderr[-2000:]}")

    def processes(self) -> dict[int, str]:
        """Pid → command line, of all that is the node's."""
        return marked(self.mark)

    def tests(self) -> dict[int, str]:
        """Those of them that are no Ray's: keepers, pytests, servers."""
        return {pid: line for pid, line in self.processes().items() if any(word in line for word in OURS)}

    def kill_raylet(self) -> None:
        for pid, line in self.processes().items():
            if line.split(" ")[0].endswith("/raylet"):
                os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        """All of it at once, as when the machine goes."""
        for _ in range(3):
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def marked(mark: str) -> dict[int, str]:
    found = dict[int, str]()
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{MARK}={mark}".encode() in (place / "environ").read_bytes().split(b"\0"):
                found[int(place.name)] = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return {pid: line for pid, line in found.items() if line}


def cluster(folder: Path, names: Sequence[str]) -> list[Node]:
    """The first is the head."""
    nodes: list[Node] = []
    try:
        for number, name in enumerate(names):
            nodes.append(Node(name, folder, number, nodes[0].address if nodes else None))
    except BaseException:
        for node in nodes:
            node.kill()
        raise
    return nodes


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def until_none(nodes: Sequence[Node], seconds: float) -> tuple[float, dict[int, str]]:
    """How long it took until no test of these nodes was left, and what was left at the end."""
    began = time.monotonic()
    while (left := {pid: line for node in nodes for pid, line in node.tests().items()}) and time.monotonic() - began < seconds:
        time.sleep(0.2)
    return time.monotonic() - began, left
