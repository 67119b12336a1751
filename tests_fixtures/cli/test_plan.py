"""`quantgate plan`: what a matrix will take, as a table and as JSON; nothing boots, and nothing is fetched."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quantgate.cli import main
from quantgate.history import append
from quantgate.matrix import cut, units
from quantgate.records import write_record
from quantgate.registry import load
from quantgate.suites import SUITES, catalogue, reference_text
from tests_fixtures.doubles.examples import text_loss
from tests_fixtures.doubles.nights import night
from tests_fixtures.doubles.reusable import as_measured, case_of

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "fixtures" / "reference"
HEAD = """
[tolerance]
bf16 = { accuracy_points = 2.0, perplexity_ratio = 1.01, decode_tps_ratio = 0.95 }
nvfp4 = { accuracy_points = 2.0, perplexity_ratio = 1.05, decode_tps_ratio = 0.95 }
"""
FAMILY = """
[[family]]
name = "{name}"
suites = ["reference-text", "decidable-40", "decode-16x64"]
[[family.checkpoint]]
name = "bf16"
precision = "bf16"
{bf16}
[[family.checkpoint]]
name = "nvfp4"
precision = "nvfp4"
serve = {{ tensor_parallel = 2 }}
{nvfp4}
"""


class Project:
    """Families whose files are the reference's, or on the hub."""

    def __init__(self, folder: Path, *names: str, hub: bool = False) -> None:
        self.folder, self.models = folder, folder / "models.toml"
        paths = {one: f'path = "org/x-8b-{one}"\nrevision = "main"' if hub else f'path = "{REFERENCE / one}"' for one in ("bf16", "nvfp4")}
        self.models.write_text(HEAD + "".join(FAMILY.format(name=name, **paths) for name in names), encoding="utf-8")

    def given(self, *options: str) -> list[str]:
        where = {"models": self.models, "baselines": self.folder / "baselines", "records": self.folder / "records"}
        return ["plan", *(f"--{name}={value}" for name, value in where.items()), *options]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, "alpha")


def told(capsys: pytest.CaptureFixture[str], project: Project, *options: str) -> str:
    assert main(project.given(*options)) == 0
    return " ".join(capsys.readouterr().out.split())


def document(capsys: pytest.CaptureFixture[str], project: Project, *options: str) -> dict[str, Any]:
    assert main(project.given("--json", *options)) == 0
    (one,) = json.loads(capsys.readouterr().out)["plans"]
    found: dict[str, Any] = one
    return found


def record(project: Project) -> None:
    case, suite = case_of(project.models, "bf16", "reference-text", "alpha"), reference_text(None)
    write_record(project.folder / "records", as_measured(text_loss(), case, suite))


