"""What stands in the scripts for Slurm, and what bash makes of it."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from quantgate.errors import ConfigurationError
from quantgate.fan_out import SlurmAsked
from quantgate.fan_out.slurm_scripts import Paths, array_script, merge_script, minutes, option_name
from tests_fixtures.doubles.processes import until

ODD = 'o\'d %d "x" #y $HOME `id`'
TELLS = """#!{python}
import json, os, sys, time
with open({told!r}, "w") as file:
    json.dump([os.getpid(), os.getcwd(), sys.argv[1:]], file)
try:
    time.sleep({seconds})
except KeyboardInterrupt:
    sys.exit(2)
"""


def asked(**changes: object) -> SlurmAsked:
    fields = {"project": Path("/p"), "models": Path("/p/models.toml"), "baselines": "/p/baselines,s3://team/b", "out": Path("/shared/out")}
    return SlurmAsked(**{**fields, "python": "/p/.venv/bin/python", **changes})  # type: ignore[arg-type]


def told_by(folder: Path, seconds: int = 0) -> tuple[str, Path]:
    """A program in the place of python, and the file in which it says how it was started."""
    program, told = folder / "python", folder / "told.json"
    program.write_text(TELLS.format(python=sys.executable, told=str(told), seconds=seconds), encoding="utf-8")
    program.chmod(stat.S_IRWXU)
    return str(program), told


def test_the_array_is_a_task_a_shard_that_goes_on_where_it_was() -> None:
    found = array_script(asked(families="a,b", hours=8, sbatch=("--partition=gpu",), more=("--stop-early",)), 3, 4)
    assert found.splitlines() == [
        "#!/bin/bash",
        "# A task a shard, 3 in all. Submitted again it goes on where it was; one task by itself: sbatch --array=1 and this file.",
        "#SBATCH --job-name=quantgate",
        "#SBATCH --array=1-3",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks=1",
        "#SBATCH --gpus-per-node=4",
        "#SBATCH --time=480",
        "#SBATCH --signal=B:INT@120",
        "#SBATCH --requeue",
        "#SBATCH --open-mode=append",
        "#SBATCH --output=/shared/out/logs/shard-%a.log",
        "#SBATCH --partition=gpu",
        "set -u",
        "cd /p || exit 2",
        'echo "quantgate: shard $SLURM_ARRAY_TASK_ID on $(hostname), start $((${SLURM_RESTART_COUNT:-0} + 1)), $(date)"',
        "exec /p/.venv/bin/python -m pytest -p no:cacheprovider "
        "--family=a,b --gpu=auto --models=/p/models.toml --baselines=/p/baselines,s3://team/b --inconclusive=warn "
        '--shard="$SLURM_ARRAY_TASK_ID/3" --records=/shared/out/shards/"$SLURM_ARRAY_TASK_ID" --reuse '
        "-m 'bf16 or fp8 or nvfp4 or mxfp4 or int8 or int4' --stop-early",
    ]


def test_the_merge_takes_every_shard_and_asks_for_no_gpu() -> None:
    found = merge_script(asked(sbatch=("--partition=gpu", "-A team", "--gres=gpu:h100:4", "--time=60", "--export=NONE")))
    assert found.splitlines() == [
        "#!/bin/bash",
        "# Runs behind the array: sbatch --dependency=afterany:JOB and this file.",
        "#SBATCH --job-name=quantgate-merge",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks=1",
        "#SBATCH --open-mode=append",
        "#SBATCH --output=/shared/out/logs/merge.log",
        "#SBATCH --partition=gpu",
        "#SBATCH -A team",
        "#SBATCH --export=NONE",
        "set -u",
        "cd /p || exit 2",
        "rm -rf -- /shared/out/merged",
        "exec /p/.venv/bin/python -m quantgate merge /shared/out/shards/* -o /shared/out/merged --report=/shared/out/report "
        "--models=/p/models.toml --baselines=/p/baselines,s3://team/b",
    ]


def test_bash_reads_odd_paths_as_they_are(tmp_path: Path) -> None:
    project, out = tmp_path / ODD, tmp_path / f"out {ODD}"
    (out / "shards" / "1").mkdir(parents=True)
    (out / "shards" / "2").mkdir()
    project.mkdir()
    program, told = told_by(tmp_path)
    what = asked(project=project, out=out, models=project / "m.toml", python=program, more=("-k", "it's * a $HOME", "-m", "not throughput"))
    environment = {**os.environ, "SLURM_ARRAY_TASK_ID": "2"}
    subprocess.run(["/bin/bash", "-c", array_script(what, 2, 0)], check=True, env=environment, cwd="/", capture_output=True)
    _, where, given = json.loads(told.read_text(encoding="utf-8"))
    assert where == str(project)
    assert given[-7:-3] == ["--shard=2/2", f"--records={out}/shards/2", "--reuse", "-m"]
    assert given[-3].endswith(" or int4) and (not throughput)")
    assert given[-2:] == ["-k", "it's * a $HOME"]
    assert f"--models={project}/m.toml" in given
    subprocess.run(["/bin/bash", "-c", merge_script(what)], check=True, env=environment, cwd="/", capture_output=True)
    _, where, given = json.loads(told.read_text(encoding="utf-8"))
    assert (where, given[:6]) == (str(project), ["-m", "quantgate", "merge", f"{out}/shards/1", f"{out}/shards/2", "-o"])


@pytest.mark.parametrize(("restarts", "told"), [("0", False), ("1", True)])
def test_what_is_measured_again_is_kept_by_a_task_that_is_requeued(tmp_path: Path, restarts: str, told: bool) -> None:
    program, file = told_by(tmp_path)
    environment = {**os.environ, "SLURM_ARRAY_TASK_ID": "1", "SLURM_RESTART_COUNT": restarts}
    script = array_script(asked(project=tmp_path, python=program, again=True), 1, 0)
    subprocess.run(["/bin/bash", "-c", script], check=True, env=environment, capture_output=True)
    given = json.loads(file.read_text(encoding="utf-8"))[2]
    assert ("--reuse" in given, "" in given) == (told, False)


def test_the_merge_is_made_anew(tmp_path: Path) -> None:
    program, _ = told_by(tmp_path)
    old, shard = tmp_path / "out" / "merged" / "old.json", tmp_path / "out" / "shards" / "1" / "shard.json"
    for file in (old, shard):
        file.parent.mkdir(parents=True)
        file.write_text("{}", encoding="utf-8")
    subprocess.run(["/bin/bash", "-c", merge_script(asked(project=tmp_path, out=tmp_path / "out", python=program))], check=True)
    assert (old.exists(), shard.exists()) == (False, True)


def test_slurm_fills_in_the_task_and_nothing_else_of_a_log() -> None:
    found = array_script(asked(out=Path("/x/100% d'or")), 1, 0)
    assert "#SBATCH --output='/x/100%% d'\"'\"'or/logs/shard-%a.log'\n" in found  # as a real sbatch has read it


def test_the_signal_of_slurm_reaches_pytest_itself(tmp_path: Path) -> None:
    program, told = told_by(tmp_path, seconds=60)
    script = tmp_path / "array.sbatch"
    script.write_text(array_script(asked(project=tmp_path, python=program), 1, 0), encoding="utf-8")
    process = subprocess.Popen(
        ["/bin/bash", script], env={**os.environ, "SLURM_ARRAY_TASK_ID": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: told.is_file() and told.read_text(encoding="utf-8").endswith("]"), "pytest's start")
        assert json.loads(told.read_text(encoding="utf-8"))[0] == process.pid
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 2
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck here")
@pytest.mark.parametrize("script", [array_script(asked(), 3, 1), array_script(asked(again=True), 3, 1), merge_script(asked())])
def test_shellcheck_has_nothing_to_say(script: str) -> None:
    done = subprocess.run(["shellcheck", "-"], input=script, capture_output=True, text=True, check=False)  # noqa: S607 (where it is)
    assert done.stdout == ""


def test_a_task_without_project_ends_and_measures_nothing_elsewhere(tmp_path: Path) -> None:
    program, told = told_by(tmp_path)
    for script in (array_script(asked(project=tmp_path / "none", python=program), 1, 0), merge_script(asked(project=tmp_path / "none"))):
        done = subprocess.run(["/bin/bash", "-c", script], env={**os.environ, "SLURM_ARRAY_TASK_ID": "1"}, capture_output=True, check=False)
        assert (done.returncode, told.exists()) == (2, False)


@pytest.mark.parametrize("option", ["--gres=gpu:h100:4", "--gpus=4", "-G 4", "--gpus-per-task=2", "--tres-per-node=gres/gpu:2"])
def test_gpus_that_the_user_asks_for_himself_are_not_asked_for_twice(option: str) -> None:
    found = array_script(asked(sbatch=(option,)), 1, 4)
    assert "--gpus-per-node" not in found
    assert f"#SBATCH {option}\n" in found


@pytest.mark.parametrize(("gpus", "line"), [(0, ""), (2, "#SBATCH --gpus-per-node=2")])
def test_gpus_are_asked_for_where_there_are_any(gpus: int, line: str) -> None:
    assert [one for one in array_script(asked(), 1, gpus).splitlines() if "gpus" in one] == ([line] if line else [])


@pytest.mark.parametrize(("hours", "told"), [(0.1, 6), (0.11, 7), (8, 480)])
def test_a_time_limit_is_in_minutes_rounded_up(hours: float, told: int) -> None:
    assert minutes(hours) == told


@pytest.mark.parametrize("hours", [0.05, 0, -1, float("nan"), float("inf")])
def test_a_time_limit_leaves_time_before_the_interruption(hours: float) -> None:
    with pytest.raises(ConfigurationError, match=r"--hours=\S+: a task is interrupted 120 s before its time is over; give 0.1 or more"):
        array_script(asked(hours=hours), 1, 0)


@pytest.mark.parametrize(
    ("given", "name"),
    [("--partition=gpu", "partition"), ("--mem 4G", "mem"), ("-p gpu", "partition"), ("-pgpu", "partition"), ("-N1", "N"), ("gpu", "")],
)
def test_options_of_sbatch_have_names(given: str, name: str) -> None:
    assert option_name(given) == name


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--array=1-9", "--sbatch=--array=1-9: quantgate sets --array itself (how many shards there are is --shards); leave it out"),
        ("-o x", "--sbatch=-o x: quantgate sets --output itself (the logs lie in logs/ below the folder of -o); leave it out"),
        ("gpu", "--sbatch 'gpu' is no option of sbatch; write each as --sbatch=--partition=gpu"),
        ("--comment=a\nrm -r x", "'--comment=a\\nrm -r x' has a line end in it, and cannot stand in a script for Slurm; name another"),
    ],
)
def test_an_option_that_cannot_be_passed_on_is_refused(option: str, told: str) -> None:
    for script in (lambda one: array_script(one, 1, 0), merge_script):
        with pytest.raises(ConfigurationError) as error:
            script(asked(sbatch=(option,)))
        assert str(error.value) == told


@pytest.mark.parametrize(
    ("out", "told"), [("/x/a\nb", "has a line end in it"), ("/x/a\\b", "Slurm takes no backslash in the path of a log")]
)
def test_a_folder_that_cannot_be_written_down_is_refused(out: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        array_script(asked(out=Path(out)), 1, 0)


def test_everything_lies_below_the_folder() -> None:
    paths = Paths(Path("/o"))
    found = [paths.array, paths.merge, paths.logs, paths.shards, paths.merged, paths.report]
    assert [str(one) for one in found] == ["/o/array.sbatch", "/o/merge.sbatch", "/o/logs", "/o/shards", "/o/merged", "/o/report"]
