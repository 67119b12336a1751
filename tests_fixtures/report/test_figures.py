"""`quantgate table FILE…`: lm-eval's figures of whole tasks side by side, and what items alone make of themselves."""

import json
import math
from pathlib import Path
from statistics import stdev
from typing import Any

import pytest

from quantgate.cli import main
from tests_fixtures.doubles.adopted import write_json, write_lines

STAMP, LATER = "2026-01-01T10-00-00.1", "2026-01-01T11-00-00.2"


def results(model: str | None = "org/m-bf16", less: float = 0.0, n: int = 1319) -> dict[str, Any]:
    """As lm-eval writes it: a group of a group, two filters, a figure without error, one that is better lower."""
    return {
        "results": {
            "mmlu": {"acc,none": 0.62 - less, "acc_stderr,none": 0.0039, "alias": "mmlu"},
            "mmlu_stem": {"acc,none": 0.5 - less, "acc_stderr,none": 0.01, "alias": " - mmlu_stem"},
            "mmlu_a": {"acc,none": 0.4 - less, "acc_stderr,none": 0.02, "alias": "  - mmlu_a", "sample_len": 100},
            "gsm8k": {
                "alias": "gsm8k",
                "exact_match,strict-match": 0.5 - less,
                "exact_match_stderr,strict-match": 0.0138,
                "exact_match,flexible-extract": 0.52,
                "exact_match_stderr,flexible-extract": "N/A",
            },
            "wikitext": {"alias": "wikitext", "word_perplexity,none": 11.25 + less, "word_perplexity_stderr,none": "N/A"},
        },
        "groups": {"mmlu": {"acc,none": 0.62 - less, "acc_stderr,none": 0.0039, "alias": "mmlu"}},
        "group_subtasks": {"mmlu": ["mmlu_stem"], "mmlu_stem": ["mmlu_a"], "gsm8k": []},
        "configs": {},
        "versions": {"mmlu": 2, "gsm8k": 3.0},
        "n-shot": {"mmlu_a": 5, "gsm8k": 5},
        "higher_is_better": {"gsm8k": {"exact_match": True}, "wikitext": {"word_perplexity": False}},
        "n-samples": {"mmlu_a": {"original": 100, "effective": 100}, "gsm8k": {"original": 1319, "effective": n}},
        "model_name": model,
    }


