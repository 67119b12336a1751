"""The two scripts for Slurm, as text: one array job, a task a shard, and the job that merges what they leave.

A task replaces bash by pytest (`exec`), so that the signal which Slurm sends ahead of the time limit reaches pytest itself: SIGINT, its
Ctrl-C, upon which it stops its server and keeps what was answered. Its shard is written out, and not left to `--shard=auto`: whoever
submits the third task again by itself (`sbatch --array=3`) means the third shard, where the environment tells of the first of one.
"""

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from quantgate.errors import ConfigurationError
from quantgate.registry import marked

STOP_SECONDS = 120
"""From SIGINT to the time limit. Slurm counts by the minute, and may send it up to a minute early."""
GOES_TO_MERGE = ("partition", "account", "qos", "reservation", "clusters", "export", "comment", "mail-type", "mail-user", "wckey")
"""Those of a user's options that say where a job may run and for whom. The others (GPUs, time, memory) are the shards'."""
SHORT = {
    "p": "partition",
    "A": "account",
    "q": "qos",
    "M": "clusters",
    "a": "array",
    "o": "output",
    "d": "dependency",
    "D": "chdir",
    "G": "gpus",
}
OURS = {
    "array": "how many shards there are is --shards",
    "output": "the logs lie in logs/ below the folder of -o",
    "dependency": "the merge waits for the shards",
    "signal": "pytest has to be interrupted before its time is over",
    "open-mode": "a task that is run again adds to its log",
    "chdir": "the tasks run where the project is",
    "wrap": "what runs is pytest",
    "parsable": "the number of the job is read by the merge",
}


class Paths(msgspec.Struct, frozen=True):
    """What lies below the folder of `-o`."""

    out: Path

    @property
    def array(self) -> Path:
        return self.out / "array.sbatch"

    @property
    def merge(self) -> Path:
        return self.out / "merge.sbatch"

    @property
    def logs(self) -> Path:
        return self.out / "logs"

    @property
    def shards(self) -> Path:
        return self.out / "shards"

    @property
    def merged(self) -> Path:
        return self.out / "merged"

    @property
    def report(self) -> Path:
        return self.out / "report"


class SlurmAsked(msgspec.Struct, frozen=True, kw_only=True):
    """`project`: where conftest.py is; `models`, `families`, `suites`, `gpu`, `tp`, `data_dir`, `inconclusive` as pytest's options of these
    names, `baselines` a folder, a URL, or several; `shards`: tasks, None for one a family; `hours`: each task's time limit, None for the
    partition's; `again`: what is there is measured anew; `sbatch`: options of sbatch, one an entry ("--partition=gpu", "-p gpu"); `more`:
    further arguments for pytest; `python`: whose packages run. All paths are absolute.
    """

    project: Path
    models: Path
    baselines: str
    out: Path
    families: str | None = None
    suites: str | None = None
    gpu: str = "auto"
    tp: int | None = None
    shards: int | None = None
    data_dir: Path | None = None
    inconclusive: str = "warn"
    hours: float | None = None
    again: bool = False
    sbatch: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    print_only: bool = False
    python: str = sys.executable


def array_script(asked: SlurmAsked, count: int, gpus: int) -> str:
    """Of `count` tasks with `gpus` each. Raises ConfigurationError for a path or an option that cannot be written down."""
    paths = Paths(asked.out)
    limit = [] if asked.hours is None else [f"--time={minutes(asked.hours)}"]
    asks_gpus = any(name in ("gres", "tres-per-node") or name.startswith("gpus") for name in map(option_name, asked.sbatch))
    options = [
        "--job-name=quantgate",
        f"--array=1-{count}",
        "--nodes=1",
        "--ntasks=1",
        *([f"--gpus-per-node={gpus}"] if gpus and not asks_gpus else []),
        *limit,
        f"--signal=B:INT@{STOP_SECONDS}",
        "--requeue",
        "--open-mode=append",
        f"--output={as_pattern(paths.logs, 'shard-%a.log')}",
        *checked(asked.sbatch),
    ]
    given: dict[str, object] = {"family": asked.families, "suites": asked.suites, "gpu": asked.gpu, "tp": asked.tp}
    given |= {"models": asked.models, "baselines": asked.baselines, "data-dir": asked.data_dir, "inconclusive": asked.inconclusive}
    pytest = [asked.python, "-m", "pytest", "-p", "no:cacheprovider"]
    pytest += [f"--{name}={value}" for name, value in given.items() if value is not None]
    own = [f'--shard="$SLURM_ARRAY_TASK_ID/{count}"', f'--records={quoted(paths.shards)}/"$SLURM_ARRAY_TASK_ID"']
    own += ['${reuse:+"$reuse"}' if asked.again else "--reuse"]
    # A task that was requeued goes on with what it has, whatever was asked of it at first.
    fresh = ['reuse=""; if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ]; then reuse="--reuse"; fi'] if asked.again else []
    return _script(
        [f"A task a shard, {count} in all. Submitted again it goes on where it was; one task by itself: sbatch --array=1 and this file."],
        options,
        asked.project,
        [*fresh, 'echo "quantgate: shard $SLURM_ARRAY_TASK_ID on $(hostname), start $((${SLURM_RESTART_COUNT:-0} + 1)), $(date)"'],
        " ".join([*map(quoted, pytest), *own, *map(quoted, marked(asked.more))]),
    )


