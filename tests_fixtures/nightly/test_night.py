"""A whole night: its exit code, what it tells, its history and its page, whatever happens in it."""

import json
import os
import time
from pathlib import Path

import pytest

from quantgate.nightly import Night, night, running, told
from tests_fixtures.doubles.little_night import FILES, QUESTIONS, SPEED, TEXT, LittleNight


@pytest.fixture
def little(tmp_path: Path) -> LittleNight:
    return LittleNight(tmp_path)


def words(little: LittleNight) -> dict[str, str]:
    """The history: checkpoint and suite → verdict."""
    return {f"{line.checkpoint}:{line.suite}": line.verdict for line in little.history}


def test_green(little: LittleNight) -> None:
    found = little.run()
    assert found.exit_code == 0
    assert words(little) == {"bf16:reference-text": "pass", TEXT: "pass", QUESTIONS: "pass", SPEED: "pass"}
    assert {line.run for line in little.history} == {found.run}
    assert found.report is not None
    assert Path(found.report).read_text(encoding="utf-8") == "page"
    assert told(found)[-1] == "exit code 0: all that was asked passed"
    assert json.loads((Path(found.records) / "night.json").read_text(encoding="utf-8"))["exit_code"] == 0


def test_structure_comes_first_then_accuracy_then_speed(little: LittleNight) -> None:
    little.run()
    collected, *phases = little.calls
    assert "--collect-only" in collected
    left = [{TEXT, FILES, SPEED} - {one.rpartition("/")[2].rstrip("]") for one in call if "--deselect" in one} for call in phases]
    assert left == [{FILES}, {TEXT}, {SPEED}]


def test_red_and_what_comes_after_it_is_asked_all_the_same(tmp_path: Path) -> None:
    little = LittleNight(tmp_path, "reference", "second")
    little.how[f"reference/{TEXT}"] = "fail"
    found = little.run()
    assert found.exit_code == 1
    assert found.failed == [f"fail: reference/{TEXT}: because"]
    assert [line.verdict for line in little.history if line.family == "second"] == ["pass"] * 4
    assert words(little)[SPEED] == "pass"
    assert found.report is not None


def test_what_to_type_stands_below_its_line_and_nothing_steers_a_terminal() -> None:
    night = Night(run="r", started="s", records="d", exit_code=1, failed=["fail: a\x1b[2J b\n    quantgate inspect c\u202e"])
    assert told(night)[0] == "fail: a [2J b\n    quantgate inspect c "


def test_inconclusive_is_told_and_pytest_decides_what_it_does(little: LittleNight) -> None:
    little.how[f"reference/{QUESTIONS}"] = "inconclusive"
    found = little.run(inconclusive="pass", more=("--must-run",))
    assert all("--inconclusive=pass" in call and "--must-run" in call for call in little.calls)
    assert found.exit_code == 0
    assert f"inconclusive: reference/{QUESTIONS}: because" in told(found)
    assert words(little)[QUESTIONS] == "inconclusive"


def test_where_all_is_skipped_nothing_was_measured(little: LittleNight) -> None:
    little.how |= {f"reference/{one}": "skip" for one in ("bf16:reference-text", TEXT, QUESTIONS, SPEED)}
    found = little.run()
    assert (found.exit_code, len(found.skipped), found.lines) == (5, 4, [])
    assert f"skipped: reference/{TEXT}: data set is gated" in told(found)
    assert little.history == []


def test_a_server_that_does_not_boot_is_a_broken_night_of_its_suites_alone(little: LittleNight) -> None:
    little.how |= {f"reference/{one}": "boot" for one in ("nvfp4:kernels", TEXT, QUESTIONS)}
    found = little.run()
    assert found.exit_code == 1
    broken = [line for line in little.history if line.is_broken]
    assert [f"{line.checkpoint}:{line.suite}" for line in broken] == [TEXT, QUESTIONS]
    assert all("out of memory" in line.reason and line.device_class == "cpu" for line in broken)
    assert words(little)["bf16:reference-text"] == "pass"


def test_unsound_files_are_not_served_and_what_is_sound_is(little: LittleNight) -> None:
    little.how[f"reference/{FILES}"] = "assertion"
    found = little.run()
    assert found.exit_code == 1
    assert words(little) == {"bf16:reference-text": "pass", TEXT: "error", QUESTIONS: "error", SPEED: "error"}
    assert len(little.calls) == 3  # collected, structure, and accuracy of BF16; no speed
    assert all("unsound: AssertionError: another kernel" in line.reason for line in little.history if line.is_broken)


