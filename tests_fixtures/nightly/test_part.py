"""A night of one shard: its families alone, and what stands beside its records."""

from pathlib import Path

import pytest

from quantgate.errors import ConfigurationError
from quantgate.nightly import told
from quantgate.records import read_shard
from tests_fixtures.doubles.little_night import LittleNight

FAMILIES = ("first", "second")


def test_two_shards_measure_each_family_once(tmp_path: Path) -> None:
    ran, parts = list[str](), []
    for index in (1, 2):
        folder = tmp_path / str(index)
        folder.mkdir()
        little = LittleNight(folder, *FAMILIES)
        found = little.run(shard=f"{index}/2", records=folder / "records")
        assert found.exit_code == 0
        ran += sorted({line.family for line in found.lines})
        parts.append(read_shard(folder / "records"))
    one, other = parts
    assert one is not None
    assert other is not None
    assert sorted(ran) == list(FAMILIES)
    assert one.matrix == other.matrix == sorted(one.mine + other.mine)
    assert one.cut == other.cut == [["first"], ["second"]]
    assert (one.exit_code, one.device_class, one.ended is not None) == (0, "cpu", True)


def test_a_shard_without_families_is_a_good_night(tmp_path: Path) -> None:
    little = LittleNight(tmp_path, *FAMILIES)
    found = little.run(shard="3/3", records=tmp_path / "records", more=("--must-run",))
    assert found.exit_code == 0
    assert any("shard 3 of 3 has no family" in line for line in told(found))
    part = read_shard(tmp_path / "records")
    assert part is not None
    assert (part.mine, part.exit_code, part.must_run) == ([], 0, True)


def test_a_shard_that_there_is_not_is_refused_before_anything_runs(tmp_path: Path) -> None:
    little = LittleNight(tmp_path, *FAMILIES)
    with pytest.raises(ConfigurationError, match="--shard=3/2"):
        little.run(shard="3/2")
    assert not (tmp_path / "calls.jsonl").exists()
