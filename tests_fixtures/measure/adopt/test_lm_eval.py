"""lm-eval's samples: which filter and metric count, texts at every depth, subtasks, runs that lie together."""

from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import MeasurementError
from tests_fixtures.doubles.adopted import judged, only, refused, shown, write_json, write_lines

STRICT, FLEXIBLE = "strict-match", "flexible-extract"
STAMP, LATER = "2026-01-01T10-00-00.1", "2026-01-01T11-00-00.2"


def line(doc: int, right: float | bool, **fields: Any) -> dict[str, Any]:
    """One sample, right or wrong."""
    sent = {"until": ["Q:"], "temperature": 0.0, "max_gen_toks": 64}
    return {
        "doc_id": doc,
        "doc": {"question": f"{doc}+1?"},
        "target": str(doc + 1),
        "arguments": {"gen_args_0": {"arg_0": f"Q: {doc}+1?", "arg_1": sent}},
        "resps": [[f"so {doc + 1}"]],
        "filtered_resps": [str(doc + 1)],
        "filter": "none",
        "metrics": ["exact_match"],
        "doc_hash": f"a{doc}",
        "prompt_hash": f"b{doc}",
        "target_hash": f"c{doc}",
        "exact_match": right,
        **fields,
    }


def two_filters(docs: int) -> list[dict[str, Any]]:
    """Strictly every third is right, flexibly every second; blocks, not neighbours."""
    strict = [line(doc, float(doc % 3 == 0), filter=STRICT, filtered_resps=["[invalid]"]) for doc in range(docs)]
    return strict + [line(doc, float(doc % 2 == 0), filter=FLEXIBLE) for doc in range(docs)]


@pytest.mark.parametrize("name", ["samples.jsonl", "samples.jsonl.gz"])
def test_two_filters_are_two_figures_of_one_item(tmp_path: Path, name: str) -> None:
    file = write_lines(tmp_path / name, two_filters(6))
    run = only(file)
    assert (run.figure, len(run.items)) == ("filter flexible-extract, metric exact_match", 6)
    assert [(one.strict, one.flexible, one.correct) for one in run.items[:4]] == [
        (True, True, True),
        (False, False, False),
        (False, True, True),
        (True, False, False),
    ]
    strictly = only(file, filter=STRICT)
    assert shown(strictly) == [("0", 1.0), ("1", 0.0), ("2", 0.0), ("3", 1.0), ("4", 0.0), ("5", 0.0)]
    assert [one.parsed for one in strictly.items] == [True] * 6


def test_thoughts_that_did_not_end_are_counted_whatever_the_filter_took_out_of_them(tmp_path: Path) -> None:
    texts = ["<think>\n3*4 = 12, or 14, wait", "<think>\n7</think>\n7", "<think>\nit is 9, check: 9"]
    rows = [line(doc, float(doc > 0), resps=[[text]]) for doc, text in enumerate(texts)]
    rows += [line(3, 1.0, resps=[["no tag"]])]
    run = only(write_lines(tmp_path / "a.jsonl", rows))
    assert [(one.open_think, one.reasoning_characters) for one in run.items] == [(True, None), (False, 2), (True, None), (False, None)]


def test_where_most_close_what_they_did_not_open_an_answer_without_a_tag_is_all_thought(tmp_path: Path) -> None:
    rows = [line(doc, 1.0, resps=[[text]]) for doc, text in enumerate(["a</think> 1", "b</think> 2", "never"])]
    run = only(write_lines(tmp_path / "a.jsonl", rows))
    assert [(one.open_think, one.reasoning_characters) for one in run.items] == [(False, 1), (False, 1), (True, None)]


@pytest.mark.parametrize(
    ("resps", "answer"),
    [(["blue"], "blue"), ([["blue"]], "blue"), ([[["-0.5", "True"]], [["-4.0", "False"]]], ""), ([[[-3.5, False]]], "")],
)
def test_a_text_is_found_at_every_depth_and_a_likelihood_is_none(tmp_path: Path, resps: Any, answer: str) -> None:
    run = only(write_lines(tmp_path / "a.jsonl", [line(0, 1.0, resps=resps, filtered_resps=resps)]))
    assert [(one.answer, one.correct, one.parsed) for one in run.items] == [(answer, True, True)]


def test_of_several_metrics_one_is_chosen_by_name(tmp_path: Path) -> None:
    rows = [line(doc, 0.0, metrics=["acc", "acc_norm"], acc=1.0, acc_norm=0.0) for doc in range(3)]
    file = write_lines(tmp_path / "a.jsonl", rows)
    assert shown(only(file, metric="f1,acc")) == [("0", 1.0), ("1", 1.0), ("2", 1.0)]
    with pytest.raises(MeasurementError, match=r"line 1 has several metrics \(acc, acc_norm\): choose one with --metric"):
        only(file)
    with pytest.raises(MeasurementError, match=r"line 1 has no metric f1; there is acc, acc_norm"):
        only(file, metric="f1")


