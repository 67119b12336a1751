"""Shards of one matrix as one whole: however it was cut, and in whichever order they are named, the verdicts are the same."""

import itertools
import shutil
from pathlib import Path

import msgspec
import pytest

from quantgate.merging import told
from quantgate.records import INSPECTION, OUTCOMES, Verdict, read_outcomes, read_shard, write_outcomes, write_record
from quantgate.stats import holm
from tests_fixtures.doubles.examples import with_provenance
from tests_fixtures.doubles.sharded import FAMILIES, Matrix, ended, entries_of, files_in, measured, reshard, verdicts_in

CHANGED = "fermi/nvfp4 q-a was inconclusive in {}, is fail: with all 4 suites p = 0.019"


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    return Matrix(tmp_path_factory.mktemp("matrix"))


@pytest.fixture
def small(tmp_path: Path) -> Matrix:
    """Two families, in two shards."""
    return Matrix(tmp_path, ("ada", "fermi"))


def test_however_it_was_cut_the_verdicts_are_the_same(matrix: Matrix) -> None:
    got = {count: matrix.merge(matrix.shards(count), f"cut-{count}") for count in (1, 2, 3, 6)}
    found = [verdicts_in(Path(one.into)) for one in got.values()]
    assert len(found[0]) == 2 * 4 * len(FAMILIES)
    assert all(one == found[0] for one in found)
    assert {one.exit_code for one in got.values()} == {1}
    assert [one.verdicts for one in got.values()] == [{"fail": 6, "inconclusive": 1, "pass": 41}] * 4


def test_a_verdict_that_knows_all_suites_is_told_where_its_shard_had_another(matrix: Matrix) -> None:
    folders = matrix.shards(2, "told")
    got = matrix.merge(folders, "told-merged")
    name = f"shard 2 of 2 ({folders[1]})"
    assert got.changed == [CHANGED.format(name)]
    assert f"changed by merging: {CHANGED.format(name)}" in told(got)
    file = "fermi/nvfp4/q-a.verdict.json"
    p_values = [
        msgspec.json.decode((Path(got.into) / file.replace("q-a", suite)).read_bytes(), type=Verdict).p_value_alone
        for suite in ("q-a", "q-b", "q-c", "text")
    ]
    now = msgspec.json.decode((Path(got.into) / file).read_bytes(), type=Verdict)
    assert now.p_value == holm([p for p in p_values if p is not None])[0]
    outcome = next(
        one for one in read_outcomes(Path(got.into) / OUTCOMES) if (one.family, one.suite, one.checkpoint) == ("fermi", "q-a", "nvfp4")
    )
    assert (outcome.outcome, outcome.why.partition(":")[0]) == ("failed", "fail")


def test_all_else_is_what_the_unsharded_run_said(matrix: Matrix) -> None:
    whole = matrix.shards(1, "unsharded")
    now = verdicts_in(Path(matrix.merge(matrix.shards(3, "sharded"), "sharded-merged").into))
    words = {name: msgspec.json.decode(content, type=Verdict).verdict for name, content in verdicts_in(whole[0]).items()}
    assert {name for name, content in now.items() if msgspec.json.decode(content, type=Verdict).verdict != words[name]} == {
        "fermi/nvfp4/q-a.verdict.json"
    }


def test_the_order_of_folders_plays_no_part(matrix: Matrix) -> None:
    folders = matrix.shards(3, "ordered")
    first = files_in(Path(matrix.merge(folders, "order-0").into))
    for number, order in enumerate(itertools.permutations(folders), 1):
        assert files_in(Path(matrix.merge(order, f"order-{number}").into)) == first


