"""`quantgate init`: a folder of one's own, from which the suite runs unchanged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from quantgate import registry
from quantgate.cli import main
from tests_fixtures.doubles.gated_project import ROOT

REFERENCE = ROOT / "fixtures" / "reference"
ALL = [str(REFERENCE / name) for name in ("bf16", "fp8", "nvfp4")]


def test_models_toml_says_what_was_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "mine"), *ALL]) == 0
    loaded = registry.load(tmp_path / "mine" / "models.toml")
    (family,) = loaded.family
    assert [(one.name, one.precision, one.path) for one in family.checkpoint] == [
        (name, name, str(REFERENCE / name)) for name in ("bf16", "fp8", "nvfp4")
    ]
    assert family.name == "reference"
    assert {one.serve.max_model_len for one in family.checkpoint} == {1024}
    assert loaded.tolerance_for(family, "fp8").perplexity_ratio == 1.02
    out = capsys.readouterr().out
    assert "reference/nvfp4: NVFP4, " in out
    assert "pytest -m bf16 --snapshot-update" in out
    assert "pytest -m 'fp8 or nvfp4'" in out


@pytest.mark.thorough
def test_pytest_started_there_finds_the_suite_and_keeps_to_that_folder(tmp_path: Path) -> None:
    made = tmp_path / "mine"
    main(["init", str(made), *ALL])
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "--gpu=cpu", "-m", "nvfp4", "--collect-only"]
    done = subprocess.run(command, cwd=made, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_perplexity_recovers[reference/nvfp4:prose-48]" in done.stdout
    assert f"records in {made / '.quantgate' / 'records'}" in done.stdout
    assert f"rootdir: {made}" in done.stdout


def test_two_checkpoints_of_one_precision_have_names_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = []
    for name, source in (("Some-1B", "bf16"), ("Some-1B-NVFP4", "nvfp4"), ("Some-1B-NVFP4-uncal", "nvfp4")):
        (tmp_path / name).symlink_to(REFERENCE / source)
        folders.append(str(tmp_path / name))
    assert main(["init", str(tmp_path / "mine"), "--json", "--family=some-1b", *folders]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in found["checkpoints"]] == ["bf16", "nvfp4", "nvfp4-uncal"]
    assert found["family"] == "some-1b"


def test_what_lies_there_is_kept_and_a_gitignore_gets_the_missing_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (tmp_path / ".gitignore").write_text("*.log", encoding="utf-8")
    assert main(["init", str(tmp_path), *ALL]) == 0
    assert (tmp_path / "pytest.ini").read_text(encoding="utf-8") == "[pytest]\n"
    assert (tmp_path / ".gitignore").read_text(encoding="utf-8") == "*.log\n.quantgate/\n.pytest_cache/\n"
    assert f"kept {tmp_path / 'pytest.ini'}, which was there" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (["nowhere/at/all"], "nowhere/at/all: there is no such folder, and a hub id looks like org/name"),
        ([ALL[0], f"{ALL[0]}/../bf16"], "are both BF16; a family has one original"),
        ([str(ROOT / "docs")], "is no checkpoint"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(
    named: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path / "mine"), *named]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "mine").exists()


def test_a_project_is_not_made_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path), *ALL]) == 0
    assert main(["init", str(tmp_path), *ALL]) == 2
    assert "models.toml is there already; add to it, or name another folder" in capsys.readouterr().err