def test_a_metric_of_an_older_file_is_what_no_other_field_is(tmp_path: Path) -> None:
    rows = [{"doc_id": doc, "doc": {"query": "sky?"}, "target": 1, "resps": [[[-1.5, True]]], "acc": 1.0} for doc in range(2)]
    run = only(write_lines(tmp_path / "a.jsonl", rows))
    assert (run.figure, shown(run)) == ("metric acc", [("0", 1.0), ("1", 1.0)])


def test_repeats_with_a_value_each_are_a_cluster_and_with_one_value_are_graded(tmp_path: Path) -> None:
    resps = [["42", "40", "42", "41"]]
    each = only(write_lines(tmp_path / "a.jsonl", [line(0, 0, resps=resps, exact_match=[1, 0, 1, 0])]))
    assert [(one.id, one.cluster, one.worth, one.answer) for one in each.items] == [
        ("0:1", "0", 1.0, "42"),
        ("0:2", "0", 0.0, "40"),
        ("0:3", "0", 1.0, "42"),
        ("0:4", "0", 0.0, "41"),
    ]
    with pytest.raises(MeasurementError, match=r"line 1: the metric exact_match is no number but \[1, 0, 1\]"):
        only(write_lines(tmp_path / "c.jsonl", [line(0, 0, resps=resps, exact_match=[1, 0, 1])]))
    mean = only(write_lines(tmp_path / "b.jsonl", [line(0, 0.5, resps=resps)]))
    assert [(one.id, one.cluster, one.score) for one in mean.items] == [("0", None, 0.5)]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (["LOC: Bonn", ["loc: bonn"]], "line 2: the metric exact_match is no number but ['LOC: Bonn', ['loc: bonn']]"),
        ([True, False], "line 2: the metric exact_match is no number but [True, False]"),
        (31.5, "line 2: the metric exact_match is 31.5; what is compared lies between 0 and 1"),
        (None, "line 2: the metric exact_match is None, and no number"),
        (float("nan"), "line 2: the metric exact_match is 'NaN', and no number"),
    ],
)
def test_a_metric_that_is_no_number_is_refused_by_name(tmp_path: Path, value: Any, said: str) -> None:
    file = write_lines(tmp_path / "a.jsonl", [line(0, 1.0), line(1, 1.0, exact_match=value)])
    with pytest.raises(MeasurementError) as refusal:
        only(file)
    assert said in str(refusal.value)


def test_subtasks_are_groups_of_one_suite_and_their_ids_start_again(tmp_path: Path) -> None:
    for task in "ab":
        rows = [line(doc, float(task == "a"), target={"key": [1]}, doc_hash=f"{task}{doc}") for doc in range(2)]
        write_lines(tmp_path / f"samples_mmlu_{task}_{STAMP}.jsonl", rows)
    told = {"group_subtasks": {"mmlu": ["mmlu_ab"], "mmlu_ab": ["mmlu_a", "mmlu_b"]}, "model_name": "org/m-NVFP4", "n-shot": {"mmlu_a": 5}}
    write_json(tmp_path / f"results_{STAMP}.json", told)
    run = only(tmp_path)
    assert (run.suite, run.model, run.setup) == ("mmlu", "org/m-NVFP4", {"num_fewshot": 5})
    assert [(one.id, one.group, one.worth) for one in run.items] == [
        ("mmlu_a:0", "mmlu_a", 1.0),
        ("mmlu_a:1", "mmlu_a", 1.0),
        ("mmlu_b:0", "mmlu_b", 0.0),
        ("mmlu_b:1", "mmlu_b", 0.0),
    ]


def test_runs_told_apart_by_the_time_alone_are_not_mixed_and_copies_are_one(tmp_path: Path) -> None:
    write_lines(tmp_path / f"samples_t_{STAMP}.jsonl", [line(0, 1.0)])
    write_lines(tmp_path / "other" / f"samples_t_{STAMP}.jsonl", [line(0, 1.0)])
    assert shown(only(tmp_path)) == [("0", 1.0)]
    write_lines(tmp_path / f"samples_t_{LATER}.jsonl", [line(0, 0.0)])
    write_json(tmp_path / f"run_fp8_{LATER}.json", {"model_name": "org/m-FP8"})
    with pytest.raises(MeasurementError, match=r"the task t stands there 3 times.*org/m-FP8.*name the one file to compare, or --model"):
        only(tmp_path)
    run = only(tmp_path, model="org/M-fp8")
    assert (run.model, shown(run)) == ("org/m-FP8", [("0", 0.0)])
    with pytest.raises(MeasurementError, match=r"holds no samples of the model m-int4; there is org/m-FP8"):
        only(tmp_path, model="m-int4")