def test_a_merge_of_merges_is_the_merge_of_all(small: Matrix) -> None:
    folders = small.shards(2)
    reshard(folders[0], index=1, count=1, cut=[["ada"]], matrix=entries_of("ada"))  # as under fan-out: each 1 of 1
    reshard(folders[1], index=1, count=1, cut=[["fermi"]], matrix=entries_of("fermi"))
    all_at_once, one = small.merge(folders, "at-once"), small.merge(folders[:1], "one")
    again = small.merge([Path(one.into), folders[1]], "again")
    assert verdicts_in(Path(again.into)) == verdicts_in(Path(all_at_once.into))
    assert (again.records, again.exit_code) == (all_at_once.records, all_at_once.exit_code)
    twice = small.merge([Path(again.into)], "twice")
    assert files_in(Path(twice.into)) == files_in(Path(again.into))
    assert twice.changed == []


def test_what_went_in_stands_in_one_shard_json(small: Matrix) -> None:
    folders = small.shards(2)
    found = read_shard(Path(small.merge(folders).into))
    assert found is not None
    assert (found.index, found.count, found.host, found.exit_code) == (1, 1, "host-1, host-2", 1)
    assert found.mine == found.matrix == sorted([*entries_of("ada"), *entries_of("fermi")])
    assert found.merged_from == [f"shard {number} of 2 ({folder})" for number, folder in enumerate(folders, 1)]


def test_identical_records_twice_are_one(small: Matrix) -> None:
    folders = small.shards(2)
    copied = folders[0].with_name("copied")
    shutil.copytree(folders[0], copied)
    got = small.merge([*folders, copied, folders[0]])
    assert (got.records, got.unjudged) == (16, [])
    assert files_in(Path(got.into)).keys() == files_in(Path(small.merge(folders, "without").into)).keys()
    assert verdicts_in(Path(got.into)) == verdicts_in(small.root / "without")


def test_a_suite_that_was_asked_and_has_no_record_counts_in_the_correction(small: Matrix) -> None:
    folders = small.shards(2)
    whole = p_value(Path(small.merge(folders, "whole").into))
    for file in (folders[1] / "fermi" / "nvfp4").glob("text.*"):
        file.unlink()
    write_outcomes(folders[1] / OUTCOMES, [ended("fermi", "nvfp4", "text", "no boot")])
    assert p_value(Path(small.merge(folders, "lacking").into)) == whole


def p_value(folder: Path) -> float | None:
    return msgspec.json.decode((folder / "fermi/nvfp4/q-a.verdict.json").read_bytes(), type=Verdict).p_value


def test_the_record_of_the_shard_that_was_asked_counts(small: Matrix) -> None:
    folders = small.shards(2)
    stale = with_provenance(measured("fermi")[0], started="2025-01-01T00:00:00+00:00")
    write_record(folders[0], stale)  # of an earlier run with another cut
    got = small.merge(folders)
    assert (got.records, (Path(got.into) / "fermi/bf16/q-a.json").read_bytes()) == (16, (folders[1] / "fermi/bf16/q-a.json").read_bytes())


def test_a_shard_that_was_killed_and_ended_elsewhere_is_whole(small: Matrix) -> None:
    folders = small.shards(2)
    killed = folders[1].with_name("killed")
    shutil.copytree(folders[1], killed)
    reshard(killed, ended=None, exit_code=None)
    (killed / OUTCOMES).unlink()
    (killed / "fermi" / "nvfp4" / "text.json").unlink()
    got = small.merge([folders[0], killed, folders[1]])
    assert (got.records, got.unjudged) == (16, [])


def test_a_shard_that_was_interrupted_is_merged_and_what_it_lacks_is_told(small: Matrix) -> None:
    folders = small.shards(2)
    (folders[0] / "ada" / "nvfp4" / "text.json").unlink()
    (folders[0] / OUTCOMES).unlink()
    reshard(folders[0], exit_code=2)
    got = small.merge(folders)
    where = f"shard 1 of 2 ({folders[0]}), which ended with exit code 2,"
    assert got.unjudged == [f"ada/nvfp4 text was asked of {where} and has neither a record nor an end: run it again"]
    assert got.records == 15


