"""What cannot be one whole is refused: one sentence, both places, what to do; and nothing is written then."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from quantgate.errors import ConfigurationError, RecordError
from quantgate.merging import merge
from quantgate.records import OUTCOMES, write_record
from tests_fixtures.doubles.examples import speed, with_provenance
from tests_fixtures.doubles.sharded import STARTED, Matrix, entries_of, measured, reshard

Change = Callable[[list[Path]], list[Path]]


@pytest.fixture
def small(tmp_path: Path) -> Matrix:
    return Matrix(tmp_path, ("ada", "fermi"))


def another_record(folders: list[Path]) -> list[Path]:
    copied = folders[0].with_name("copied")
    shutil.copytree(folders[0], copied)
    write_record(copied, with_provenance(measured("ada")[0], started="2026-05-02T01:00:00+00:00"))
    return [*folders, copied]


def alone_with_another_record(folders: list[Path]) -> list[Path]:
    for folder in (found := another_record(folders)):
        (folder / "shard.json").unlink()
    return found


def one_missing(folders: list[Path]) -> list[Path]:
    return folders[:1]


def never_ended(folders: list[Path]) -> list[Path]:
    reshard(folders[1], ended=None, exit_code=None)
    return folders


def another_matrix(folders: list[Path]) -> list[Path]:
    reshard(folders[1], matrix=[*entries_of("fermi"), "gauss/bf16:text"])
    return folders


def another_cut(folders: list[Path]) -> list[Path]:
    reshard(folders[1], cut=[["fermi"], ["ada"]])
    return folders


def other_models(folders: list[Path]) -> list[Path]:
    reshard(folders[1], models_sha256="f00f" * 16)
    return folders


def models_of_nobody(folders: list[Path]) -> list[Path]:
    for folder in folders:
        reshard(folder, models_sha256="f00f" * 16)
    return folders


def one_without_shard_json(folders: list[Path]) -> list[Path]:
    (folders[1] / "shard.json").unlink()
    return folders


def two_device_classes(folders: list[Path]) -> list[Path]:
    for folder, checkpoint, device_class in ((folders[0], "bf16", "NVIDIA H100 tp2"), (folders[1], "nvfp4", "NVIDIA H200")):
        made = msgspec.structs.replace(speed([100.0] * 3), family="ada", checkpoint=checkpoint, precision=checkpoint, suite="decode")
        write_record(folder, with_provenance(made, device_class=device_class))
        (folder / "shard.json").unlink()
    return folders


CASES: dict[Change, str] = {
    another_record: r"one shard is given twice, with different records of ada/bf16 q-a: shard 1 of 2 \(\S+copied\) has one from "
    r"2026-05-02\S+, shard 1 of 2 \(\S+part-1\) one from 2026-05-01\S+; leave one of the folders out, or take .* away",
    alone_with_another_record: r"two different records of ada/bf16 q-a: \S+copied has one from \S+, \S+part-1 one from \S+; leave one .*",
    one_missing: r"shard 2 of 2 \(fermi\) is missing beside shard 1 of 2 \(\S+part-1\): give its folder, or "
    r"measure it with pytest --shard=2/2",
    never_ended: r"shard 2 of 2 \(\S+part-2\) on host-2, begun \S+, never ended \(shard 1 of 2 \(\S+part-1\) did\): run it again, .*",
    another_matrix: r"shard 1 of 2 \(\S+part-1\) and shard 2 of 2 \(\S+part-2\) are of different matrices \(ada/bf16:q-a is in one alone\)"
    r": run every shard with the same options .*",
    another_cut: r"shard 1 of 2 \(\S+part-1\) and shard 2 of 2 \(\S+part-2\) are of different cuts: run every shard with the same N .*",
    other_models: r"shard 1 of 2 \(\S+part-1\) \(\w{12}\) and shard 2 of 2 \(\S+part-2\) \(f00ff00ff00f\) were run with different "
    r"models.toml: run both with one, or merge those of one alone",
    models_of_nobody: r"shard 1 of 2 \(\S+part-1\) was run with another models.toml \(f00ff00ff00f\) than \S+models.toml \(\w{12}\): .*",
    one_without_shard_json: r"shard 1 of 2 \(\S+part-1\) is part of a matrix, and \S+part-2 has no shard.json: give one or the other\n.*",
    two_device_classes: r"speeds of two device classes in ada's verdicts: ada/bf16 decode on NVIDIA H100 tp2 \(\S+part-1\) and ada/nvfp4 "
    r"decode on NVIDIA H200 \(\S+part-2\); merge the folders of each device class by themselves",
}


@pytest.mark.parametrize("change", CASES, ids=lambda change: change.__name__)
def test_it_is_refused_in_one_sentence_whatever_the_order(small: Matrix, change: Change) -> None:
    folders = change(small.shards(2))
    said = set()
    for order in (folders, folders[::-1]):
        with pytest.raises(ConfigurationError) as refused:
            small.merge(order)
        said.add(str(refused.value))
        assert not (small.root / "merged").exists()
    assert len(said) == 1
    assert re.fullmatch(CASES[change], said.pop(), re.DOTALL)


def test_the_speeds_of_one_family_on_one_kind_of_device_are_merged_whatever_their_number(small: Matrix) -> None:
    folders = two_device_classes(small.shards(2))
    file = folders[1] / "ada" / "nvfp4" / "decode.json"
    file.write_text(file.read_text().replace("NVIDIA H200", "NVIDIA H100"))
    assert small.merge(folders).records == 18


def test_two_device_classes_that_one_run_has_measured_side_by_side_are_its_own_affair(small: Matrix) -> None:
    folders = two_device_classes(small.shards(2))
    (folders[1] / "ada" / "nvfp4" / "decode.json").rename(folders[0] / "ada" / "nvfp4" / "decode.json")
    assert small.merge(folders).records == 18


@pytest.mark.parametrize(
    ("into", "wrong"),
    [
        ("of-2/part-1", r"-o \S+part-1 is \S+part-1, one of the folders that are merged: name another folder, .*"),
        ("of-2", r"\S+part-1, which is merged, lies in -o \S+of-2: name a folder beside it\n.*"),
        ("of-2/part-1/merged", r"\S+part-1, which is merged, holds -o \S+merged: name a folder beside it"),
        ("models.toml", r"-o \S+models.toml is a file: name a folder"),
    ],
)
def test_an_output_among_the_inputs_is_refused(small: Matrix, into: str, wrong: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        small.merge(small.shards(2), into)
    assert re.fullmatch(wrong, str(refused.value), re.DOTALL)


def test_another_record_in_the_output_is_refused_and_left(small: Matrix) -> None:
    folders, into = small.shards(2), small.root / "merged"
    old = write_record(into, with_provenance(measured("ada")[0], started="2025-01-01T00:00:00+00:00"))
    strange = write_record(into, measured("bell")[0])
    before = old.read_bytes()
    with pytest.raises(ConfigurationError) as refused:
        small.merge(folders)
    another, unknown = str(refused.value).splitlines()
    where = f"{old} from 2025-01-01T00:00:00+00:00, {folders[0]}/ada/bf16/q-a.json from {STARTED}"
    assert another == f"-o {into} holds another record of ada/bf16 q-a: {where}; name a new folder, or take the old one away"
    assert unknown == f"-o {into} holds a record of bell/bf16 q-a ({strange}), which no folder that is merged has: name a new folder"
    assert old.read_bytes() == before


def test_what_is_no_folder_of_records_is_refused(small: Matrix, tmp_path: Path) -> None:
    (empty := tmp_path / "empty").mkdir()
    for folder, wrong in ((tmp_path / "none", "is no folder"), (empty, "holds neither shard.json nor a record")):
        with pytest.raises(ConfigurationError, match=f"{folder} {wrong}"):
            small.merge([folder])


def test_a_shard_json_that_is_none_is_refused(small: Matrix) -> None:
    folders = small.shards(2)
    (folders[0] / "shard.json").write_text("{")
    with pytest.raises(RecordError, match=r"shard\.json says nothing of a shard"):
        small.merge(folders)


def test_a_models_toml_that_is_not_there_is_refused(small: Matrix) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        merge(small.shards(2), small.root / "merged", models=small.root / "none.toml")


def test_of_many_refusals_twenty_are_told(tmp_path: Path) -> None:
    matrix = Matrix(tmp_path)
    folders = matrix.shards(1)
    copied = folders[0].with_name("copied")
    shutil.copytree(folders[0], copied)
    for file in copied.glob("*/*/*.json"):
        if not file.name.endswith(".verdict.json"):
            file.write_bytes(file.read_bytes() + b"\n")
    (copied / OUTCOMES).unlink()
    with pytest.raises(ConfigurationError) as refused:
        matrix.merge([*folders, copied])
    lines = str(refused.value).splitlines()
    assert (len(lines), lines[-1]) == (21, "and 28 more")
