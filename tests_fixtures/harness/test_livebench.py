"""LiveBench through a checkout that takes its command line and writes its layout."""

import json
from pathlib import Path

import msgspec
import pytest

from quantgate.errors import ConfigurationError, MeasurementError
from quantgate.harness import measure_harness
from quantgate.measure import Sitting
from quantgate.server import Serving
from quantgate.suites import HarnessSuite
from tests_fixtures.doubles.fake_livebench import checkout, questions
from tests_fixtures.doubles.scripted import Scripted


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HarnessSuite:
    monkeypatch.setenv("QUANTGATE_LIVEBENCH", str(checkout(tmp_path / "LiveBench")))
    data = questions(tmp_path / "data", {"math/sums": ["right 0", "wrong 0", "right 1"], "language/puns": ["wrong 1", "right 2"]})
    return HarnessSuite(name="live", harness="livebench", task="2024-11-25", max_tokens=24, temperature=0.25, data=data)


def test_its_questions_are_asked_and_judged_by_itself(server: Serving, live: HarnessSuite, scripted: Scripted, tmp_path: Path) -> None:
    found = measure_harness(server, live, 0, Sitting(tmp_path / "out"))
    assert {item.id: item.correct for item in found.items} == {
        "math-sums-0": True,
        "math-sums-1": False,
        "math-sums-2": True,
        "language-puns-0": False,
        "language-puns-1": True,
    }
    assert found.by_group == {"math": 2 / 3, "language": 1 / 2}
    assert (found.figure, found.accuracy) == (3 / 5, 3 / 5)
    assert found.category_mean == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert {(body["temperature"], body["max_tokens"]) for body in scripted.bodies} == {(0.25, 24)}
    asked = json.loads(next((tmp_path / "out").rglob("asked.json")).read_text(encoding="utf-8"))
    assert (asked["mode"], asked["bench_name"], asked["livebench_release_option"]) == ("single", ["live_bench"], "2024-11-25")
    assert (asked["model"], asked["model_display_name"], asked["question_source"]) == ("reference/bf16", "reference-bf16", "jsonl")
    assert "a-secret-key" not in json.dumps(asked)
    assert not any((tmp_path / "LiveBench" / "livebench" / "data").iterdir())  # answers are the measurement's own


def test_what_an_interrupted_run_has_asked_is_not_asked_again(
    server: Serving, live: HarnessSuite, scripted: Scripted, tmp_path: Path
) -> None:
    scripted.instead = {"right": "HTTP 500"}
    with pytest.raises(MeasurementError, match=r"LiveBench ended with exit code 1 \(urllib\.error\.HTTPError: HTTP Error 500"):
        measure_harness(server, live, 0, Sitting(tmp_path / "out"))
    assert [body["messages"][0]["content"] for body in scripted.bodies] == ["wrong 1", "right 2"]
    scripted.instead = {}
    scripted.bodies.clear()
    found = measure_harness(server, live, 0, Sitting(tmp_path / "out"))
    assert [body["messages"][0]["content"] for body in scripted.bodies] == ["right 2", "right 0", "wrong 0", "right 1"]
    assert (len(found.items), found.accuracy) == (5, 3 / 5)


def test_the_declaration_says_which_of_the_two_means_is_judged(server: Serving, live: HarnessSuite) -> None:
    found = measure_harness(server, msgspec.structs.replace(live, mean="category"))
    assert (found.mean, found.accuracy) == ("category", 3 / 5)
    assert found.figure == pytest.approx(7 / 12)


def test_a_limit_is_of_each_task(server: Serving, live: HarnessSuite, scripted: Scripted) -> None:
    found = measure_harness(server, msgspec.structs.replace(live, n=1))
    assert len(found.items) == len(scripted.bodies) == 2


def test_a_release_is_part_of_the_fingerprint_and_so_is_the_program(server: Serving, live: HarnessSuite, tmp_path: Path) -> None:
    def printed(suite: HarnessSuite) -> str:
        return measure_harness(server, suite).provenance.suite_fingerprint

    first = printed(live)
    assert printed(msgspec.structs.replace(live, task="2024-08-31")) != first
    program = tmp_path / "LiveBench" / "livebench" / "run_livebench.py"
    program.write_text(program.read_text(encoding="utf-8") + "# newer\n", encoding="utf-8")
    assert printed(live) != first


def test_what_is_missing_is_one_sentence(server: Serving, live: HarnessSuite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"needs LiveBench's questions there, as .*/live_bench/CATEGORY/TASK/question\.jsonl$"):
        measure_harness(server, msgspec.structs.replace(live, data=tmp_path))
    (tmp_path / "LiveBench" / ".venv").rename(tmp_path / "gone")
    with pytest.raises(ConfigurationError, match=r"has no environment in \.venv; make it: cd .* && uv venv && uv pip install -e \.$"):
        measure_harness(server, live)
    monkeypatch.setenv("QUANTGATE_LIVEBENCH", str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"livebench/run_livebench\.py is not in it; name a checkout of LiveBench$"):
        measure_harness(server, live)
    monkeypatch.delenv("QUANTGATE_LIVEBENCH")
    with pytest.raises(ConfigurationError, match=r"^LiveBench is on no package index: check it out .* with QUANTGATE_LIVEBENCH$"):
        measure_harness(server, live)


def test_a_program_that_judges_nothing_has_measured_nothing(server: Serving, live: HarnessSuite, tmp_path: Path) -> None:
    (tmp_path / "LiveBench" / "livebench" / "run_livebench.py").write_text("", encoding="utf-8")
    with pytest.raises(MeasurementError, match=r"reference/bf16 live: LiveBench wrote no judgment below .*/data; see its log beside$"):
        measure_harness(server, live)