def merge_script(asked: SlurmAsked) -> str:
    """What is submitted to run behind the array. Its exit code is the matrix's.

    The merged folder is made anew: what an earlier merge wrote there is not of shards that have gone on since.
    """
    paths = Paths(asked.out)
    options = [
        "--job-name=quantgate-merge",
        "--nodes=1",
        "--ntasks=1",
        "--open-mode=append",
        f"--output={as_pattern(paths.logs, 'merge.log')}",
        *(one for one in checked(asked.sbatch) if option_name(one) in GOES_TO_MERGE),
    ]
    command = [asked.python, "-m", "quantgate", "merge"]
    into = ["-o", paths.merged, f"--report={paths.report}", f"--models={asked.models}", f"--baselines={asked.baselines}"]
    line = f"{' '.join(map(quoted, command))} {quoted(paths.shards)}/* {' '.join(map(quoted, into))}"
    return _script(
        ["Runs behind the array: sbatch --dependency=afterany:JOB and this file."],
        options,
        asked.project,
        [f"rm -rf -- {quoted(paths.merged)}"],
        line,
    )


def _script(comments: Sequence[str], options: Sequence[str], project: Path, lines: Sequence[str], command: str) -> str:
    head = ["#!/bin/bash", *(f"# {one}" for one in comments), *(f"#SBATCH {one}" for one in options)]
    return "\n".join([*head, "set -u", f"cd {quoted(project)} || exit 2", *lines, f"exec {command}"]) + "\n"


def quoted(value: object) -> str:
    """For bash. Raises ConfigurationError for a line end, of which a line of a script could not be made."""
    return shlex.quote(_in_a_line(str(value)))


def as_pattern(folder: Path, name: str) -> str:
    """A log's path for Slurm's --output, in which `%` of the folder is written twice: it stands for something there. Slurm reads quotes in
    a script's options as bash does. Raises ConfigurationError."""
    if "\\" in str(folder):
        raise ConfigurationError(f"{folder}: Slurm takes no backslash in the path of a log; name another folder with -o")
    return quoted(str(folder).replace("%", "%%") + f"/{name}")


def _in_a_line(text: str) -> str:
    if re.search(r"[\0\r\n]", text):
        raise ConfigurationError(f"{text!r} has a line end in it, and cannot stand in a script for Slurm; name another")
    return text


def minutes(hours: float) -> int:
    """A time limit as Slurm counts it. Raises ConfigurationError where no time would be left before pytest is interrupted."""
    found = hours * 60
    if not STOP_SECONDS / 60 + 1 < found < float("inf"):
        raise ConfigurationError(f"--hours={hours:g}: a task is interrupted {STOP_SECONDS} s before its time is over; give 0.1 or more")
    return -int(-found // 1)


def option_name(given: str) -> str:
    """Of an option of sbatch: `partition` of --partition=gpu, "--partition gpu", -pgpu and "-p gpu"; "" where it is none."""
    if (found := re.match(r"--([a-zA-Z][\w-]*)", given)) is not None:
        return found[1]
    return SHORT.get(given[1:2], given[1:2]) if given.startswith("-") else ""


def checked(options: Sequence[str]) -> list[str]:
    """As lines of a script take them. Raises ConfigurationError for what is no option, and for those that quantgate needs itself."""
    for one in options:
        if not (name := option_name(_in_a_line(one))):
            raise ConfigurationError(f"--sbatch {one!r} is no option of sbatch; write each as --sbatch=--partition=gpu")
        if why := OURS.get(name):
            raise ConfigurationError(f"--sbatch={one}: quantgate sets --{name} itself ({why}); leave it out")
    return list(options)