def cells(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> list[list[str]]:
    """The Markdown table, row by row, without the line below its head."""
    assert main(["table", *map(str, arguments)]) == code
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    found = [[cell.strip() for cell in line.replace("\\|", "/").split("|")[1:-1]] for line in lines]
    assert all(set(cell) <= {"-"} for cell in found[1])
    return [found[0], *found[2:]]


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["table", *map(str, arguments)]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    return captured.err.removeprefix("quantgate table: ").rstrip("\n")


def test_results_stand_side_by_side_with_their_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write_json(tmp_path / "a" / f"results_{STAMP}.json", results())
    write_json(tmp_path / "b" / f"results_{STAMP}.json", results("org/m-NVFP4", 0.01, 200))
    assert cells(capsys, one, tmp_path / "b") == [
        ["task", "version", "shots", "n", "filter", "metric", "org/m-bf16", "org/m-NVFP4"],
        ["mmlu", "2", "", "100", "", "acc", "0.6200 ± 0.0039", "0.6100 ± 0.0039"],
        ["- mmlu_stem", "", "", "100", "", "acc", "0.5000 ± 0.0100", "0.4900 ± 0.0100"],
        ["- mmlu_a", "", "5", "100", "", "acc", "0.4000 ± 0.0200", "0.3900 ± 0.0200"],
        ["gsm8k", "3.0", "5", "1,319 / 200", "strict-match", "exact_match ↑", "0.5000 ± 0.0138", "0.4900 ± 0.0138"],
        ["", "3.0", "5", "1,319 / 200", "flexible-extract", "exact_match ↑", "0.5200", "0.5200"],
        ["wikitext", "", "", "", "", "word_perplexity ↓", "11.2500", "11.2600"],
    ]


def test_a_folder_of_three_models_has_three_columns_and_one_model_s_files_are_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, task, model in (("1", "a", "m1"), ("2", "b", "m1"), ("3", "a", "m2"), ("4", "a", "m1")):
        write_json(
            tmp_path / f"results_{name}.json", {"results": {task: {"acc,none": float(name) / 10}}, "versions": {}, "model_name": model}
        )
    head, *rows = cells(capsys, tmp_path)
    assert head == ["task", "metric", f"m1 ({tmp_path / 'results_1.json'})", "m2", f"m1 ({tmp_path / 'results_4.json'})"]
    assert rows == [["a", "acc", "0.1000", "0.3000", "0.4000"], ["b", "acc", "0.2000", "", ""]]
    assert cells(capsys, tmp_path, "--model=M2")[0] == ["task", "metric", "m2"]
    assert refused(capsys, tmp_path, "--model=m9") == f"{tmp_path} holds no results of the model m9; there is m1, m2"


def test_groups_that_stand_apart_come_before_what_is_in_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = {
        "results": {name: {"acc,none": 0.5} for name in ("alone", "b", "a", "late", "twice")},
        "groups": {name: {"acc,none": value} for name, value in (("all", 0.25), ("part", 0.75), ("one", 0.125), ("two", 0.125))},
        "group_subtasks": {
            "all": ["a", "part"],
            "part": ["b", "a"],
            "round": ["ring"],
            "ring": ["round", "late"],
            "one": ["twice"],
            "two": ["twice"],
        },
        "model_name": "m",
    }
    rows = cells(capsys, write_json(tmp_path / "a.json", told))[1:]
    assert [(row[0], row[-1]) for row in rows] == [
        ("alone", "0.5000"),
        ("all", "0.2500"),
        ("- a", "0.5000"),
        ("- part", "0.7500"),
        ("- b", "0.5000"),
        ("- late", "0.5000"),
        ("one", "0.1250"),
        ("- twice", "0.5000"),
    ]


def test_one_model_s_files_named_one_by_one_are_one_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [
        write_json(tmp_path / f"{task}.json", {"results": {task: {"acc,none": 0.5}}, "versions": {}, "model_name": model})
        for task, model in (("a", "m"), ("b", "m"), ("c", None), ("d", None))
    ]
    assert cells(capsys, *files)[0] == ["task", "metric", "m", "c", "d"]
    other = write_json(tmp_path / "x" / "c.json", {"results": {"e": {"acc,none": 0.5}}, "versions": {}})  # whose model nobody knows
    assert cells(capsys, files[2], other)[0] == ["task", "metric", f"c ({files[2]})", f"c ({other})"]


def test_figures_of_before_there_were_filters_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = {
        "results": {"arc": {"acc": 0.25, "acc_stderr": 0.0125, "acc_norm": 0.5}},
        "versions": {"arc": 0},
        "config": {"model": "hf-causal", "model_args": "pretrained=org/old,dtype=float16"},
    }
    rows = cells(capsys, write_json(tmp_path / "old.json", told))
    assert rows == [
        ["task", "version", "metric", "org/old"],
        ["arc", "0", "acc", "0.2500 ± 0.0125"],
        ["", "0", "acc_norm", "0.5000"],
    ]


def samples(path: Path, docs: int = 10) -> Path:
    rows = [
        {"doc_id": doc, "filter": filter_, "metrics": ["acc", "f1"], "resps": [["x"]], "acc": float(doc % every > 0), "f1": [True, False]}
        for filter_, every in (("strict-match", 2), ("none", 5))
        for doc in range(docs)
    ]
    return write_lines(path, rows)


def test_samples_alone_are_summarised_with_lm_eval_s_own_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = samples(tmp_path / f"samples_t_{STAMP}.jsonl")
    errors = [stdev([float(doc % every > 0) for doc in range(10)]) / math.sqrt(10) for every in (2, 5)]
    assert cells(capsys, path) == [
        ["task", "n", "filter", "metric", f"samples_t_{STAMP.partition('.')[0]}"],
        ["t", "10", "strict-match", "acc", f"0.5000 ± {errors[0]:.4f}"],
        ["", "", "strict-match", "f1", "to be put together over all items"],
        ["", "10", "", "acc", f"0.8000 ± {errors[1]:.4f}"],
        ["", "", "", "f1", "to be put together over all items"],
    ]
    assert [row[3] for row in cells(capsys, path, "--metric=acc", "--filter=strict-match")[1:]] == ["acc"]


def test_samples_with_results_of_their_time_are_told_by_these(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples(tmp_path / f"samples_gsm8k_{STAMP}.jsonl")
    samples(tmp_path / f"samples_late_{LATER}.jsonl")
    write_json(tmp_path / f"results_{STAMP}.json", results())
    rows = cells(capsys, tmp_path)
    assert rows[0][-2:] == ["org/m-bf16", tmp_path.name]
    assert [row[0] for row in rows[1:]] == ["mmlu", "- mmlu_stem", "- mmlu_a", "gsm8k", "", "wikitext", "late", "", "", ""]


def test_a_figure_that_is_no_number_stands_as_it_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = {"results": {"t": {"mcc,none": math.nan, "acc,none": 0.5, "acc_stderr,none": math.nan}}, "versions": {}, "model_name": "m"}
    assert cells(capsys, write_json(tmp_path / "a.json", told))[1:] == [["t", "mcc", "NaN"], ["", "acc", "0.5000"]]


def test_livebench_s_models_have_a_column_each_with_both_means(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"question_id": f"{task}{n}", "task": task, "model": model, "score": float(n % 4 > 0), "category": "c", "answer_id": "a"}
        for model in ("m1", "m2")
        for task, count in (("x", 30), ("y", 4))
        for n in range(count)
    ]
    head, question, category = cells(capsys, write_lines(tmp_path / "ground_truth_judgment.jsonl", rows))
    assert head == ["task", "n", "metric", "m1", "m2"]
    assert question[:3] == ["livebench", "34", "score by question"]
    assert question[3].startswith("0.7353 ± ")  # 25 of 34
    assert category[2:4] == ["score by category", category[4]]
    assert category[3].startswith("0.7417 ± ")  # (22/30 + 3/4)/2


def test_json_has_every_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_json(tmp_path / f"results_{STAMP}.json", results())
    assert main(["table", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["columns"] == [{"name": "org/m-bf16", "files": [str(path)]}]
    assert [(row["task"], row["filter"], row["metric"], row["cells"][0]["value"], row["cells"][0]["stderr"]) for row in found["rows"]][
        3:5
    ] == [
        ("gsm8k", "strict-match", "exact_match", 0.5, 0.0138),
        ("gsm8k", "flexible-extract", "exact_match", 0.52, None),
    ]
    assert [row["cells"][0]["is_group"] for row in found["rows"]] == [True, True, False, False, False, False]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"results": {"t": 5}, "versions": {}}, "is no results file of lm-eval's: Expected `object`, got `int`"),
        ({"results": {"t": {"acc,none": [1, 2]}}, "versions": {}}, ": t's acc,none is no figure but [1, 2]"),
        ({"results": {}, "versions": {}}, " holds no figures: lm-eval wrote it without a task"),
        ({"some": "json"}, " holds nothing that a reader knows"),
    ],
)
def test_a_malformed_file_is_one_sentence(tmp_path: Path, content: Any, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_json(tmp_path / "results.json", content)
    assert refused(capsys, path).startswith(f"{path}{said}" if said.startswith((":", " ")) else f"{path} {said}")


def test_what_ends_too_soon_or_is_not_there_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_json(tmp_path / "results.json", results())
    path.write_text(path.read_text(encoding="utf-8")[:-9], encoding="utf-8")
    assert refused(capsys, path) == f"{path} is no results file of lm-eval's: Input data was truncated"
    gone = tmp_path / "gone.json"
    assert refused(capsys, gone) == f"{gone} does not exist; give files or folders of results"
