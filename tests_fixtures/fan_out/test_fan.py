"""A whole fan-out of real pytests over nodes without Ray: what is measured, shipped, kept, merged; killed nodes, killed pytests, Ctrl-C."""

import io
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import ConfigurationError
from quantgate.fan_out import Asked, Fanned, fan_out, lines_of
from quantgate.records import read_shard
from tests_fixtures.doubles.local_cluster import LocalCluster, gone, marked
from tests_fixtures.doubles.scripted_project import ScriptedProject

pytestmark = pytest.mark.usefixtures("no_worker", "temporary")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where units have their folders."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def run(project: ScriptedProject, cluster: LocalCluster, **changes: Any) -> tuple[Fanned, str]:
    given: dict[str, Any] = {
        "project": project.folder,
        "models": project.models,
        "baselines": str(project.baselines),
        "into": project.folder / "out",
        "families": "all",
        "gpu": "cpu",
        "resources": {"slot": 1.0},
        **changes,
    }
    said = io.StringIO()
    fanned = fan_out(Asked(**given), lambda: cluster, said)
    print(said.getvalue(), *lines_of(fanned), sep="\n")
    return fanned, said.getvalue()


def records(folder: Path) -> list[str]:
    found = [file for file in folder.glob("*/*/*.json") if ".verdict." not in file.name]
    return sorted(f"{file.parent.parent.name}/{file.parent.name}:{file.stem}" for file in found)


@pytest.mark.thorough
def test_every_record_is_there_once_and_merged(tmp_path: Path, temporary: Path) -> None:
    project = ScriptedProject(tmp_path / "p")
    fanned, said = run(project, LocalCluster("one", "two"))
    assert fanned.exit_code == 0
    assert records(tmp_path / "p" / "out" / "records") == project.keys
    assert sorted(project.log("measured")) == project.keys
    shard = read_shard(tmp_path / "p" / "out" / "records")
    assert shard is not None
    assert shard.mine == shard.matrix == project.keys
    assert (tmp_path / "p" / "out" / "report" / "index.html").is_file()
    assert said.count(": pass:") >= 8
    assert not list(temporary.glob("quantgate-unit-*"))


@pytest.mark.thorough
def test_what_a_user_leaves_out_is_not_missing(tmp_path: Path) -> None:
    project = ScriptedProject(tmp_path / "p")
    fanned, said = run(project, LocalCluster("one", "two"), more=("-m", "nvfp4", "-k", "not prose"))
    assert fanned.exit_code == 0
    assert records(tmp_path / "p" / "out" / "records") == ["ada/nvfp4:reference-text", "bell/nvfp4:reference-text"]
    assert said.count("none of its tests was selected") == 4
    again, said = run(project, LocalCluster("one", "two"), more=("-m", "nvfp5"))
    assert again.exit_code == 2
    assert again.unfinished == ["no test of any unit was selected; look at what stands behind --: -m nvfp5"]


@pytest.mark.thorough
def test_a_node_that_dies_has_its_unit_done_elsewhere_and_nothing_is_measured_twice(tmp_path: Path) -> None:
    project = ScriptedProject(tmp_path / "p", seconds=1.0)

    def kill_when_half(cluster: LocalCluster) -> None:
        """A node whose unit has one record of two."""
        for one in cluster.attempts:
            family, _, checkpoint = one.unit.partition("/")
            has = records(tmp_path / "p" / "out" / "units" / f"{family}--{checkpoint}" / "records")
            if len(cluster.nodes) == 3 and len(has) == 1 and not one.is_closed:
                cluster.kill(one.node)
                return

    cluster = LocalCluster("one", "two", "three", at_each=kill_when_half)
    fanned, said = run(project, cluster)
    assert len(cluster.nodes) == 2
    assert fanned.exit_code == 0
    assert records(tmp_path / "p" / "out" / "records") == sorted(project.log("measured")) == project.keys
    assert sum(course.attempts for course in fanned.courses.values()) == 7
    assert "again elsewhere, 1 of 2 suites are kept" in said


@pytest.mark.thorough
def test_bf16_is_measured_first_where_nobody_approved_it_and_its_candidates_are_judged_by_it(tmp_path: Path) -> None:
    project = ScriptedProject(tmp_path / "p", approved=("ada",))
    fanned, said = run(project, LocalCluster("one", "two"), families="bell")
    assert fanned.exit_code == 0
    order = project.log("measured")
    assert {one.partition(":")[0] for one in order[:2]} == {"bell/bf16"}
    assert sorted(order) == [key for key in project.keys if key.startswith("bell/")]
    assert "bell/fp8: waits for bell/bf16" in said
    assert sorted(file.name for file in project.baselines.rglob("*.json")) == ["prose-48.json", "reference-text.json"]  # ada's alone
    assert len(list((tmp_path / "p" / "out" / "baselines").rglob("bell/bf16/*.json"))) == 2
    assert fanned.merged[""].verdicts["pass"] >= 4


@pytest.mark.thorough
def test_a_red_verdict_is_1_and_not_run_again_and_a_killed_pytest_is_once(tmp_path: Path) -> None:
    project = ScriptedProject(tmp_path / "p")
    project.redden("ada/fp8")
    project.kill_in("ada/nvfp4:prose-48")
    fanned, _ = run(project, LocalCluster("one", "two"), families="ada")
    assert fanned.exit_code == 1
    assert {name: course.attempts for name, course in fanned.courses.items()} == {"ada/bf16": 1, "ada/fp8": 1, "ada/nvfp4": 2}
    assert sorted(project.log("measured")) == [key for key in project.keys if key.startswith(("ada/bf16:", "ada/nvfp4:"))]
    assert len([one for one in project.log("begins") if one.startswith("ada/fp8:")]) == 2  # a red test ends before its note


@pytest.mark.thorough
def test_ctrl_c_leaves_no_process_and_the_same_again_goes_on(tmp_path: Path, temporary: Path) -> None:
    project = ScriptedProject(tmp_path / "p", seconds=1.0)
    marks = list[str]()

    def interrupt(cluster: LocalCluster) -> None:
        if len(project.log("measured")) >= 2 and not marks:
            project.take(1000.0)
            assert len(cluster.nodes) == 2
            marks.extend(one.mark for one in cluster.attempts)
            raise KeyboardInterrupt

    fanned, _ = run(project, LocalCluster("one", "two", at_each=interrupt))
    assert (fanned.exit_code, fanned.was_interrupted) == (2, True)
    assert gone([process for mark in marks for process in marked(mark)])
    assert not list(temporary.glob("quantgate-unit-*"))
    assert "the same command goes on from there" in lines_of(fanned)[-1]
    project.take(0.0)
    fanned, _ = run(project, LocalCluster("one", "two"))
    assert fanned.exit_code == 0
    assert records(tmp_path / "p" / "out" / "records") == sorted(project.log("measured")) == project.keys


def test_what_no_node_has_is_a_sentence_before_anything_runs(tmp_path: Path) -> None:
    project = ScriptedProject(tmp_path / "p")
    cluster = LocalCluster("one")
    with pytest.raises(
        ConfigurationError, match=r"ada/bf16 needs 2 slot on one node, and no node of this cluster has that \(one: 1 CPU, 1 slot\)"
    ):
        run(project, cluster, resources={"slot": 2.0})
    assert cluster.attempts == []
