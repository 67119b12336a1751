"""What pytest's own JUnit file says: read from a real one."""

from pathlib import Path

import pytest

from quantgate.nightly.junit import Outcome, read_junit

pytest_plugins = ["pytester"]
TESTS = """
import pytest
@pytest.fixture
def server():
    raise RuntimeError("vLLM did not boot\\nat all")
@pytest.mark.parametrize("case", ["f/c:s"])
def test_passes(case, request):
    request.node.user_properties += [("quantgate: pass", "pass: <b> & \\x1b[31m \\u202e"), ("own", "not ours")]
def test_fails():
    pytest.fail("fail: 3.1 points worse\\nsecond line", pytrace=False)
def test_errs(server): ...
@pytest.fixture
def refused():
    pytest.fail('did not boot: "CUDA" error', pytrace=False)
def test_refused(refused): ...
def test_skips():
    pytest.skip("gated")
def test_asserts():
    assert [] == ["Marlin"], "another kernel"
"""


def test_every_end_of_a_test_is_read_with_its_lines(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    file = pytester.path / "junit.xml"
    pytester.runpytest_inprocess(f"--junitxml={file}", "-p", "no:cacheprovider")
    found = read_junit(file)
    assert found is not None
    assert found[0] == Outcome("f/c:s", "passed", "", [("pass", "pass: <b> & #x1B[31m \u202e")])
    assert [(one.parameters, one.ended) for one in found[1:]] == [
        ("test_fails", "failed"),
        ("test_errs", "failed"),
        ("test_refused", "failed"),
        ("test_skips", "skipped"),
        ("test_asserts", "failed"),
    ]
    assert [one.why for one in found[1:5]] == [
        "fail: 3.1 points worse",
        "RuntimeError: vLLM did not boot",
        'did not boot: "CUDA" error',
        "gated",
    ]
    assert found[5].why.startswith("AssertionError: another kernel")


def test_a_test_that_was_interrupted_has_not_ended(tmp_path: Path) -> None:
    whole, cut = '<testcase name="test_it[f/c:s]" time="0.1"><properties /></testcase>', '<testcase time="0.001" />'
    (tmp_path / "junit.xml").write_text(f"<testsuites><testsuite>{whole}{cut}</testsuite></testsuites>", encoding="utf-8")
    assert read_junit(tmp_path / "junit.xml") == [Outcome("f/c:s", "passed", "", [])]


@pytest.mark.parametrize("content", [None, "", "<testsuites><testsuite>"])
def test_none_where_pytest_was_killed(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "junit.xml").write_text(content, encoding="utf-8")
    assert read_junit(tmp_path / "junit.xml") is None
