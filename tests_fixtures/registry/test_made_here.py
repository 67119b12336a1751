"""Checkpoints of our own making: a folder that is not there yet is told with the command that makes it, to whoever needs it alone."""

from pathlib import Path

import pytest

from quantgate.errors import ConfigurationError
from quantgate.registry import in_cache, load, local_folder
from quantgate.registry.models import Checkpoint

ARGUMENTS = "org/model --revision abc --scheme NVFP4 --calibrate ultrachat"


def read(tmp_path: Path, line: str) -> Checkpoint:
    file = tmp_path / "families" / "small.toml"
    file.parent.mkdir(exist_ok=True)
    head = '[[family]]\nname = "small"\nsuites = ["wikitext2-50"]\n\n[[family.checkpoint]]\nname = "nvfp4"\nprecision = "nvfp4"\n'
    file.write_text(f'{head}path = "../made here/nvfp4"\n{line}\n', encoding="utf-8")
    return load(file).family[0].checkpoint[0]


def test_a_checkpoint_that_is_not_made_yet_is_told_with_its_command(tmp_path: Path) -> None:
    one = read(tmp_path, f'quantize = "{ARGUMENTS}"')
    folder = tmp_path / "made here" / "nvfp4"
    assert in_cache(one) is None
    with pytest.raises(ConfigurationError) as error:
        local_folder(one)
    command = f"quantgate quantize {ARGUMENTS} -o '{folder}'"
    assert str(error.value) == f"small/nvfp4 has not been made yet: {folder} is not there; make it: {command}"


def test_once_it_is_there_it_is_a_folder_like_any_other(tmp_path: Path) -> None:
    folder = tmp_path / "made here" / "nvfp4"
    folder.mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"path \.\./made here/nvfp4 is no checkpoint: it holds no config\.json$"):
        read(tmp_path, f'quantize = "{ARGUMENTS}"')
    (folder / "config.json").write_text("{}", encoding="utf-8")
    one = read(tmp_path, f'quantize = "{ARGUMENTS}"')
    assert local_folder(one) == in_cache(one) == folder


def test_without_a_word_of_how_it_is_made_a_missing_folder_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"path \.\./made here/nvfp4 is no checkpoint: there is no folder "):
        read(tmp_path, "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f'quantize = "{ARGUMENTS}"\nrevision = "abc"', "says how it is made here, and revision that it is fetched; remove one of them"),
        ('quantize = "org/model \'"', "quantize is \"org/model '\", which no shell reads: No closing quotation"),
        ('quantize = "--scheme NVFP4"', "quantize is '--scheme NVFP4'; begin with the model, then --scheme and what else there is"),
        ('quantize = " "', "quantize is ' '; begin with the model, then --scheme and what else there is"),
        ('command = "rm"', "unknown key command in checkpoint nvfp4"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(line: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        read(tmp_path, line)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