def test_the_table_is_within_80_columns_and_says_it_all(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(project.given("--classes=NVIDIA H200", "--shards=2")) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    said = " ".join(out.split())
    assert "alpha/bf16" in said
    assert "(2 devices)" in said
    assert "no BF16 baseline yet: measured first" in said
    assert "estimate" in said
    assert "NVIDIA H200: 2 checkpoints, 6 suites (0 measured and unchanged), 2 boots" in said
    assert "GPU hours" in said
    assert "to be measured and approved first (--snapshot-update), since others are judged by it: alpha/bf16:reference-text" in said
    assert "2 hosts: " in said
    assert "50 % of the hosts' time idle" in said
    assert "shard 2/2: 0.0 min: nothing to do" in said


def test_what_each_suite_can_decide_is_in_the_header_s_words(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, project, "--classes=cpu")
    decides = [one["decides"] for one in found["units"][1]["suites"] if one["suite"] == "decidable-40"]
    assert decides == ["sees 9.9 points, 2.0 tolerated: too few (40, about 1,068 would do)"]


def test_on_a_cpu_a_load_without_a_verdict_is_not_planned(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    suites = [one["suite"] for unit in document(capsys, project, "--classes=cpu")["units"] for one in unit["suites"]]
    assert suites == ["reference-text", "decidable-40"] * 2
    assert "nothing of this can be judged there" in told(capsys, project, "--classes=cpu", "--suites=decode-16x64")


def test_what_is_measured_and_unchanged_is_skipped_unless_again(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    before = document(capsys, project, "--gpu=cpu", "--suites=reference-text")
    record(project)
    found = document(capsys, project, "--gpu=cpu", "--suites=reference-text")
    one, other = found["units"]
    assert (one["boots"], one["seconds"], one["suites"][0]["seconds"]) == (0, 0.0, 0.0)
    assert one["suites"][0]["done"] is not None
    assert other["boots"] == 1
    assert found["device_hours"] < before["device_hours"]
    assert document(capsys, project, "--gpu=cpu", "--suites=reference-text", "--again")["device_hours"] == before["device_hours"]
    assert "unchanged: skipped" in told(capsys, project, "--gpu=cpu")


def test_why_a_record_is_measured_again_is_said(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    record(project)
    found = document(capsys, project, "--classes=NVIDIA H200", "--suites=reference-text")
    assert found["units"][0]["suites"][0]["why"] == "the device class is another (cpu, now NVIDIA H200)"


def test_minutes_come_from_the_history_where_it_knows_them(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        night(0, family="alpha", checkpoint="bf16", suite=suite, seconds=seconds, boot_seconds=100.0)
        for suite, seconds in (("reference-text", 50.0), ("decidable-40", 60.0), ("decode-16x64", 70.0))
    ]
    append(project.folder / "baselines", lines)
    one, other = document(capsys, project, "--classes=NVIDIA H200")["units"]
    assert (one["source"], one["seconds"], one["boot_seconds"]) == ("history", 280.0, 100.0)
    assert other["source"] == "estimate"


def test_bf16_s_baseline_may_be_of_another_class(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    write_record(project.folder / "baselines" / "cpu", msgspec.structs.replace(text_loss(), family="alpha"))
    found = document(capsys, project, "--classes=NVIDIA H200")
    assert [one["baseline"] for one in found["units"][1]["suites"]] == ["cpu", "", None]
    assert found["bf16_first"] == ["alpha/bf16:decidable-40"]


def test_shards_are_those_that_pytest_cuts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = Project(tmp_path, *"abcdefg")
    loaded = load(project.models)
    expected = cut(units(loaded, loaded.family, catalogue(loaded.suite, project.models), []), 3)
    found = document(capsys, project, "--classes=NVIDIA H200", "--shards=3")
    assert [one["families"] for one in found["shards"]] == expected
    assert found["makespan_seconds"] == pytest.approx(max(one["seconds"] for one in found["shards"]))
    assert found["lower_bound_seconds"] <= found["makespan_seconds"]
    assert found["idle"] == pytest.approx(1 - found["seconds"] / (3 * found["makespan_seconds"]))


def test_two_classes_are_two_plans_in_one_document(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(project.given("--json", "--classes=cpu,NVIDIA H200")) == 0
    plans = json.loads(capsys.readouterr().out)["plans"]
    assert [one["device_class"] for one in plans] == ["cpu", "NVIDIA H200"]
    assert [unit["device_class"] for unit in plans[1]["units"]] == ["NVIDIA H200", "NVIDIA H200 tp2"]


def test_devices_and_checkpoints_as_they_are_asked_for(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, project, "--classes=NVIDIA H200", "--tp=4", "--checkpoint=nvfp4")
    (unit,) = found["units"]
    assert (unit["checkpoint"], unit["devices"], unit["device_class"]) == ("nvfp4", 4, "NVIDIA H200 tp4")
    assert found["device_hours"] == pytest.approx(4 * unit["seconds"] / 3600)


def test_nothing_is_fetched_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object, **__: object) -> None:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr("socket.socket.connect", connect)
    monkeypatch.setattr("quantgate.registry.hub._missing_gib", connect)
    project = Project(tmp_path, "alpha", hub=True)
    found = document(capsys, project, "--classes=NVIDIA H200", "--suites=gsm8k,reference-text")
    assert [one["decides"] is None for one in found["units"][1]["suites"]] == [True, True]


def test_of_two_hundred_checkpoints_each_baseline_and_suite_is_read_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def note(*key: str) -> None:
        asked.append(key)

    def load_and_note(data: Path | None) -> object:
        loaded.append("one")
        return load_it(data)

    asked, loaded, load_it = list[tuple[str, ...]](), list[str](), SUITES["decidable-40"][1]
    monkeypatch.setattr("quantgate.baselines.BaselineFolder.load", lambda _, *key: note(*key))
    monkeypatch.setitem(SUITES, "decidable-40", (SUITES["decidable-40"][0], load_and_note))
    project = Project(tmp_path, *(f"f{number}" for number in range(100)), hub=True)
    found = document(capsys, project, "--classes=NVIDIA H200", "--shards=64")
    assert len(found["units"]) == 200
    assert len(asked) == len(set(asked)) > 200
    assert len(loaded) == 3  # for its length here, for that which counts on every host, and for what it decides


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--shards=0"], "--shards=0: give a number, 1 or more"),
        (["--tp=0"], "--tp=0: give a number, 1 or more"),
        (["--family=alpa"], "--family=alpa: no such family (did you mean alpha?)"),
        (["--suites=gsm9k"], "--suites=gsm9k: there is no such suite (did you mean gsm8k?)"),
        (["--checkpoint=fp4"], "--checkpoint=fp4: no chosen family has it (did you mean nvfp4?); there are bf16, nvfp4"),
        (["--classes=cpu,,x"], "has a name that is empty"),
        (["--classes=cpu", "--gpu=cpu"], "leave one out"),
        (["--models=none.toml"], "--models=none.toml cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(project: Project, capsys: pytest.CaptureFixture[str], options: list[str], said: str) -> None:
    assert main(project.given(*options)) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_every_suite_that_there_is_can_be_planned(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, project, "--classes=NVIDIA H200", f"--suites={','.join(SUITES)}")
    assert all(one["seconds"] > 0 for unit in found["units"] for one in unit["suites"])