def test_results_without_samples_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = {"results": {"t": {"acc,none": 0.5}}, "configs": {}, "versions": {"t": 1}}
    files = [write_json(tmp_path / name / f"results_{STAMP}.json", told) for name in "ab"]
    assert refused(capsys, *files).endswith("these are lm-eval's aggregated results without samples: run with --log_samples")


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ("nonsense\n", "line 2 is no line of lm-eval's samples: JSON is malformed"),
        ('{"doc_id": 1.5}\n', "line 2 is no line of lm-eval's samples: Expected `int | str`"),
        ('{"doc_id": 1, "exact_ma', "line 2 is no line of lm-eval's samples: Input data was truncated"),
        ('{"doc_id": 1}\n', "line 2: it has no metric exact_match, which the first line has"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, second: str, said: str) -> None:
    file = write_lines(tmp_path / "a.jsonl", [line(0, 1.0)])
    file.write_text(file.read_text(encoding="utf-8") + second, encoding="utf-8")
    with pytest.raises(MeasurementError) as refusal:
        only(file)
    assert str(refusal.value).startswith(str(file))
    assert said in str(refusal.value)


@pytest.mark.parametrize("place", [b"0+1?", b"so 1"])
def test_bytes_that_are_no_text_are_named(tmp_path: Path, place: bytes) -> None:
    path = write_lines(tmp_path / "a.jsonl", [line(5, 1.0), {**line(0, 1.0), "doc_hash": ""}])
    path.write_bytes(path.read_bytes().replace(place, b"\xff"))
    with pytest.raises(MeasurementError, match=r"line 2 is no line of lm-eval's samples: .*invalid start byte"):
        only(path)


def test_a_document_that_stands_twice_under_one_filter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match=r"line 2: document 0 stands there again under the filter none"):
        only(write_lines(tmp_path / "a.jsonl", [line(0, 1.0), line(0, 1.0)]))


def test_a_difference_of_what_was_sent_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hot = {"gen_args_0": {"arg_0": "Q", "arg_1": {"temperature": 0.7, "max_gen_toks": 64}}}
    before = write_lines(tmp_path / "a" / "samples_t_x.jsonl", [line(doc, 1.0) for doc in range(20)])
    now = write_lines(tmp_path / "b" / "samples_t_x.jsonl", [line(doc, 1.0, arguments=hot) for doc in range(20)])
    (found,) = judged(capsys, before, now)
    assert (found["verdict"], found["reason"]) == ("error", "the sampling's temperature changed from 0.0 to 0.7: measure both alike again")


def test_without_a_flexible_filter_what_the_strict_one_did_not_find_is_not_parsed(tmp_path: Path) -> None:
    rows = [
        line(0, 0.0, filter=STRICT, filtered_resps=["[invalid]"]),
        line(1, 1.0, filter=STRICT),
        line(2, 0.0, filter=STRICT, resps=[[" "]]),
    ]
    assert [one.parsed for one in only(write_lines(tmp_path / "a.jsonl", rows)).items] == [False, True, False]


@pytest.mark.parametrize(("sha", "is_told"), [("d0", "d0"), (None, "none")])
def test_a_template_that_was_not_applied_is_told_as_none(tmp_path: Path, sha: str | None, is_told: str) -> None:
    write_lines(tmp_path / f"samples_t_{STAMP}.jsonl", [line(0, 1.0)])
    write_json(tmp_path / f"results_{STAMP}.json", {"chat_template_sha": sha, "transformers_version": "5.1"})
    told = {"chat_template_fingerprint": is_told, "transformers": "transformers 5.1"}
    assert only(tmp_path).told == told


def test_groups_in_a_circle_come_to_an_end_and_two_models_are_no_suite(tmp_path: Path) -> None:
    for task, stamp in (("a", STAMP), ("b", LATER)):
        write_lines(tmp_path / f"samples_{task}_{stamp}.jsonl", [line(0, 1.0)])
        told = {"group_subtasks": {"x": ["y"], "y": ["x", "a", "b"]}, "model_name": f"m-{task}"}
        write_json(tmp_path / f"results_{stamp}.json", told)
    with pytest.raises(MeasurementError, match=r"the tasks of x in .* are of several models \(m-a, m-b\): name one file"):
        only(tmp_path)


def test_a_mark_before_the_first_line_and_a_line_longer_than_a_look_are_read(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [line(0, 1.0, resps=[["long " * 20_000]])])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert shown(only(path)) == [("0", 1.0)]


def test_a_packed_file_that_ends_too_soon_is_named(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl.gz", [line(doc, 1.0, doc_hash=f"{hash(str(doc))}") for doc in range(9000)])
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(MeasurementError, match=r"a.jsonl.gz, behind line \d+: it cannot be unpacked further .*fetch it again"):
        only(path)
