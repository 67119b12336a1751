"""Every form that lm-eval's published files have, as a small pair of our own, through `compare`: exact counts, or the sentence."""

from pathlib import Path
from typing import Any

import pytest

from tests_fixtures.doubles.adopted import judged, refused, write_json, write_lines

FIRST, SECOND, THIRD = (f"2026-01-01T1{hour}-00-00.{hour}" for hour in range(3))
MAY = "--unanswered=0.9"


def line(doc: int, right: Any, filter_: str = "none", metric: str = "exact_match", **fields: Any) -> dict[str, Any]:
    sent = {"until": ["Q:"], "temperature": 0.0, "max_gen_toks": 64}
    return {
        "doc_id": doc,
        "doc": {"question": f"{doc}+3?"},
        "target": f"#### {doc + 3}",
        "arguments": {"gen_args_0": {"arg_0": f"Q: {doc}+3?", "arg_1": sent}},
        "resps": [[f"so {doc + 3}"]],
        "filtered_resps": [str(doc + 3)],
        "filter": filter_,
        "metrics": [metric],
        "doc_hash": f"a{doc}",
        "prompt_hash": f"b{doc}",
        "target_hash": f"c{doc}",
        metric: right,
        **fields,
    }


def pair(folder: Path, before: list[dict[str, Any]], now: list[dict[str, Any]]) -> tuple[Path, Path]:
    return write_lines(folder / "bf16" / f"samples_t_{FIRST}.jsonl", before), write_lines(folder / "fp8" / f"samples_t_{SECOND}.jsonl", now)


def counts(found: dict[str, Any]) -> tuple[int, int, int]:
    """Items, regressed and improved."""
    return found["n"], found["discordant"]["regressed"], found["discordant"]["improved"]


