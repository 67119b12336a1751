"""What is submitted to Slurm, what is said of it, and what is refused."""

from pathlib import Path

import msgspec
import pytest

from quantgate.errors import ConfigurationError
from quantgate.fan_out import SlurmAsked, run_slurm
from quantgate.records import Shard, write_shard
from tests_fixtures.doubles.little_slurm import LittleSlurm

REFERENCE = Path(__file__).parents[2] / "fixtures" / "reference"
FAMILY = """
[[family]]
name = "{name}"
suites = ["reference-text"]
checkpoint = [
    {{ name = "bf16", precision = "bf16", path = "{reference}/bf16", serve.tensor_parallel = {devices} }},
    {{ name = "fp8", precision = "fp8", path = "{reference}/fp8" }},
]
"""
SHARD = Shard(
    index=1,
    count=2,
    matrix=[],
    mine=[],
    cut=[[], []],
    models_sha256="",
    device_class="cpu",
    inconclusive="warn",
    must_run=False,
    host="",
    started="",
)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LittleSlurm:
    return LittleSlurm(tmp_path / "slurm", monkeypatch)


@pytest.fixture
def asked(tmp_path: Path) -> SlurmAsked:
    models = tmp_path / "models.toml"
    made = (FAMILY.format(name=name, reference=REFERENCE, devices=devices) for name, devices in (("small", 1), ("large", 4)))
    models.write_text("".join(made), encoding="utf-8")
    fields = {"project": tmp_path, "models": models, "baselines": "s3://team/b", "out": tmp_path / "out", "families": "all"}
    return SlurmAsked(**fields)  # type: ignore[arg-type]


def lines_of(asked: SlurmAsked) -> list[str]:
    said = list[str]()
    assert run_slurm(asked, said.append) == 0
    return said


def refusal_of(asked: SlurmAsked, **changes: object) -> str:
    with pytest.raises(ConfigurationError) as error:
        run_slurm(msgspec.structs.replace(asked, **changes), lambda _: None)
    return str(error.value)


def test_the_array_is_submitted_and_its_merge_behind_it(slurm: LittleSlurm, asked: SlurmAsked) -> None:
    said, out = lines_of(asked), asked.out
    assert slurm.calls == [f"sbatch --parsable {out}/array.sbatch", f"sbatch --parsable --dependency=afterany:41 {out}/merge.sbatch"]
    assert said == [
        "job 41: 2 tasks, a shard each (small, large); job 42 merges behind them",
        f"{out} has to be on a filesystem that all nodes see under this path, which cannot be known from here",
        f"state: squeue -j 41,42; logs: {out}/logs",
        "to stop both: scancel 41 42; the same command again, or scontrol requeue of a task, goes on",
        f"the exit code of job 42 is the matrix's; its page will be {out}/report/index.html",
    ]
    assert (out / "logs").is_dir()  # Slurm makes no folder for a log, and a task without one fails
    text = (out / "array.sbatch").read_text(encoding="utf-8")
    assert "#SBATCH --array=1-2\n" in text
    assert "#SBATCH --gpus-per-node=4\n" in text
    assert "quantgate merge" in (out / "merge.sbatch").read_text(encoding="utf-8")


def test_on_one_of_several_clusters_what_is_to_be_typed_names_it(slurm: LittleSlurm, asked: SlurmAsked) -> None:
    slurm.says(1, "41;alpha\n")
    said = lines_of(asked)
    assert slurm.calls[1].startswith("sbatch --parsable --dependency=afterany:41 ")
    assert said[2].startswith("state: squeue --clusters=alpha -j 41,42;")
    assert said[3].startswith("to stop both: scancel --clusters=alpha 41 42;")


def test_what_slurm_says_where_it_refuses_is_told(slurm: LittleSlurm, asked: SlurmAsked) -> None:
    slurm.refuses(
        1, "sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job submission failed: Invalid partition name\n"
    )
    assert refusal_of(asked) == (
        f"sbatch refuses {asked.out}/array.sbatch: invalid partition specified: nope; Batch job submission failed: Invalid partition name; "
        "options of your cluster go in with --sbatch=--partition=NAME"
    )
    assert len(slurm.calls) == 1


