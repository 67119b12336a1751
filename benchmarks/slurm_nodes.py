"""A matrix over a real Slurm of two nodes on this machine, one task of it requeued in the middle: what became of it.

Two families, made of the reference family: BF16, FP8 and NVFP4 of each, a text and questions, on vLLM's CPU build. Slurm comes out of the
distribution (apt-get install slurm-wlm) and is configured in a temporary folder by `slurm_cluster.py`.

    python -m benchmarks.slurm_nodes [--stand-in] [--keep DIR] [--resume DIR] [--minutes 30]

`--stand-in`: measurements made by hand in a real pytest, two seconds each, instead of vLLM.

Exit code 0: every record is there once, the requeued task has run twice and kept what it had, the merge is green, nothing is left running.
"""

import argparse
import hashlib
import itertools
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.slurm_cluster import PATH, asked, cluster, left, missing, until
from quantgate.fan_out import SlurmAsked, run_slurm
from quantgate.records import unfinished_of
from tests_fixtures.doubles import scripted_project as scripted

ROOT = Path(__file__).resolve().parents[1]
FAMILIES = ("first", "second")
SUITES = ("reference-text", "reference-questions")
PRECISIONS = ("bf16", "fp8", "nvfp4")
SERVE = "{ max_model_len = 1024, max_num_seqs = 32, max_num_batched_tokens = 2048 }"
TOLERANCE = """
[tolerance]
bf16 = { accuracy_points = 2.0, perplexity_ratio = 1.01 }
fp8 = { accuracy_points = 2.0, perplexity_ratio = 1.02 }
nvfp4 = { accuracy_points = 4.0, perplexity_ratio = 1.05 }
"""
REQUEUED = 2
SHOWN = ("JobState", "Restarts", "ExitCode", "NodeList", "RunTime", "StartTime", "EndTime")


class Matrix(NamedTuple):
    """Where it lies, and what is asked of it; whether a suite that was interrupted goes on in its middle."""

    project: Path
    models: Path
    baselines: Path
    keys: list[tuple[str, str, str]]
    goes_on: bool


def with_vllm(folder: Path) -> Matrix:
    """models.toml and baselines of two families that are the reference family under other names."""
    lines = [TOLERANCE]
    for family in FAMILIES:
        lines += ["[[family]]", f'name = "{family}"', f"suites = {list(SUITES)}".replace("'", '"')]
        for precision in PRECISIONS:
            path = ROOT / "fixtures" / "reference" / precision
            lines += [
                "[[family.checkpoint]]",
                f'name = "{precision}"',
                f'precision = "{precision}"',
                f'path = "{path}"',
                f"serve = {SERVE}",
            ]
        for file in (ROOT / "baselines" / "cpu" / "reference").rglob("reference-*"):
            copy = folder / "baselines" / "cpu" / family / file.parent.name / file.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(file.read_text(encoding="utf-8").replace('"family": "reference"', f'"family": "{family}"'), encoding="utf-8")
    models = folder / "models.toml"
    models.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Matrix(ROOT, models, folder / "baselines", list(itertools.product(FAMILIES, PRECISIONS, SUITES)), goes_on=True)


def by_hand(folder: Path) -> Matrix:
    project = scripted.ScriptedProject(folder / "project", seconds=2.0)
    keys = list(itertools.product(scripted.FAMILIES, scripted.PRECISIONS, scripted.SUITES))
    return Matrix(project.folder, project.models, project.baselines, keys, goes_on=False)


def records(folder: Path, matrix: Matrix) -> dict[str, str]:
    """family/checkpoint/suite → digest of its record, of those below the folder."""
    files = {"/".join(key): folder.joinpath(*key[:2], f"{key[2]}.json") for key in matrix.keys}
    return {key: hashlib.sha256(file.read_bytes()).hexdigest()[:12] for key, file in files.items() if file.is_file()}


def unfinished(folder: Path, matrix: Matrix) -> list[Path]:
    """Suites of which answers are kept, and no record yet."""
    files = [unfinished_of(folder, *key) for key in matrix.keys]
    return [file for file in files if file.is_file() and file.stat().st_size]


