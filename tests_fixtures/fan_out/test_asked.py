"""What a fan-out is asked for → pytest's command line, what a unit needs of a node, Ray's environment; and the command's refusals."""

from pathlib import Path
from typing import Any

import pytest

from quantgate.cli import main
from quantgate.errors import ConfigurationError
from quantgate.fan_out import Asked, Need, environment_of
from quantgate.fan_out.asked import command_of, need_of
from quantgate.fan_out.display import line_of
from quantgate.fan_out.work import Course
from tests_fixtures.doubles.fake_cluster import work


def asked_of(**changes: Any) -> Asked:
    given: dict[str, Any] = {"project": Path("/p"), "models": Path("/p/models.toml"), "baselines": "/b", "into": Path("/out"), **changes}
    return Asked(**given)


def test_a_unit_is_pytest_over_one_checkpoint_with_what_is_there_reused() -> None:
    asked = asked_of(baselines="/b,s3://bucket/baselines", tp=2, more=("--stop-early",), models=Path("/elsewhere/m.toml"))
    command = command_of(asked, "fam", "fp8", on_gpus=True)
    assert command[:3] == ["{python}", "-m", "pytest"]
    assert command[command.index("-m", 3) + 1].startswith("bf16 or fp8 or nvfp4")
    for option in ("--family=fam", "--checkpoint=fp8", "--gpu=auto", "--tp=2", "--reuse", "--models=/elsewhere/m.toml", "--stop-early"):
        assert option in command
    assert "--records={folder}/records" in command
    assert "--baselines={folder}/baselines,s3://bucket/baselines" in command


def test_what_lies_in_the_project_is_named_from_there() -> None:
    assert "--models=models.toml" in command_of(asked_of(), "fam", "fp8", on_gpus=False)


@pytest.mark.parametrize(
    ("changes", "group", "on_gpus", "need"),
    [
        ({}, "", True, Need(gpus=4)),
        ({}, "", False, Need(cpus=16)),
        ({"resources": {"slot": 1.0}}, "", False, Need(resources=(("slot", 1.0),))),
        ({"resources": {"disk": 0.5}}, "H100", True, Need(gpus=4, resources=(("H100", 1.0), ("disk", 0.5)))),
    ],
)
def test_what_a_unit_needs(changes: dict[str, Any], group: str, on_gpus: bool, need: Need) -> None:
    assert need_of(asked_of(**changes), 4, group, on_gpus, 16.0) == need


@pytest.mark.parametrize(
    ("changes", "environment"),
    [
        ({}, {}),
        ({"runtime_env": {"pip": ["x"]}}, {"pip": ["x"]}),
        ({"image": "img:1"}, {"image_uri": "img:1"}),
    ],
)
def test_ray_is_given_the_environment(changes: dict[str, Any], environment: dict[str, Any]) -> None:
    assert environment_of(asked_of(**changes)) == environment


def test_a_project_that_is_shipped_goes_without_what_is_large_or_secret() -> None:
    environment = environment_of(asked_of(ship=True, runtime_env={"excludes": ["data"]}))
    assert environment["working_dir"] == "/p"
    assert {".venv", ".git", ".quantgate", "data"} <= set(environment["excludes"])
    assert "env_vars" not in environment


@pytest.mark.parametrize("changes", [{"image": "i", "ship": True}, {"ship": True, "runtime_env": {"working_dir": "/x"}}])
def test_two_environments_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"--image is an environment|--ship and the working_dir"):
        environment_of(asked_of(**changes))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--resource=slot=0"], "--resource=slot=0: give NAME or NAME=AMOUNT"),
        (["--resource=slot=nan"], "--resource=slot=nan: give NAME"),
        (["--resource=slot=many"], "--resource=slot=many: give NAME"),
        (["--shards=2"], "--print, --sbatch and --shards are for --on slurm"),
        (["--runtime-env=env.json"], "is no JSON"),
        (["--runtime-env=list.json"], "holds no table"),
        (["--hours=0"], "--hours=0: give hours"),
        (["--hours=nan"], "--hours=nan: give hours"),
        (["--suites=nothing"], "--suites=nothing: there is no such suite"),
    ],
)
def test_a_mistake_is_one_sentence(
    given: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(__file__).parents[2]
    (tmp_path / "conftest.py").touch()
    (tmp_path / "models.toml").write_bytes((root / "models.toml").read_bytes().replace(b'"fixtures/', f'"{root}/fixtures/'.encode()))
    (tmp_path / "env.json").write_text("{", encoding="utf-8")
    (tmp_path / "list.json").write_text("[]", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["fan-out", "--on=127.0.0.1:1", "-o", "out", *given]) == 2
    assert said in capsys.readouterr().err


def test_a_line_says_state_and_reason_and_steers_no_terminal() -> None:
    course = Course(work=work("a/fp8"), state="lost", host="vm", seconds=90.0, codes=[3], attempts=3, why="its node\x1b[2J has died")
    assert line_of(course) == "a/fp8: lost after 1.5 min, exit code 3, 0 of 1 suites measured: its node␛[2J has died"
    assert line_of(Course(work=work("a/fp8", after="a/bf16"), state="waits")) == "a/fp8: waits for a/bf16"
