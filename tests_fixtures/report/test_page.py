"""What the page says: worked out by hand from records that the tests fill in."""

import json
import math
from pathlib import Path

import msgspec
import pytest

from quantgate.errors import ConfigurationError
from quantgate.records import OUTCOMES, Outcome, write_inspection, write_outcomes, write_record
from quantgate.report.page import Page, build
from tests_fixtures.doubles.examples import speed, with_provenance
from tests_fixtures.doubles.reported import NOW, Reported, answered, three_ways, worse


def built(made: Reported) -> Page:
    return build(made.records, baselines=made.baselines, now=NOW)


def test_the_worst_stands_first_and_the_sentence_says_why(tmp_path: Path) -> None:
    page = built(three_ways(tmp_path))
    assert [(row.word, row.checkpoint, row.suite) for row in page.rows] == [
        ("fail", "nvfp4", "reference-text"),
        ("inconclusive", "fp8", "reference-questions"),
        ("pass", "fp8", "reference-text"),
    ]
    assert (page.word, page.headline) == ("fail", "1 of 3 verdicts fail")
    assert page.sentence.startswith("reference/nvfp4 reference-text against BF16: perplexity +")
    assert page.counts == {"fail": 1, "inconclusive": 1, "pass": 1}


def test_a_row_has_its_interval_in_tolerances(tmp_path: Path) -> None:
    made = Reported(tmp_path)
    verdict = made.judged(*worse(3.0))
    (row,) = built(made).rows
    assert verdict.drop is not None
    assert verdict.interval is not None
    assert row.forest == pytest.approx([value / math.log(1.05) for value in (verdict.drop, *verdict.interval)])
    assert row.baseline.startswith("perplexity ")
    assert row.evidence == "n = 40"


def test_bf16_is_100_and_a_drop_s_upper_end_is_the_score_s_lower(tmp_path: Path) -> None:
    made = Reported(tmp_path)
    measured, base = worse(3.0)
    verdict = made.judged(measured, base)
    (panel,) = built(made).scores
    reference, bar = panel.bars
    assert (reference.series, reference.value, panel.line) == ("bf16", 100.0, 100.0)
    assert bar.value == pytest.approx(100 * base.figure / measured.figure)
    assert verdict.interval is not None
    assert (bar.low, bar.high) == pytest.approx([100 * math.exp(-end) for end in reversed(verdict.interval)])


def test_every_flip_has_its_prompt_both_answers_and_what_ended_it(tmp_path: Path) -> None:
    page = built(three_ways(tmp_path, prompts=("What is 2 + 2?",)))
    flipped = [one.id for one in page.flips]
    assert flipped == ["q0", "q1", "q2", "q3", "q5"]  # q4 was wrong before
    first = page.flips[0]
    assert (first.direction, first.group, first.prompt) == ("regressed", "add", "What is 2 + 2?")
    assert (first.before.worth, first.now.worth, first.now.ended) == (1.0, 0.0, "stopped by itself, 2 tokens")


def test_groups_are_paired_and_the_largest_drop_is_first(tmp_path: Path) -> None:
    made = Reported(tmp_path)
    made.judged(answered("-+-+-+" + "+" * 34), answered("+" * 40, "bf16"))
    (found,) = built(made).groups
    assert [(one.name, one.n, one.before, one.now) for one in found.groups] == [("add", 20, 100.0, 85.0), ("times", 20, 100.0, 100.0)]
    assert found.groups[0].low <= found.groups[0].drop == pytest.approx(15.0)


def test_documents_are_ordered_by_the_nats_that_they_lost(tmp_path: Path) -> None:
    made = Reported(tmp_path)
    made.judged(*worse(3.0))
    (found,) = built(made).documents
    assert (found.worse, found.of, len(found.worst)) == (40, 40, 8)
    assert found.worst[0].lost == pytest.approx(3.04)
    assert {one.id for one in found.worst} == {f"d{place}" for place in range(4, 40, 5)}


def test_what_differs_from_the_baseline_is_marked_and_its_age_counted(tmp_path: Path) -> None:
    made = Reported(tmp_path)
    measured, base = worse(3.0)
    made.judged(with_provenance(measured, vllm="vllm 2"), base)
    page = built(made)
    (found,) = page.provenance
    assert found.columns == ["BF16 baseline", "nvfp4"]
    facts = {fact.name: fact.values for fact in found.facts}
    assert facts["vLLM"] == [("vllm 1", False), ("vllm 2", True)]
    assert facts["torch"] == [("torch 2", False), ("torch 2", False)]
    assert not any(differs for _, differs in facts["weights"])  # which differ from BF16's by nature
    assert [(one.days, one.by, one.reason) for one in page.ages] == [(10, "Ada", "first")]


def test_speed_is_drawn_and_a_load_without_a_verdict_is_not_compared(tmp_path: Path) -> None:
    made = three_ways(tmp_path)
    write_record(made.records, speed([90.0, 100.0, 130.0]))
    page = built(made)
    panel = next(one for one in page.speed if "decode" in one.title and "tokens/s" in one.title)
    assert [(bar.series, bar.value, bar.low, bar.high) for bar in panel.bars] == [("nvfp4", 100.0, 90.0, 130.0)]
    assert [row.suite for row in page.rows if row.word == "not compared"] == ["decode-16x64"]
    assert page.word == "fail"


