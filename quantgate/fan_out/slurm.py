"""The matrix on Slurm: two scripts written below the folder of `-o`, submitted, and where to look from then on.

Slurm does the rest. What is measured lies in a folder of records a shard, which a task that is run again (`scontrol requeue`, a node that
was lost) finds where it was: `--reuse` takes what is whole, and a suite that was interrupted goes on.
"""

import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence

from quantgate import folders
from quantgate.errors import ConfigurationError, nearest
from quantgate.fan_out.slurm_scripts import Paths, SlurmAsked, array_script, merge_script
from quantgate.plain_text import in_a_line
from quantgate.records import read_shard
from quantgate.registry import Family, load
from quantgate.suites import catalogue

ANSWER_SECONDS = 120.0
"""sbatch asks a controller that is away for a minute or so before it says so."""


def run_slurm(asked: SlurmAsked, say: Callable[[str], None]) -> int:
    """Write and submit the array job and its merge; returns 0 once Slurm has both. With `print_only` they are printed, and nothing is made.

    Raises ConfigurationError, one sentence, for what is not there, for a folder that holds another run's shards, and for what sbatch says
    where it refuses; of an array whose merge is refused nothing is left.
    """
    registry = load(asked.models)
    families = registry.select(asked.families)
    known = catalogue(registry.suite, asked.models)
    for name in dict.fromkeys(name.strip() for name in asked.suites.split(",")) if asked.suites else ():
        if name not in known:
            raise ConfigurationError(f"--suites={name}: there is no such suite{nearest(name, known)}; there are {', '.join(known)}")
    count, paths = _count(asked, len(families), say), Paths(asked.out)
    array, merge = array_script(asked, count, gpus_of(asked, families)), merge_script(asked)
    if asked.print_only:
        print(f"# {paths.array}\n{array}\n# {paths.merge}\n{merge}", end="")
        say(f"nothing is submitted; both need {paths.logs} to be there, and {paths.out} on a filesystem that all nodes see")
        return 0
    if shutil.which("sbatch") is None:
        raise ConfigurationError(
            "sbatch is not on PATH: run this where Slurm's commands are, on a login node, or print the scripts with --print"
        )
    _refuse_another_run(paths, count)
    folders.writable(paths.logs, "-o")
    paths.array.write_text(array, encoding="utf-8")
    paths.merge.write_text(merge, encoding="utf-8")
    first = _sbatch(["--parsable", str(paths.array)])
    try:
        second = _sbatch(["--parsable", f"--dependency=afterany:{first.number}", str(paths.merge)])
    except BaseException:
        subprocess.run(["scancel", *first.where, first.number], check=False, timeout=ANSWER_SECONDS)  # noqa: S607 (the user's own Slurm)
        raise
    tasks = "1 task" if count == 1 else f"{count} tasks"
    where, jobs = "".join(f" {one}" for one in first.where), (first.number, second.number)
    say(f"job {jobs[0]}: {tasks}, a shard each ({', '.join(family.name for family in families)}); job {jobs[1]} merges behind them")
    say(f"{paths.out} has to be on a filesystem that all nodes see under this path, which cannot be known from here")
    say(f"state: squeue{where} -j {','.join(jobs)}; logs: {shlex.quote(str(paths.logs))}")
    say(f"to stop both: scancel{where} {' '.join(jobs)}; the same command again, or scontrol requeue of a task, goes on")
    say(f"the exit code of job {jobs[1]} is the matrix's; its page will be {paths.report / 'index.html'}")
    return 0


def gpus_of(asked: SlurmAsked, families: Sequence[Family]) -> int:
    """That a task asks for: as many as the checkpoint takes that is served on the most; none for the CPU."""
    if asked.gpu.startswith("cpu"):
        return 0
    if asked.gpu != "auto":
        raise ConfigurationError(f"--gpu={asked.gpu}: Slurm chooses the GPUs of a task; leave --gpu out, or give --gpu=cpu")
    if asked.tp is not None and asked.tp < 1:
        raise ConfigurationError(f"--tp={asked.tp}: a slot has at least 1 device")
    return asked.tp or max((one.serve.tensor_parallel for family in families for one in family.checkpoint), default=1)


def _count(asked: SlurmAsked, families: int, say: Callable[[str], None]) -> int:
    """A family stays together: a task more than there are families would hold a node for nothing."""
    if asked.shards is None:
        return families
    if asked.shards < 1:
        raise ConfigurationError(f"--shards={asked.shards}: give 1 or more; without it there is one for each family ({families})")
    if asked.shards > families:
        say(f"--shards={asked.shards}: there are {families} families, and each stays together; {families} it is")
    return min(asked.shards, families)


def _refuse_another_run(paths: Paths, count: int) -> None:
    for folder in sorted(paths.shards.iterdir()) if paths.shards.is_dir() else ():
        found = read_shard(folder)
        other = found.count if found is not None else None
        if other not in (None, count) or folder.name not in map(str, range(1, count + 1)):
            raise ConfigurationError(
                f"{folder} is of another run{'' if other is None else f', of {other} shards'}, and this one has {count}: "
                "name another folder with -o, or the same --shards"
            )


class _Job:
    """`number`, and the options that name its cluster, where there are several; of what `sbatch --parsable` says."""

    def __init__(self, said: str) -> None:
        self.number, _, cluster = said.strip().partition(";")
        self.where = [f"--clusters={cluster}"] if cluster else []


def _sbatch(options: Sequence[str]) -> _Job:
    command = ["sbatch", *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ANSWER_SECONDS, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise ConfigurationError(f"sbatch has not answered in {ANSWER_SECONDS:g} s: see with sinfo whether Slurm is there") from None
    job = _Job(done.stdout)
    if done.returncode or not job.number.isdecimal():
        lines = [line.removeprefix("sbatch: ").removeprefix("error: ") for line in done.stderr.splitlines()]
        told = in_a_line("; ".join(dict.fromkeys(lines)) or f"exit code {done.returncode}, {done.stdout!r}", 500)
        raise ConfigurationError(f"sbatch refuses {options[-1]}: {told}; options of your cluster go in with --sbatch=--partition=NAME")
    return job