@pytest.mark.parametrize(("device_class", "told"), [("cpu", []), ("NVIDIA H200", ["ada/nvfp4 decode-16x64 was"])])
def test_a_load_that_a_cpu_leaves_out_is_not_missing(small: Matrix, device_class: str, told: list[str]) -> None:
    folders = small.shards(1)
    load = [*entries_of("ada"), *entries_of("fermi"), "ada/nvfp4:decode-16x64"]
    reshard(folders[0], matrix=load, mine=load, device_class=device_class)
    assert [line.partition(" asked of")[0] for line in small.merge(folders).unjudged] == told


def test_partial_merges_what_is_there_and_tells_what_is_missing(small: Matrix) -> None:
    folders = small.shards(2)
    got = small.merge(folders[:1], partial=True)
    assert got.exit_code == 2
    assert [line.partition(":")[0] for line in got.unjudged] == [f"shard 2 of 2 (fermi) is missing beside shard 1 of 2 ({folders[0]})"]


def test_an_empty_shard_may_be_missing_or_there(small: Matrix) -> None:
    folders = small.shards(3)
    assert small.merge(folders, "with").verdicts == small.merge(folders[:2], "without").verdicts


def test_folders_without_shard_json_are_parts_of_their_own(small: Matrix) -> None:
    folders = small.shards(2)
    with_them = verdicts_in(Path(small.merge(folders, "with").into))
    for folder in folders:
        (folder / "shard.json").unlink()
    assert verdicts_in(Path(small.merge(folders, "without").into)) == with_them


def test_garbage_is_left_and_what_stands_in_a_record_s_place_is_told(small: Matrix) -> None:
    folders = small.shards(2)
    for name in ("notes.txt", "ada/.DS_Store", "ada/nvfp4/._text.json", "ada/nvfp4/.text.json.k3f", "ada/nvfp4/core"):
        (folders[0] / name).write_text("garbage")
    clean = small.merge(folders, "clean")
    assert clean.unjudged == []
    assert not [name for name in files_in(Path(clean.into)) if "notes" in name or "DS_Store" in name or "core" in name or "._" in name]
    (folders[0] / "ada" / "nvfp4" / "extra.json").write_text('{"kind": "ans')
    shutil.copy(folders[0] / "ada" / "bf16" / "text.json", folders[0] / "ada" / "nvfp4" / "other.json")
    got = small.merge(folders, "told")
    assert [line.partition(": ")[0] for line in got.unjudged] == [
        f"{folders[0]}/ada/nvfp4/extra.json is no usable record",
        f"{folders[0]}/ada/nvfp4/other.json holds ada/bf16 text, which is not what its place says (ada/nvfp4 other); "
        "put it where it belongs",
    ]
    assert got.records == 16


def test_records_that_nobody_asked_for_are_left(small: Matrix) -> None:
    folders = small.shards(2)
    write_record(folders[0], measured("bell")[0])
    got = small.merge(folders)
    assert (got.records, got.notes[-1]) == (16, f"{folders[0]} holds bell/bf16 q-a, which its run was not asked for: left there")


def test_what_lies_beside_goes_along_and_logs_go_to_their_host(small: Matrix) -> None:
    folders = small.shards(2)
    (folders[0] / "ada" / "nvfp4" / "q-a.harness").mkdir()
    (folders[0] / "ada" / "nvfp4" / "q-a.harness" / "results.json").write_text("{}")
    (folders[0] / "ada" / "nvfp4" / INSPECTION).write_text("{}\n")
    again = folders[0].with_name("again")
    shutil.copytree(folders[0], again)
    (again / "ada" / "nvfp4" / "server.log").write_text("ada served once more\n")
    found = files_in(Path(small.merge([*folders, again]).into))
    assert found["ada/nvfp4/q-a.harness/results.json"] == b"{}"
    assert found[f"ada/nvfp4/{INSPECTION}"] == b"{}\n"
    assert found["fermi/nvfp4/host-2/server.log"] == b"fermi served\n"
    assert {found["ada/nvfp4/host-1/server.log"], found["ada/nvfp4/host-1/server-2.log"]} == {b"ada served\n", b"ada served once more\n"}