def test_a_boot_that_failed_is_a_row_until_a_later_record_and_a_skip_is_told(tmp_path: Path) -> None:
    made = three_ways(tmp_path)
    case = {"family": "reference", "checkpoint": "int4", "suite": "reference-text"}
    at = "2026-03-01T00:00:00+00:00"
    outcomes = [
        Outcome(at=at, test="t::a[reference/int4:reference-text]", outcome="failed", why="vLLM did not boot", **case),
        Outcome(at=at, test="t::b[x]", outcome="skipped", why="no such device", **{**case, "checkpoint": "int8"}),
    ]
    write_outcomes(made.records / OUTCOMES, outcomes)
    page = built(made)
    assert [(row.checkpoint, row.reason) for row in page.rows if row.word == "error"] == [("int4", "vLLM did not boot")]
    assert [(one.what, one.why) for one in page.skipped] == [("reference/int8 reference-text", "no such device")]
    measured, base = worse(0.05, "int4")
    made.judged(with_provenance(measured, started="2026-03-02T00:00:00+00:00"), base)
    assert "error" not in built(made).counts


def test_a_verdict_that_failed_its_test_has_one_row(tmp_path: Path) -> None:
    from quantgate.judgement import sentence

    made = Reported(tmp_path)
    verdict = made.judged(*worse(3.0))
    failed = Outcome(
        at="2026-03-01T00:00:00+00:00", test="t", outcome="failed", why=sentence(verdict), family="reference", checkpoint="nvfp4",
        suite="reference-text",
    )  # fmt: skip
    write_outcomes(made.records / OUTCOMES, [failed])
    assert [row.word for row in built(made).rows] == ["fail"]


def test_the_worst_layers_are_those_of_the_inspection(tmp_path: Path) -> None:
    made = three_ways(tmp_path)
    layer = {"name": "model.layers.3.mlp", "fidelity": {"sqnr_db": 18.0, "expected_db": 20.5, "bad_rows": 2, "rows": 64, "gain": 1.0}}
    broken = {"name": "lm_head", "fidelity": {"sqnr_db": math.nan, "expected_db": 20.0, "bad_rows": 64, "rows": 64}}
    write_inspection(made.records, "reference", "nvfp4", {"formats": ["nvfp4"], "worst": [broken, layer]})
    (found,) = built(made).layers
    assert [(one.name, one.sqnr_db, one.missing) for one in found.layers] == [("lm_head", None, None), ("model.layers.3.mlp", 18.0, 2.5)]


def test_a_file_that_is_no_record_is_told_and_hides_no_other(tmp_path: Path) -> None:
    made = three_ways(tmp_path)
    (made.records / "reference/nvfp4/torn.json").write_bytes(b'{"kind": "answers", "items": [{"id": "\\ud800"')
    page = built(made)
    assert len(page.rows) == 3
    assert [("torn.json" in one) for one in page.unreadable] == [True]


def test_the_trend_reads_the_history_and_counts_broken_nights(tmp_path: Path) -> None:
    made = three_ways(tmp_path)
    file = made.baselines / "cpu/reference/history.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    entry = {"family": "reference", "checkpoint": "nvfp4", "suite": "reference-text", "unit": "ln(PPL ratio)", "interval": [0.01, 0.03]}
    lines = [
        {**entry, "at": "2026-03-02T00:00:00+00:00", "estimate": 0.03, "verdict": "fail"},
        {**entry, "at": "2026-03-01T00:00:00+00:00", "estimate": 0.02, "verdict": "pass"},
        {**entry, "at": "2026-03-03T00:00:00+00:00", "estimate": None, "verdict": "error"},
        {**entry, "at": "2026-03-04T00:00:00+00:00", "estimate": 0.9, "verdict": "interrupted"},
    ]
    file.write_text("\n".join(map(json.dumps, lines)) + '\n{"at": "2026-03-0', encoding="utf-8")
    (found,) = built(made).trends
    assert [(night.value, night.low, night.verdict) for night in found.nights] == [(0.02, 0.01, "pass"), (0.03, 0.01, "fail")]
    assert (found.broken, found.unit) == (2, "ln(PPL ratio)")


def test_without_baselines_bf16_of_the_run_stands_in_and_says_so(tmp_path: Path) -> None:
    made = Reported(tmp_path)
    measured, base = worse(3.0)
    made.judged(measured, base)
    write_record(made.records, base)
    page = build(made.records, now=NOW)
    assert page.rows[0].baseline
    assert page.remarks == ["No folder of baselines was given: BF16's records of this run stand in for them."]


def test_the_command_below_a_fail_compares_the_very_files(tmp_path: Path) -> None:
    made = Reported(tmp_path)
    made.judged(*worse(3.0))
    (row,) = built(made).rows
    before, now = (
        folder / f"reference/{name}/reference-text.json" for folder, name in ((made.baselines / "cpu", "bf16"), (made.records, "nvfp4"))
    )
    assert row.commands == [f"quantgate compare {before} {now}"]
    assert before.is_file()
    assert now.is_file()


def test_an_empty_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no record; name the folder that pytest wrote to"):
        build(tmp_path)
    with pytest.raises(ConfigurationError, match="is no folder"):
        build(tmp_path / "nowhere")


def test_the_page_is_one_json_document(tmp_path: Path) -> None:
    page = built(three_ways(tmp_path))
    assert json.loads(msgspec.json.encode(page))["word"] == "fail"