def test_at_the_deadline_what_runs_is_stopped(little: LittleNight, monkeypatch: pytest.MonkeyPatch) -> None:
    little.how[f"reference/{TEXT}"] = "hang"
    soon = running.run_until
    monkeypatch.setattr(night, "run_until", lambda command, at, *rest: soon(command, min(at, time.monotonic() + 1), *rest))
    found = little.run(hours=5.0)
    assert found.exit_code == 2
    assert found.was_late
    assert not found.was_interrupted
    assert (words(little)[TEXT], words(little)[QUESTIONS]) == ("interrupted", "interrupted")
    assert found.report is not None


def test_before_the_deadline_the_least_informative_suite_is_dropped_and_named(little: LittleNight) -> None:
    little.remember(TEXT, seconds=900.0)
    little.remember(QUESTIONS, seconds=900.0, half_width=0.06)
    little.remember(SPEED, seconds=900.0)
    found = little.run(hours=0.6)  # 2160 s, of which 120 are for the end
    assert found.exit_code == 0
    assert found.dropped == ["reference/nvfp4 reference-questions (900 s, decides 37 %): not asked, to end within 0.6 hours"]
    assert [line for line in found.lines if line.suite == "reference-questions"] == []


def test_where_no_time_is_left_nothing_is_measured(little: LittleNight) -> None:
    found = little.run(hours=1e-9)
    assert found.exit_code == 5
    assert len(found.dropped) == 4
    assert len(little.calls) == 1


def test_an_interrupted_night_keeps_what_it_has_and_tells_the_rest(little: LittleNight) -> None:
    little.how[f"reference/{QUESTIONS}"] = "interrupt"
    found = little.run()
    assert (found.exit_code, found.was_interrupted) == (2, True)
    assert words(little) == {"bf16:reference-text": "pass", TEXT: "pass", QUESTIONS: "interrupted"}
    assert found.report is not None


def test_a_pytest_that_is_killed_breaks_a_part_of_the_night(little: LittleNight) -> None:
    little.how[f"reference/{QUESTIONS}"] = "killed"
    found = little.run()
    assert found.exit_code == 3
    assert found.internal == ["reference: pytest was killed by signal 9"]
    assert words(little) == {"bf16:reference-text": "pass", TEXT: "pass", QUESTIONS: "interrupted", SPEED: "pass"}


def test_a_family_that_pytest_refuses_is_told_and_the_other_goes_on(tmp_path: Path) -> None:
    little = LittleNight(tmp_path, "reference", "second")
    little.refusals["reference"] = "ERROR: no tolerance for nvfp4"
    found = little.run()
    assert found.exit_code == 4
    assert found.usage == ["reference: pytest could not collect (exit code 4): ERROR: no tolerance for nvfp4"]
    assert {line.family for line in little.history} == {"second"}


def test_a_night_that_nobody_can_read_is_not_green(little: LittleNight) -> None:
    found = little.run(reporter=("python3", "-c", "import sys; sys.exit('no such command')"))
    assert (found.exit_code, found.no_report) == (3, "no such command")


def test_a_page_of_another_night_is_not_taken_for_this_ones(little: LittleNight, tmp_path: Path) -> None:
    page = tmp_path / "page" / "index.html"
    page.parent.mkdir()
    page.touch()
    os.utime(page, (0, 0))
    found = little.run(report=page.parent, reporter=("python3", "-c", "pass"))
    assert (found.report, found.no_report) == (None, "exit code 0")


def test_records_of_another_night_in_the_same_folder_do_not_count(little: LittleNight, tmp_path: Path) -> None:
    records = tmp_path / "records"
    (records / "reference/nvfp4").mkdir(parents=True)
    (records / "reference/nvfp4/reference-text.json").write_text(little._record("reference", TEXT), encoding="utf-8")
    verdict = {"verdict": "pass", "family": "reference", "checkpoint": "nvfp4", "suite": "reference-text", "unit": "", "reason": ""}
    (records / "reference/nvfp4/reference-text.verdict.json").write_text(json.dumps(verdict), encoding="utf-8")
    little.how[f"reference/{TEXT}"] = "boot"
    assert little.run(records=records).exit_code == 1
    assert words(little)[TEXT] == "error"


def test_the_cost_of_a_boot_is_what_is_left_beside_the_suites(little: LittleNight) -> None:
    little.run()
    assert all(line.seconds == 1.5 and line.boot_seconds == 0.0 for line in little.history)  # the records say more than it took
