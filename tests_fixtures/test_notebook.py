"""In a notebook another harness's files are read and compared as the command line does it."""

from pathlib import Path
from typing import Any

import pytest

import quantgate
from tests_fixtures.doubles.adopted import judged, write_json, write_lines

STAMP = "2026-01-01T10-00-00.1"


def samples(path: Path, every: int, task: str = "t", docs: int = 200) -> Path:
    """Two metrics; one of `every` is wrong by acc, all by f1."""
    rows = [
        {
            "doc_id": doc,
            "metrics": ["acc", "f1"],
            "filter": "none",
            "resps": [["x"]],
            "filtered_resps": ["x"],
            "doc_hash": f"{doc}",
            "target_hash": "c",
            "acc": float(doc % every > 0),
            "f1": 0.0,
        }
        for doc in range(docs)
    ]
    return write_lines(path / f"samples_{task}_{STAMP}.jsonl", rows)


def test_a_file_of_another_harness_is_a_measurement(tmp_path: Path) -> None:
    found = quantgate.read_record(samples(tmp_path, 5), metric="acc")
    assert isinstance(found, quantgate.Answers)
    assert (found.family, found.suite, len(found.items), found.accuracy) == ("lm-eval", "t", 200, 0.8)
    with pytest.raises(quantgate.QuantgateError, match=r"several metrics \(acc, f1\): choose one with --metric"):
        quantgate.read_record(tmp_path)


def test_two_measurements_read_so_compare_and_other_items_do_not(tmp_path: Path) -> None:
    before, now = (quantgate.read_record(samples(tmp_path / name, every), metric="acc") for name, every in (("a", 5), ("b", 4)))
    found = quantgate.compare(before, now, accuracy_points=20)
    assert (found.verdict, found.n) == ("pass", 200)
    assert found.drop == pytest.approx(5.0)
    fewer = quantgate.read_record(samples(tmp_path / "c", 5, docs=100), metric="acc")
    assert quantgate.compare(before, fewer).reason.startswith("the suite fingerprint changed from")


def test_two_paths_are_judged_as_the_command_line_judges_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sides = [samples(tmp_path / name, every) for name, every in (("bf16", 5), ("fp8", 4))]
    found = quantgate.compare(*map(str, sides), metric="acc")
    (wanted,) = judged(capsys, *sides, "--metric=acc")
    assert (found.verdict, found.reason, found.drop, found.checkpoint) == (
        wanted["verdict"],
        wanted["reason"],
        wanted["drop"],
        wanted["checkpoint"],
    )


def test_every_choice_of_the_command_line_is_there(tmp_path: Path) -> None:
    rows = [
        {"question_id": f"{task}{n}", "task": task, "model": side, "score": float(n % every > 0), "category": "c", "answer_id": "a"}
        for side, every in (("m1", 5), ("m2", 4))
        for task, count in (("x", 40), ("y", 20))
        for n in range(count)
    ]
    path = write_lines(tmp_path / "ground_truth_judgment.jsonl", rows)
    found = quantgate.compare(path, path, baseline_model="m1", model="m2", mean="category", unanswered=0.5)
    assert found.checkpoint == "m2"
    assert found.drop == pytest.approx(5.0)
    assert [one.gated for one in found.means] == [False, True]
    plain = write_lines(tmp_path / "plain.jsonl", [{"no": n, "ok": n % 4 > 0} for n in range(60)])
    columns = {"id": "no", "correct": "ok"}
    assert quantgate.read_record(plain, columns=columns).figure == 0.75
    fewer = write_lines(tmp_path / "fewer.jsonl", [{"no": n, "ok": n % 4 > 0} for n in range(40)])
    assert quantgate.compare(plain, fewer, columns=columns, common=True).n == 40


def test_the_share_of_answers_that_may_be_none_can_be_stated(tmp_path: Path) -> None:
    rows = [{"no": n, "ok": n > 9, "said": "" if n < 5 else "x"} for n in range(40)]
    path, columns = write_lines(tmp_path / "a.jsonl", rows), {"id": "no", "correct": "ok", "answer": "said"}
    assert quantgate.compare(path, path, columns=columns).verdict == "error"
    assert quantgate.compare(path, path, columns=columns, unanswered=0.2).n == 40


def test_several_suites_and_a_path_beside_a_measurement_are_refused(tmp_path: Path) -> None:
    for task in ("t", "u"):
        samples(tmp_path, 5, task)
    for call in (lambda: quantgate.read_record(tmp_path, metric="acc"), lambda: quantgate.compare(tmp_path, tmp_path, metric="acc")):
        with pytest.raises(quantgate.QuantgateError, match=r"holds the suites t, u: give (a single file|single files), or suite= for all"):
            call()
    both: Any = quantgate.read_record(tmp_path, metric="acc", suite="all")
    assert len(both.items) == 400
    with pytest.raises(quantgate.QuantgateError, match="one side is a path and one a measurement"):
        quantgate.compare(tmp_path, both)


def test_a_record_of_ours_is_read_as_before(tmp_path: Path) -> None:
    with pytest.raises(quantgate.QuantgateError, match="broken"):
        quantgate.read_record(write_json(tmp_path / "broken.json", {"kind": "answers"}))
