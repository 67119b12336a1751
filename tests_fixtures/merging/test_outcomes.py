"""What decides the exit code of the whole besides verdicts that pass: failures without a record, skips, what cannot be judged."""

import shutil
from pathlib import Path

import msgspec
import pytest

from quantgate.merging.judging import Judged
from quantgate.merging.outcomes import settle
from quantgate.merging.parts import read_parts
from quantgate.records import OUTCOMES, Outcome, read_outcomes, write_outcomes
from tests_fixtures.doubles.sharded import ENDED, Matrix, ended, reshard, verdicts_in


@pytest.fixture
def good(tmp_path: Path) -> Matrix:
    """Two families without loss, in two shards."""
    return Matrix(tmp_path, ("ada", "bell"))


def without_a_record(folder: Path, outcome: Outcome) -> None:
    """ada/nvfp4 text was not measured, and its test ended so."""
    for file in (folder / "ada" / "nvfp4").glob("text.*"):
        file.unlink()
    write_outcomes(folder / OUTCOMES, [outcome])


def test_all_good_is_0(good: Matrix) -> None:
    got = good.merge(good.shards(2))
    assert (got.exit_code, got.failed, got.unjudged, got.verdicts) == (0, [], [], {"pass": 16})


def test_a_boot_that_failed_is_1(good: Matrix) -> None:
    folders = good.shards(2)
    without_a_record(folders[0], ended("ada", "nvfp4", "text", "vLLM ended while it booted\nits log"))
    got = good.merge(folders)
    assert (got.exit_code, got.failed) == (1, ["failed: ada/nvfp4 text: vLLM ended while it booted"])


def test_a_test_of_the_checkpoint_s_files_that_failed_is_1(good: Matrix) -> None:
    folders = good.shards(2)
    unsound = Outcome(
        at=ENDED, test="tests_quant/test_x.py::test[ada/nvfp4]", outcome="failed", why="no scales", family="ada", checkpoint="nvfp4"
    )
    write_outcomes(folders[0] / OUTCOMES, [unsound])
    got = good.merge(folders)
    assert (got.exit_code, got.failed) == (1, ["failed: ada/nvfp4: no scales"])


@pytest.mark.parametrize("must_run", [False, True])
def test_a_skip_fails_where_all_must_run(good: Matrix, must_run: bool) -> None:
    folders = good.shards(2)
    skipped = msgspec.structs.replace(ended("ada", "nvfp4", "text", ""), outcome="skipped", why="no sm_100 here")
    without_a_record(folders[0], skipped)
    reshard(folders[0], must_run=must_run)
    got = good.merge(folders)
    assert (got.exit_code, got.failed) == ((1, ["failed: ada/nvfp4 text: --must-run: no sm_100 here"]) if must_run else (0, []))
    assert ("1 tests were skipped" in got.notes) is not must_run


def test_a_boot_that_failed_and_then_did_not_is_answered_by_its_record(good: Matrix) -> None:
    folders = good.shards(2)
    early = msgspec.structs.replace(ended("ada", "nvfp4", "text", "no boot"), at="2026-04-30T00:00:00+00:00")
    first = folders[0].with_name("first")
    shutil.copytree(folders[0], first)
    without_a_record(first, early)
    assert good.merge([*folders, first]).exit_code == 0


def test_the_last_end_of_a_test_counts_and_a_later_record_answers_for_an_end(good: Matrix) -> None:
    early = msgspec.structs.replace(ended("ada", "nvfp4", "load", "no boot"), at="2026-05-01")
    late = msgspec.structs.replace(ended("ada", "nvfp4", "load", ""), at="2026-05-02")
    folders = good.shards(2)
    parts = [part._replace(outcomes=[one]) for part, one in zip(read_parts(folders), (late, early), strict=True)]
    for order in (parts, parts[::-1]):
        assert settle(order, {}, {}, "warn").failed == []
        assert settle([part._replace(outcomes=[early]) for part in order], {}, {}, "warn").failed == ["failed: ada/nvfp4 load: no boot"]
    key = ("ada", "nvfp4", "load")
    record = parts[0].records["ada", "nvfp4", "text"]._replace(key=key, started="2026-05-03")
    judged = {key: Judged(key, [], ["on a CPU a speed is not judged"])}
    assert settle(parts[1:], judged, {key: record}, "warn").failed == []


