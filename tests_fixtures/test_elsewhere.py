"""Where pytest does not know quantgate's options, one sentence says which form works."""

import subprocess
import sys
from pathlib import Path

import pytest

from quantgate.elsewhere import OPTIONS, WITH_A_PATH, sentence

ROOT = Path(__file__).parents[1]


def test_it_knows_the_options_that_there_are(pytestconfig: pytest.Config) -> None:
    registered = {
        name for group in pytestconfig._parser._groups if group.name == "quantgate" for option in group.options for name in option.names()
    }
    assert set(OPTIONS) == registered
    assert set(WITH_A_PATH) <= registered


def test_a_path_behind_a_space_is_named_with_the_form_that_works(tmp_path: Path) -> None:
    given = ["-m", "nvfp4", "--records", str(tmp_path)]
    said = f"pytest takes {tmp_path} behind --records for a place of tests: write --records={tmp_path}"
    assert sentence(["--records"], given, Path("/"), ROOT) == said
    assert sentence(["--records"], ["--records", "not/there"], tmp_path, ROOT) != said


def test_a_folder_without_quantgate_is_told_where_its_options_are_known(tmp_path: Path) -> None:
    said = sentence(["--models=models.toml"], ["--models=models.toml"], tmp_path, ROOT)
    assert said == (
        f"--models is known in quantgate's checkout ({ROOT}) and in a folder that `quantgate init` has made, and {tmp_path} is neither: "
        f"go there, or run `quantgate init {tmp_path}` first"
    )
    assert "checkout and" in str(sentence(["--gpu=0"], ["--gpu=0"], tmp_path, tmp_path))  # a wheel knows of no checkout


def test_options_of_others_are_none_of_its_business(tmp_path: Path) -> None:
    assert sentence(["--theirs", "--gpus=1"], ["--theirs", "--gpus=1"], tmp_path, ROOT) is None


@pytest.mark.thorough
@pytest.mark.usefixtures("no_worker")
def test_pytest_in_a_strange_folder_says_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-m", "nvfp4", "--records", str(tmp_path)]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"write --records={tmp_path}" in done.stderr
