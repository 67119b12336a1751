"""A step of git bisect: good, bad, or cannot tell."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from quantgate.cli import main
from quantgate.nightly.bisect import BAD, CANNOT_TELL, GOOD, step_of
from quantgate.nightly.junit import Outcome

PASS, FAIL = ("pass", "pass: a b: within"), ("fail", "fail: a b: worse")
UNCLEAR, ERROR, ALONE = ("inconclusive", "inconclusive: n"), ("error", "error: did not boot"), ("not compared", "not compared: c")


def outcome(ended: str, *lines: tuple[str, str], why: str = "") -> Outcome:
    return Outcome("a:b", ended, why, list(lines))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "outcomes", "answer", "said"),
    [
        (0, [outcome("passed", PASS), outcome("passed")], GOOD, "pass: a b: within"),
        (0, [outcome("passed")], GOOD, "every test passed"),
        (0, [outcome("passed", PASS, ALONE)], GOOD, "pass: a b: within"),
        (1, [outcome("passed", PASS), outcome("failed", FAIL)], BAD, "fail: a b: worse"),
        (1, [outcome("failed", ERROR, why="did not boot"), outcome("failed", FAIL)], BAD, "fail: a b: worse"),
        (1, [outcome("failed", why="AssertionError: another kernel")], BAD, "a:b: AssertionError: another kernel"),
        (1, [outcome("failed", ERROR, why="did not boot")], CANNOT_TELL, "error: did not boot"),
        (1, [outcome("passed", PASS), outcome("failed", why="died")], CANNOT_TELL, "a:b: died"),
        (0, [outcome("passed", PASS), outcome("passed", UNCLEAR)], CANNOT_TELL, "inconclusive: n"),
        (0, [outcome("passed", ALONE)], CANNOT_TELL, "not compared: c"),
        (0, [outcome("skipped", why="gated")], CANNOT_TELL, "pytest ended with exit code 0, and 1 tests have nothing to say"),
        (5, [], CANNOT_TELL, "pytest ended with exit code 5, and 0 tests have nothing to say"),
        (3, [outcome("passed", PASS)], CANNOT_TELL, "pytest ended with exit code 3, and 1 tests have nothing to say"),
        (-9, None, CANNOT_TELL, "pytest ended with exit code -9 and left no report of its tests"),
    ],
)
def test_only_a_verdict_is_good_or_bad(code: int, outcomes: list[Outcome] | None, answer: int, said: str) -> None:
    assert step_of(code, outcomes) == (answer, said)


TESTS = """
import pathlib
def test_it(request):
    loss = float(pathlib.Path("loss").read_text())
    if loss > 9:
        raise RuntimeError("vLLM did not boot")
    word = "fail" if loss > 1 else "pass"
    request.node.user_properties.append((f"quantgate: {word}", f"{word}: lost {loss}"))
    assert word == "pass"
"""


def git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.thorough
def test_git_finds_the_commit_though_one_on_the_way_does_not_boot(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "test_it.py").write_text(TESTS, encoding="utf-8")
    (tmp_path / "conftest.py").write_text("def pytest_addoption(parser): parser.addoption('--records')", encoding="utf-8")
    for number, loss in enumerate([0, 0.5, 10, 0.7, 2, 3, 2.5]):
        (tmp_path / "loss").write_text(str(loss), encoding="utf-8")
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-q", "-m", f"commit {number}")
    git(tmp_path, "bisect", "start", "HEAD", "HEAD~6")
    step = [sys.executable, "-m", "quantgate", "bisect", "--", sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    said = git(tmp_path, "bisect", "run", "env", f"PYTHONPATH={Path(__file__).parents[2]}", *step)
    assert "is the first bad commit" in said
    assert "commit 4" in said


def test_every_commit_has_records_of_its_own(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-x")
    assert main(["bisect", "--", "sh", "-c", 'echo "$PYTEST_ADDOPTS"']) == CANNOT_TELL
    told = shlex.split(capfd.readouterr().out)
    assert told[0] == "-x"
    folder = Path(told[1].removeprefix("--records=")).parent
    assert told[2] == f"--junitxml={folder}/junit.xml"
    assert not folder.exists()


def test_where_the_environment_cannot_be_made_nothing_is_told_and_nothing_is_run(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["bisect", "--first", "exit 3", "--", "sh", "-c", "echo run"]) == CANNOT_TELL
    said = capfd.readouterr()
    assert "cannot tell: `exit 3` ended with exit code 3" in said.err
    assert "run\n" not in said.out


@pytest.mark.parametrize("command", [["bisect"], ["bisect", "--", "/no/such/program"]])
def test_what_can_never_work_ends_the_bisection(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 128
    assert "behind --" in capsys.readouterr().err
