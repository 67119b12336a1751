"""Which tests are the matrix: a user's `-m` beside the precisions', as pytest itself takes both."""

import pytest

from quantgate.registry import PRECISIONS, marked

pytest_plugins = ["pytester"]
MATRIX = " or ".join(PRECISIONS)


@pytest.mark.parametrize(
    "given", [["-m", "not throughput"], ["-mnot throughput"], ["-m=not throughput"], ["-m", "bf16", "-mnot throughput"]]
)
def test_what_a_user_selects_is_of_the_matrix(given: list[str]) -> None:
    assert marked(["-n", "4", *given, "--stop-early", "-k", "a or b"]) == [
        "-m",
        f"({MATRIX}) and (not throughput)",
        "-n",
        "4",
        "--stop-early",
        "-k",
        "a or b",
    ]


def test_without_a_selection_it_is_all_of_the_matrix() -> None:
    assert marked(["--stop-early", "-x"]) == ["-m", MATRIX, "--stop-early", "-x"]


def test_a_selection_that_is_none_is_left_to_pytest() -> None:
    assert marked(["-x", "-m"]) == ["-m", MATRIX, "-x", "-m"]


def test_pytest_runs_no_test_of_the_harness_s_own(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmarkers =\n" + "".join(f"    {name}\n" for name in (*PRECISIONS, "throughput")))
    pytester.makepyfile(
        "import pytest\n@pytest.mark.fp8\ndef test_text(): pass\n@pytest.mark.fp8\n@pytest.mark.throughput\ndef test_load(): pass\n"
        "def test_of_the_harness(): pass\n"
    )
    pytester.runpytest(*marked(["-m", "not throughput"])).assert_outcomes(passed=1, deselected=2)