def test_an_array_whose_merge_is_refused_is_taken_back(slurm: LittleSlurm, asked: SlurmAsked) -> None:
    slurm.refuses(2, "sbatch: error: QOSMaxSubmitJobPerUserLimit\n")
    assert "merge.sbatch: QOSMaxSubmitJobPerUserLimit;" in refusal_of(asked)
    assert slurm.calls[2] == "scancel 41"


def test_an_answer_without_a_number_is_no_job(slurm: LittleSlurm, asked: SlurmAsked) -> None:
    slurm.says(1, "Welcome to our cluster!\n")
    assert "array.sbatch: " in refusal_of(asked)


def test_printed_scripts_leave_nothing_behind(slurm: LittleSlurm, asked: SlurmAsked, capsys: pytest.CaptureFixture[str]) -> None:
    said = lines_of(msgspec.structs.replace(asked, print_only=True))
    printed = capsys.readouterr().out
    assert printed.startswith(f"# {asked.out}/array.sbatch\n#!/bin/bash\n")
    assert f"\n# {asked.out}/merge.sbatch\n#!/bin/bash\n" in printed
    assert said == [f"nothing is submitted; both need {asked.out}/logs to be there, and {asked.out} on a filesystem that all nodes see"]
    assert (slurm.calls, asked.out.exists()) == ([], False)


def test_where_there_is_no_slurm_scripts_can_still_be_printed(asked: SlurmAsked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert (
        refusal_of(asked)
        == "sbatch is not on PATH: run this where Slurm's commands are, on a login node, or print the scripts with --print"
    )
    assert not asked.out.exists()
    lines_of(msgspec.structs.replace(asked, print_only=True))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "#SBATCH --gpus-per-node=4"),
        ({"families": "small"}, "#SBATCH --gpus-per-node=1"),
        ({"tp": 2}, "#SBATCH --gpus-per-node=2"),
        ({"gpu": "cpu"}, None),
    ],
)
def test_a_task_has_the_gpus_of_its_largest_checkpoint(
    asked: SlurmAsked, changes: dict[str, object], line: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    lines_of(msgspec.structs.replace(asked, print_only=True, **changes))
    assert [one for one in capsys.readouterr().out.splitlines() if "--gpus" in one] == ([line] if line else [])


def test_more_tasks_than_families_would_hold_nodes_for_nothing(slurm: LittleSlurm, asked: SlurmAsked) -> None:
    said = lines_of(msgspec.structs.replace(asked, shards=9))
    assert said[0] == "--shards=9: there are 2 families, and each stays together; 2 it is"
    assert said[1].startswith("job 41: 2 tasks, ")
    assert len(slurm.calls) == 2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"shards": 0}, "--shards=0: give 1 or more; without it there is one for each family (2)"),
        ({"gpu": "0,1"}, "--gpu=0,1: Slurm chooses the GPUs of a task; leave --gpu out, or give --gpu=cpu"),
        ({"tp": 0}, "--tp=0: a slot has at least 1 device"),
        ({"families": "smal"}, "--family=smal: no such family (did you mean small?); there are small, large"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(slurm: LittleSlurm, asked: SlurmAsked, changes: dict[str, object], told: str) -> None:
    assert refusal_of(asked, **changes) == told
    assert (slurm.calls, asked.out.exists()) == ([], False)


def test_a_suite_that_there_is_not_is_told_before_it_waits_in_a_queue(slurm: LittleSlurm, asked: SlurmAsked) -> None:
    assert refusal_of(asked, suites="reference-txt").startswith(
        "--suites=reference-txt: there is no such suite (did you mean reference-text?); there are "
    )
    assert slurm.calls == []


def test_the_shards_of_another_cut_are_not_gone_on_with(slurm: LittleSlurm, asked: SlurmAsked) -> None:
    shards = asked.out / "shards"
    (shards / "1").mkdir(parents=True)
    write_shard(shards / "1", SHARD)
    (shards / "2").mkdir()  # whose task had not begun
    lines_of(asked)
    assert refusal_of(asked, shards=1) == (
        f"{shards}/1 is of another run, of 2 shards, and this one has 1: name another folder with -o, or the same --shards"
    )
    (shards / "old").mkdir()
    assert refusal_of(asked) == f"{shards}/old is of another run, and this one has 2: name another folder with -o, or the same --shards"
    assert len(slurm.calls) == 2