def test_an_error_is_2(good: Matrix) -> None:
    folders = good.shards(2)
    for folder in folders:
        (folder / "shard.json").unlink()
    file = folders[0] / "ada" / "nvfp4" / "text.json"
    file.write_text(file.read_text().replace("s-text", "s-other"))
    got = good.merge(folders)
    assert (got.exit_code, got.failed, got.verdicts) == (2, [], {"error": 1, "pass": 15})
    assert got.unjudged[0].startswith("error: ada/nvfp4 text: the suite fingerprint changed")


def test_what_could_not_be_judged_in_its_shard_and_cannot_now_is_2(good: Matrix) -> None:
    (good.baselines / "cpu" / "ada" / "bf16" / "text.json").unlink()
    got = good.merge(good.shards(2))
    assert (got.exit_code, got.failed, len(got.unjudged)) == (2, [], 2)


def test_a_test_that_failed_for_something_else_than_its_verdict_still_fails(good: Matrix) -> None:
    folders = good.shards(2)
    write_outcomes(folders[0] / OUTCOMES, [ended("ada", "nvfp4", "text", "the clock went backwards")])
    got = good.merge(folders)
    assert (got.exit_code, got.failed) == (1, ["failed: ada/nvfp4 text: the clock went backwards"])


def test_a_verdict_for_want_of_a_baseline_in_its_shard_is_given_now(good: Matrix) -> None:
    good.baselines.rename(aside := good.root / "aside")
    folders = good.shards(2)
    assert {one.outcome for one in read_outcomes(folders[0] / OUTCOMES)} == {"failed"}
    aside.rename(good.baselines)
    got = good.merge(folders)
    assert (got.exit_code, got.verdicts) == (0, {"pass": 16})
    assert {one.outcome for one in read_outcomes(Path(got.into) / OUTCOMES)} == {"passed"}


def test_what_has_no_baseline_is_2_and_the_rest_is_judged(good: Matrix) -> None:
    folders = good.shards(2)
    (good.baselines / "cpu" / "ada" / "bf16" / "text.json").unlink()
    got = good.merge(folders)
    missing = "is not judged: no approved BF16 baseline for ada/bf16/text; measure and approve one: pytest -m bf16 --gpu=cpu --family=ada"
    assert (got.exit_code, got.verdicts, got.records) == (2, {"pass": 14}, 16)
    assert [line[: len(f"ada/bf16 text {missing}") + 1].strip() for line in got.unjudged] == [
        f"ada/bf16 text {missing}",
        got.unjudged[1][: len(f"ada/nvfp4 text {missing}")],
    ]
    assert got.unjudged[1].startswith(f"ada/nvfp4 text {missing}")
    assert f"--baselines={good.baselines} --snapshot-update" in got.unjudged[0]
    assert not [name for name in verdicts_in(Path(got.into)) if name.startswith("ada/nvfp4/text")]


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ('name = "ada"', 'name = "adah"', "has no family ada: give the models.toml that it was measured with (--models)"),
        ("nvfp4 = { accuracy_points = 4.0, perplexity_ratio = 1.05 }", "", "models.toml states no accuracy_points for nvfp4 of ada"),
    ],
)
def test_what_models_toml_lacks_is_2_and_the_rest_is_judged(good: Matrix, before: str, now: str, said: str) -> None:
    folders = good.shards(2)
    for folder in folders:
        (folder / "shard.json").unlink()
    good.models.write_text(good.models.read_text().replace(before, now, 1))
    got = good.merge(folders)
    assert got.exit_code == 2
    assert said in got.unjudged[0] + got.unjudged[-1]
    assert got.verdicts["pass"] == 8


def test_an_inconclusive_verdict_fails_where_that_was_asked_of_a_shard_or_of_merge(tmp_path: Path) -> None:
    matrix = Matrix(tmp_path, ("fermi",))
    folders = matrix.shards(1)
    inconclusive = "inconclusive: fermi/nvfp4 q-c"
    assert [line.partition(":")[0] for line in matrix.merge(folders, "warn").failed] == ["fail", "fail"]
    assert matrix.merge(folders, "fail", inconclusive="fail").failed[-1].startswith(inconclusive)
    reshard(folders[0], inconclusive="fail")
    assert matrix.merge(folders, "shard").failed[-1].startswith(inconclusive)


def test_nothing_to_judge_is_2(good: Matrix) -> None:
    folders = good.shards(1)
    shutil.rmtree(folders[0] / "ada")
    shutil.rmtree(folders[0] / "bell")
    (folders[0] / OUTCOMES).unlink()
    reshard(folders[0], mine=[], matrix=[], cut=[[]])
    assert good.merge(folders).exit_code == 2
