"""Where texts for calibration come from."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quantgate.errors import ConfigurationError
from quantgate.quantize import calibration
from tests_fixtures.doubles.fake_llmcompressor import rows


def test_the_files_of_the_split_are_taken_where_names_tell_it_else_all(tmp_path: Path) -> None:
    folder = tmp_path / "ultrachat" / "data"
    folder.mkdir(parents=True)
    for name in ("train_sft-1.parquet", "train_sft-0.parquet", "test_sft-0.parquet", "train_gen-0.parquet", "README.md"):
        (folder / name).touch()
    found = calibration.choose("ultrachat", tmp_path, 1, 1, 0)
    assert found is not None
    assert [file.name for file in found.files or []] == ["train_sft-0.parquet", "train_sft-1.parquet"]
    (tmp_path / "own").mkdir()
    rows(tmp_path / "own", 1)
    alone = calibration.choose(None, tmp_path / "own", 1, 1, 0)
    assert alone is not None
    assert (alone.source, alone.files) == (str(tmp_path / "own"), [tmp_path / "own" / "a.jsonl"])


def test_a_data_folder_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=rf"^--data-dir: there is no \*.jsonl or \*.parquet in {tmp_path}/gone$"):
        calibration.choose("gone", tmp_path, 1, 1, 0)


def test_the_hub_is_asked_for_the_split_alone_and_its_commit_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = tmp_path / ("c" * 40)
    (commit / "data").mkdir(parents=True)
    (commit / "data" / "train_sft-0.parquet").touch()
    asked: list[Any] = []

    def fetch(*given: Any, **named: Any) -> Path:
        asked.extend([given, named])
        return commit

    monkeypatch.setattr(calibration, "fetch", fetch)
    wanted = calibration.choose("ultrachat", None, 1, 1, 0)
    assert wanted is not None
    found = calibration.fetched(wanted)
    assert found.source == f"HuggingFaceH4/ultrachat_200k at {'c' * 12}"
    assert found.files == [commit / "data" / "train_sft-0.parquet"]
    assert asked[0] == ("HuggingFaceH4/ultrachat_200k", None, "--calibrate ultrachat (HuggingFaceH4/ultrachat_200k)")
    assert asked[1]["kind"] == "dataset"
    assert "*/train_sft-*.parquet" in asked[1]["only"]


def test_a_length_within_the_model_s_is_left_as_it_is() -> None:
    wanted = calibration.Wanted("reference", 1, 100, 0, [])
    model: Any = SimpleNamespace(name="m", longest=100)
    assert calibration.fitted(wanted, model) == (wanted, None)
