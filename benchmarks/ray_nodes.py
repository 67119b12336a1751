"""The matrix over a real Ray of three nodes on this machine, against one node; a node killed in the middle; Ctrl-C; a killed driver.

    python -m benchmarks.ray_nodes --stand-in      # measurements made by hand in a real pytest: three minutes
    python -m benchmarks.ray_nodes                 # the reference family twice, on vLLM's CPU build: half an hour on two cores

Ray has to be there: `uv pip install ray==2.60.0`. Everything lies in a temporary folder; whatever happens, no process is left.
"""

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.ray_cluster import Node, cluster, until_none

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("head", "second", "third")
SETTINGS = "serve = { max_model_len = 1024, max_num_seqs = 32, max_num_batched_tokens = 2048 }"
END_SECONDS = 150.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stand-in", action="store_true", help="measurements made by hand, instead of vLLM")
    parser.add_argument("--only", default="one,three,kill,ctrl-c,driver", help="which parts: one,three,kill,ctrl-c,driver")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="qgray-"))
    parts: dict[str, Callable[[Bench], None]] = {"one": one, "three": three, "kill": kill, "ctrl-c": ctrl_c, "driver": driver}
    try:
        bench = Bench(folder, stand_in=options.stand_in)
        for name in options.only.split(","):
            parts[name](bench)
        return 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Bench:
    """`project` is what is run, by a driver of its own, on a cluster that each part has for itself."""

    def __init__(self, folder: Path, *, stand_in: bool) -> None:
        self.folder, self.stand_in, self.project = folder, stand_in, folder / "project"
        if stand_in:
            from tests_fixtures.doubles.scripted_project import ScriptedProject

            ScriptedProject(self.project, seconds=3.0)
        else:
            real_project(self.project)

    def drive(self, nodes: list[Node], name: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "quantgate", "fan-out", f"--on={nodes[0].address}", "--gpu=cpu", "--resource=slot", "--family=all"]
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [*command, "-o", str(self.into(name))],
                cwd=self.project,
                env={key: value for key, value in os.environ.items() if not key.startswith("RAY_")},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def into(self, name: str) -> Path:
        return self.folder / f"out-{name}"

    def tell(self, name: str, lines: int = 60) -> None:
        said = (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace").splitlines()
        print(*(f"    {line}" for line in said[-lines:]), sep="\n", flush=True)

    def records(self, name: str, below: str = "units/*/records") -> dict[str, str]:
        """Key → digest."""
        found = [
            file for file in self.into(name).glob(f"{below}/*/*/*.json") if ".verdict." not in file.name and file.parent.name != "junit"
        ]
        return {
            f"{file.parent.parent.name}/{file.parent.name}:{file.stem}": hashlib.sha256(file.read_bytes()).hexdigest() for file in found
        }


def real_project(project: Path) -> None:
    """The checkout's own, with the reference family under two names."""
    project.mkdir()
    for name in ("conftest.py", "pyproject.toml", "tests_accuracy", "tests_quant", "tests_throughput", "fixtures", "quantgate"):
        (project / name).symlink_to(ROOT / name)
    rows = (ROOT / "models.toml").read_text(encoding="utf-8").split("[[family]]")[:1]
    for family in ("ada", "bell"):
        rows.append(
            f'[[family]]\nname = "{family}"\nsuites = ["reference-text", "reference-questions"]\ntolerance.nvfp4.accuracy_points = 4.0\n'
        )
        for precision in ("bf16", "fp8", "nvfp4"):
            place = f'path = "{ROOT}/fixtures/reference/{precision}"'
            rows.append(f'[[family.checkpoint]]\nname = "{precision}"\nprecision = "{precision}"\n{place}\n{SETTINGS}\n')
        for file in (ROOT / "baselines" / "cpu" / "reference").rglob("*"):
            if file.is_file() and file.name != "history.jsonl":
                target = project / "baselines" / "cpu" / family / file.relative_to(ROOT / "baselines" / "cpu" / "reference")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes().replace(b'"family": "reference"', f'"family": "{family}"'.encode()))
    (project / "models.toml").write_text("\n".join(rows), encoding="utf-8")


