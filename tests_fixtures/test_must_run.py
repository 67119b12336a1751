"""`--must-run`: what was skipped has failed, and says why; what was expected to fail may."""

import os
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[1]
INNER = """
import pytest

def test_runs(): pass
def test_skips_itself(): pytest.skip("no GPU here")
@pytest.mark.skip(reason="not today")
def test_is_skipped(): pass
@pytest.fixture
def device(): pytest.skip("no device")
def test_lacks_a_fixture(device): pass
@pytest.mark.xfail(reason="a known loss")
def test_is_expected_to_fail(): assert False
@pytest.mark.xfail(reason="never run", run=False)
def test_is_expected_not_to_run(): assert False
def test_expects_to_fail(): pytest.xfail("by itself")
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST")]:
        monkeypatch.delenv(name)
    pytester.makepyprojecttoml(f'[tool.pytest.ini_options]\npythonpath = ["{ROOT}"]\n')
    pytester.makeconftest('pytest_plugins = ["fixtures.must_run"]')
    pytester.makepyfile(INNER)
    return pytester


def test_without_it_a_skip_is_a_skip(project: pytest.Pytester) -> None:
    ran = project.runpytest_inprocess()
    ran.assert_outcomes(passed=1, skipped=3, xfailed=3)
    assert ran.ret == 0


def test_with_it_a_skip_is_a_failure_with_the_reason_and_xfail_stays(project: pytest.Pytester) -> None:
    ran = project.runpytest_inprocess("--must-run")
    ran.assert_outcomes(passed=1, failed=1, errors=2, xfailed=3)
    assert ran.ret == 1
    for reason in ("no GPU here", "not today", "no device"):
        ran.stdout.fnmatch_lines([f"--must-run: Skipped: {reason}"])


def test_with_it_an_unexpected_pass_and_a_failure_stay_what_they_are(project: pytest.Pytester) -> None:
    project.makepyfile("import pytest\n@pytest.mark.xfail\ndef test_passes(): pass\ndef test_fails(): assert 1 == 2")
    ran = project.runpytest_inprocess("--must-run")
    ran.assert_outcomes(xpassed=1, failed=1)
    ran.stdout.fnmatch_lines(["E*assert 1 == 2"])