class Watch:
    """What happens in the queue, told as it changes."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment, self.began = environment, time.monotonic()
        self.last = dict[str, str]()

    def say(self, line: str) -> None:
        print(f"{(time.monotonic() - self.began) / 60:6.2f} min  {line}", flush=True)

    def is_over(self) -> bool:
        """Look once; whether no job is left in the queue."""
        rows = asked(["squeue", "-h", "-r", "-o", "%i|%T|%N|%r"], self.environment).splitlines()
        now = {name: " ".join(filter(None, rest)).replace(" None", "") for name, *rest in (row.split("|") for row in rows)}
        for name in sorted(now | self.last):
            if now.get(name) != self.last.get(name):
                self.say(f"{name}: {now.get(name, 'out of the queue')}")
        self.last = now
        return not now

    def state_of(self, task: str) -> str:
        """Look once; "" for one that is not in the queue."""
        self.is_over()
        return self.last.get(task, "").partition(" ")[0]

    def told(self) -> list[str]:
        """What Slurm itself says of each in the end."""
        lines = list[str]()
        for row in asked(["scontrol", "show", "job", "-o"], self.environment).splitlines():
            said = dict(re.findall(r"(\w+)=(\S*)", row))
            name = f"{said['ArrayJobId']}_{said['ArrayTaskId']}" if "ArrayTaskId" in said else said["JobId"]
            lines.append(f"{name}: " + ", ".join(f"{key} {said[key]}" for key in SHOWN))
        return sorted(lines)


def run(folder: Path, matrix: Matrix, deadline_seconds: float) -> list[str]:
    """The whole of it; what is not as it should be, in words."""
    out = folder / "out"
    with cluster(folder / "slurm") as environment:
        os.environ.update(environment)  # for sbatch
        said = list[str]()
        run_slurm(
            SlurmAsked(
                project=matrix.project, models=matrix.models, baselines=str(matrix.baselines), families="all", gpu="cpu", out=out, hours=1
            ),
            said.append,
        )
        print("\n".join(f"quantgate fan-out: {line}" for line in said), flush=True)
        array, merge = re.findall(r"job (\d+)", said[0])
        watch, shard = Watch(environment), out / "shards" / str(REQUEUED)

        task = f"{array}_{REQUEUED}"

        def is_in_the_middle() -> bool:
            if watch.is_over():
                raise RuntimeError(f"{out}: the queue is empty before task {task} could be requeued; its log says why")
            return bool(records(shard, matrix)) and (not matrix.goes_on or any(unfinished(shard, matrix)))

        until(is_in_the_middle, "a record of that task, and a suite half done", deadline_seconds)
        asked(["scontrol", "requeue", task], environment)
        watch.say(f"scontrol requeue {task}")
        until(lambda: watch.state_of(task) == "PENDING", "its way back into the queue", 120)
        begun = {file.parent.name + "/" + file.name: file.stat().st_size for file in unfinished(shard, matrix)}
        watch.say(f"begun and not ended: {', '.join(f'{name} ({size} bytes)' for name, size in begun.items()) or 'nothing'}")
        kept = records(shard, matrix)
        watch.say(f"records of that task then: {', '.join(kept)}")
        until(watch.is_over, "an empty queue", deadline_seconds)
        told = watch.told()
        print("\n".join(told))
    wrong = [] if any("Restarts 1" in line for line in told) else ["no task has been restarted"]
    wrong += [] if any(line.startswith(f"{merge}:") and "ExitCode 0:0" in line for line in told) else ["the merge is not green"]
    return wrong + looked_at(out, matrix, kept, shard)


def looked_at(out: Path, matrix: Matrix, kept: dict[str, str], shard: Path) -> list[str]:
    """What lies there in the end."""
    parts = [records(folder, matrix) for folder in sorted((out / "shards").iterdir())]
    once = [key for part in parts for key in part]
    unchanged = [key for key, digest in kept.items() if records(shard, matrix).get(key) == digest]
    print(f"records of the shards: {len(once)}, of {len(set(once))} keys; merged: {len(records(out / 'merged', matrix))}")
    print(f"of the requeued task's {len(kept)} records before, as they were: {len(unchanged)}")
    for log in sorted((out / "logs").iterdir()):
        found = [
            line
            for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
            if re.search(r"quantgate: shard|reused|goes on|kept|CANCELLED|passed|failed", line) or log.name == "merge.log"
        ]
        print("\n".join(f"{log.name}: {line}" for line in found))
    whole = len(matrix.keys)
    wrong = (
        []
        if len(once) == len(set(once)) == len(records(out / "merged", matrix)) == whole
        else [f"there are not {whole} records, each once"]
    )
    return wrong + ([] if len(unchanged) == len(kept) else ["the requeued task has measured again what it had"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stand-in", action="store_true", help="measurements made by hand, no vLLM")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="copy logs, records and scripts there")
    parser.add_argument("--resume", type=Path, metavar="DIR", help="go on with the shards that an earlier --keep has left there")
    parser.add_argument("--minutes", type=float, default=30, metavar="M", help="give up after so many (30)")
    options = parser.parse_args()
    if absent := missing():
        print(f"{', '.join(absent)}: not here; apt-get install slurm-wlm (PATH, and {PATH.rpartition('::')[2]})", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder, began = Path(tempfile.mkdtemp(prefix="qg-slurm-")), time.monotonic()
    folder.chmod(0o755)
    try:
        if options.resume:
            shutil.copytree(options.resume / "shards", folder / "out" / "shards")
        wrong = run(folder, (by_hand if options.stand_in else with_vllm)(folder), options.minutes * 60)
    finally:
        if options.keep:
            shutil.copytree(folder / "out", options.keep, dirs_exist_ok=True)
        still = left(folder)
        shutil.rmtree(folder)
    wrong += [f"still runs: {line}" for line in still.values()]
    print(f"{(time.monotonic() - began) / 60:.1f} minutes; processes left: {len(still)}")
    print("\n".join(wrong) or "as it should be")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