def one(bench: Bench) -> None:
    whole(bench, "one", NAMES[:1])


def three(bench: Bench) -> None:
    whole(bench, "three", NAMES)


def whole(bench: Bench, name: str, names: tuple[str, ...]) -> None:
    nodes = cluster(bench.folder, names)
    try:
        began = time.monotonic()
        code = bench.drive(nodes, name).wait()
        seconds = time.monotonic() - began
        print(
            f"{name}: {len(names)} nodes: {seconds:.0f} s, exit code {code}, {len(bench.records(name, 'records'))} records merged",
            flush=True,
        )
        bench.tell(name)
    finally:
        end(nodes)


def kill(bench: Bench) -> None:
    """One that has a record and goes on to the next; its raylet alone first would be noticed by itself, so all of it goes."""
    nodes = cluster(bench.folder, NAMES)
    try:
        began, process = time.monotonic(), bench.drive(nodes, "kill")
        victim, before = None, dict[str, str]()
        while process.poll() is None and victim is None:
            time.sleep(0.2)
            before = bench.records("kill")
            half = {
                key.partition(":")[0] for key in before if sum(other.partition(":")[0] == key.partition(":")[0] for other in before) == 1
            }
            victim = next((node for node in nodes[1:] if any(is_at(line, half) for line in node.tests().values())), None)
        if victim is not None:
            count = len(victim.processes())
            victim.kill()
            when = time.monotonic() - began
            print(
                f"kill: node {victim.name} ({count} processes) killed with -9 after {when:.0f} s, {len(before)} records there", flush=True
            )
        code = process.wait()
        after = bench.records("kill")
        merged = bench.records("kill", "records")
        same = sum(after.get(key) == digest for key, digest in before.items())
        seconds = time.monotonic() - began
        print(f"kill: {seconds:.0f} s, exit code {code}; {len(merged)} records merged; of {len(before)} from before {same} are the same")
        bench.tell("kill")
    finally:
        end(nodes)


def is_at(line: str, units: set[str]) -> bool:
    return "pytest" in line and any(f"--family={unit.partition('/')[0]} --checkpoint={unit.partition('/')[2]} " in line for unit in units)


def ctrl_c(bench: Bench) -> None:
    stopped(bench, "ctrl-c", signal.SIGINT)


def driver(bench: Bench) -> None:
    stopped(bench, "driver", signal.SIGKILL)


def stopped(bench: Bench, name: str, number: signal.Signals) -> None:
    """The driver gets a signal while tests run on all nodes; how long it takes until none of them is left."""
    folders, nodes = unit_folders(), cluster(bench.folder, NAMES)
    try:
        process = bench.drive(nodes, name)
        while process.poll() is None and not all(busy(node, stand_in=bench.stand_in) for node in nodes):
            time.sleep(0.2)
        there = sum(len(node.tests()) for node in nodes)
        process.send_signal(number)
        began = time.monotonic()
        code = process.wait()
        ended = time.monotonic() - began
        seconds, left = until_none(nodes, END_SECONDS)
        told = f"{there} processes of tests ran; the driver ended after {ended:.1f} s with {code}"
        print(
            f"{name}: {number.name}: {told}; none of them was left {ended + seconds:.1f} s after it"
            if not left
            else f"{name}: left: {left}"
        )
        print(f"{name}: {len(unit_folders() - folders)} folders of units are left", flush=True)
        bench.tell(name, 12)
    finally:
        end(nodes)


def unit_folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("quantgate-unit-*"))


def busy(node: Node, *, stand_in: bool) -> bool:
    lines = list(node.tests().values())
    return any("pytest" in line for line in lines) if stand_in else any("EngineCore" in line for line in lines)


def end(nodes: list[Node]) -> None:
    for node in reversed(nodes):
        node.kill()
    _, left = until_none(nodes, 10.0)
    if left:
        print(f"left behind: {left}")


if __name__ == "__main__":
    sys.exit(main())