def test_form_1_two_filters_in_blocks_are_one_record_of_n_items(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def side(strict: int, flexible: int) -> list[dict[str, Any]]:
        invalid = [line(doc, float(doc >= strict), "strict-match", filtered_resps="[invalid]") for doc in range(20)]
        return invalid + [line(doc, float(doc >= flexible), "flexible-extract", filtered_resps=str(doc + 3)) for doc in range(20)]

    sides = pair(tmp_path, side(4, 2), side(10, 5))
    (found,) = judged(capsys, *sides)
    assert counts(found) == (20, 3, 0)
    assert "lm-eval's filter flexible-extract, metric exact_match" in found["reason"]
    assert "right only when read flexibly went from 10.0 to 25.0 %" in found["reason"]
    assert counts(*judged(capsys, *sides, "--filter=strict-match", MAY)) == (20, 6, 0)
    assert refused(capsys, *sides, "--filter=loose").endswith("has no filter loose; there is strict-match, flexible-extract")


def test_form_2_what_was_cut_off_is_counted_by_its_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["<think>\nfirst 3*4 = 12, or 14, wait", "<think>\n7</think>\n7", "<think>\nit is 9, check: 9"]
    rows = [line(doc, float(doc > 0), "flexible-extract", resps=[[text]]) for doc, text in enumerate(texts)]
    sides = pair(tmp_path, [line(doc, 1.0, "flexible-extract", resps=[[texts[1]]]) for doc in range(3)], rows)
    (found,) = judged(capsys, *sides)  # and none on the length of answers, of which these files count no tokens
    assert found["verdict"] == "error"
    assert found["reason"].startswith("67% of the measurement's answers never came")
    assert found["unanswered"]["in_reasoning"] == 2
    assert counts(*judged(capsys, *sides, MAY)) == (3, 1, 0)


def test_form_3_texts_at_three_depths_and_without_filter_or_metrics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flat = line(0, 1.0, resps=["blue"], filtered_resps=["blue"])
    older = {
        "doc_id": 1,
        "doc": {"query": "sky?", "choices": ["red", "blue"], "gold": 1},
        "target": 1,
        "arguments": [["sky?", " red"], ["sky?", " blue"]],
        "resps": [[[-3.5, False]], [[-1.25, True]]],
        "filtered_resps": [[-3.5, False], [-1.25, True]],
        "acc": 1.0,
        "acc_norm": 0.0,
    }
    written = {
        "doc_id": 2,
        "doc": {"query": "sea?"},
        "target": "0",
        "arguments": {"gen_args_0": {"arg_0": "sea?", "arg_1": " wet"}, "gen_args_1": {"arg_0": "sea?", "arg_1": " dry"}},
        "resps": [[["-0.5", "True"]], [["-4.0", "False"]]],
        "filtered_resps": [["-0.5", "True"], ["-4.0", "False"]],
        "filter": "none",
        "metrics": ["acc", "acc_norm"],
        "acc": 1.0,
        "acc_norm": 1.0,
    }
    assert counts(*judged(capsys, *pair(tmp_path / "flat", [flat], [{**flat, "exact_match": 0.0}]))) == (1, 1, 0)
    for name, one in (("older", older), ("written", written)):
        sides = pair(tmp_path / name, [one], [{**one, "acc": 0.0}])
        assert refused(capsys, *sides).endswith("line 1 has several metrics (acc, acc_norm): choose one with --metric")
        assert counts(*judged(capsys, *sides, "--metric=acc")) == (1, 1, 0)
        assert counts(*judged(capsys, *sides, "--metric=acc_norm")) == (1, 0, 0)


def test_form_4_repeats_are_a_cluster_where_each_has_its_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    resps = [["42", "40", "42", "41"]]
    each = [line(doc, [1, 0, 1, 0], resps=resps, filtered_resps=resps) for doc in range(30)]
    worse = [line(doc, [1, 0, 0, 0] if doc < 6 else [1, 0, 1, 0], resps=resps, filtered_resps=resps) for doc in range(30)]
    (found,) = judged(capsys, *pair(tmp_path / "each", each, worse))
    assert (counts(found), found["clusters"]) == ((120, 6, 0), 30)
    mean = [line(doc, 0.5, resps=resps, filtered_resps=resps) for doc in range(30)]
    (found,) = judged(capsys, *pair(tmp_path / "mean", mean, [{**one, "exact_match": 0.25} for one in mean]))
    assert (found["n"], found["clusters"], found["discordant"]) == (30, None, None)
    assert found["drop"] == pytest.approx(25.0)


@pytest.mark.parametrize(
    ("metric", "value", "said"),
    [
        ("f1", ["LOC: Bonn", ["loc: bonn"]], "line 1: the metric f1 is no number but ['LOC: Bonn', ['loc: bonn']], to be put together"),
        ("f1", ["", [""]], "line 1: the metric f1 is no number but ['', ['']]"),
        ("inst_level_strict_acc", [True, False], "line 1: the metric inst_level_strict_acc is no number but [True, False]"),
    ],
)
def test_form_5_a_metric_that_is_no_number_is_refused(
    tmp_path: Path, metric: str, value: Any, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [line(doc, value, metric=metric) for doc in range(3)]
    assert said in refused(capsys, *pair(tmp_path, rows, rows))


def test_form_5_beside_it_one_that_is_a_number_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["prompt_level_strict_acc", "inst_level_strict_acc"]
    rows = [line(doc, doc > 1, metric=names[0], metrics=names, inst_level_strict_acc=[True, False]) for doc in range(6)]
    sides = pair(tmp_path, rows, [{**one, names[0]: one["doc_id"] > 2} for one in rows])
    assert counts(*judged(capsys, *sides, f"--metric={names[0]}")) == (6, 1, 0)


def test_form_6_subtasks_are_one_suite_with_groups(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def side(name: str, lost: int) -> Path:
        folder = tmp_path / name
        for task in "ab":
            rows = [line(doc, float(task == "a" or doc >= lost), metric="acc", doc_hash=f"{task}{doc}") for doc in range(25)]
            write_lines(folder / f"samples_mmlu_{task}_{FIRST}.jsonl", rows)
        told = {
            "group_subtasks": {"mmlu": ["mmlu_a", "mmlu_b"]},
            "n-samples": {"mmlu_a": {"original": 100, "effective": 25}},
            "model_name": f"org/m-{name}",
            "config": {"limit": 25.0},
            "chat_template_sha": "d0",
        }
        write_json(folder / f"results_{FIRST}.json", told)
        return folder

    (found,) = judged(capsys, side("BF16", 5), side("NVFP4", 12))
    assert (found["suite"], found["checkpoint"], counts(found)) == ("mmlu", "org/m-NVFP4", (50, 7, 0))
    assert [(one["name"], one["n"], one["before"], one["now"]) for one in found["groups"]] == [
        ("mmlu_a", 25, 100.0, 100.0),
        ("mmlu_b", 25, 80.0, 52.0),
    ]


def test_form_7_three_precisions_of_one_folder_are_told_apart_by_their_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for precision, stamp, wrong in (("BF16", FIRST, 2), ("FP8", SECOND, 3), ("NVFP4", THIRD, 7)):
        rows = [line(doc, float(doc >= wrong)) for doc in range(20)]
        write_lines(tmp_path / f"samples_t_{stamp}.jsonl", rows)
        write_lines(tmp_path / "other" / f"samples_t_{stamp}.jsonl", rows)
        told = {
            "model_name": f"org/m-{precision}",
            "config": {"limit": 20.0, "model_args": f"pretrained=org/m-{precision},max_model_len=4096"},
        }
        write_json(tmp_path / f"run_{precision.lower()}_t_limit20_{stamp}.json", told)
    assert "the task t stands there 6 times, told apart by the time alone" in refused(capsys, tmp_path, tmp_path)
    (found,) = judged(capsys, tmp_path, tmp_path, "--model=org/m-bf16", "--model=org/m-nvfp4")
    assert (found["checkpoint"], counts(found)) == ("org/m-NVFP4", (20, 5, 0))
    (found,) = judged(capsys, tmp_path / f"samples_t_{FIRST}.jsonl", tmp_path / "other" / f"samples_t_{SECOND}.jsonl")
    assert counts(found) == (20, 1, 0)
