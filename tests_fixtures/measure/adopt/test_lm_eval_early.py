"""lm-eval before it wrote a line a sample: 0.4.0's lists with `results.json` beside, 0.3's with metrics as text."""

import json
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import MeasurementError
from quantgate.measure.adopt import Choice, adopt
from tests_fixtures.doubles.adopted import judged, only, refused, shown, write_json


def listed(path: Path, rows: list[dict[str, Any]]) -> Path:
    """As json.dumps(…, indent=2) wrote it, whatever the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=2), encoding="utf-8")
    return path


def of_0_4_0(folder: Path, wrong: int, model: str) -> Path:
    for task in ("gsm8k", "hard_gsm8k"):
        rows = [
            {
                "doc_id": doc,
                "doc": {"question": f"{doc}?"},
                "target": "3",
                "arguments": [[f"Q: {doc}?", {"until": ["\n\n"], "do_sample": False}]],
                "resps": [["so 3"]],
                "filtered_resps": ["3"],
                "exact_match": float(doc >= wrong),
            }
            for doc in range(20)
        ]
        listed(folder / f"pretrained__org__{model},dtype__float16_{task}.jsonl", rows)
    told = {
        "results": {task: {"exact_match,get-answer": 0.9} for task in ("gsm8k", "hard_gsm8k")},
        "configs": {"gsm8k": {}, "hard_gsm8k": {}},
        "versions": {"gsm8k": "Yaml"},
        "n-shot": {"gsm8k": 5},
        "config": {"model": "hf", "model_args": f"pretrained=org/{model},dtype=float16"},
    }
    write_json(folder / "results.json", told)
    return folder


def test_the_lists_of_0_4_0_are_read_and_know_their_tasks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = of_0_4_0(tmp_path / "a", 2, "m")
    found = adopt(folder, Choice())
    assert list(found) == ["gsm8k", "hard_gsm8k"]
    run = found["gsm8k"]
    assert (run.model, run.figure, len(run.items), run.setup["num_fewshot"]) == ("org/m", "metric exact_match", 20, 5)
    assert run.sent == {"do_sample": False, "until": '["\\n\\n"]'}
    assert [one.answer for one in run.items[:1]] == ["so 3"]
    verdicts = judged(capsys, folder, of_0_4_0(tmp_path / "b", 5, "m-fp8"))
    assert [(one["suite"], one["checkpoint"], one["n"], one["discordant"]["regressed"]) for one in verdicts] == [
        ("gsm8k", "org/m-fp8", 20, 3),
        ("hard_gsm8k", "org/m-fp8", 20, 3),
    ]


def test_filters_without_names_are_told_as_such(tmp_path: Path) -> None:
    rows = [{"doc_id": doc, "resps": [["3"]], "filtered_resps": ["3"], "exact_match": 1.0} for doc in (0, 1, 0, 1)]
    with pytest.raises(
        MeasurementError, match=r"line 3: document 0 stands there again .*0\.4\.0 wrote several filters without their names"
    ):
        only(listed(tmp_path / "m_t.jsonl", rows))


def of_0_3(folder: Path, wrong: int) -> Path:
    rows = [
        {
            "doc_id": doc,
            "prompt_0": f"Q: {doc}?",
            "logit_0": -1.5,
            "prompt_1": f"Q: {doc}! no",
            "logit_1": -2.5,
            "truth": 0,
            "acc": str(float(doc >= wrong)),
            "acc_norm": "1.0",
        }
        for doc in range(20)
    ]
    return listed(folder / "arc_easy_write_out_info.json", rows)


def test_what_0_3_wrote_out_has_its_metrics_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, now = of_0_3(tmp_path / "a", 2), of_0_3(tmp_path / "b", 5)
    (found,) = judged(capsys, before, now, "--metric=acc")
    assert (found["suite"], found["n"], found["discordant"]["regressed"]) == ("arc_easy", 20, 3)
    assert "paired by id alone" not in found["reason"]
    with pytest.raises(MeasurementError, match=r"several metrics \(acc, acc_norm\)"):
        only(before)
    now.write_text(now.read_text(encoding="utf-8").replace("Q: 3?", "Q: 4?"), encoding="utf-8")
    assert refused(capsys, before, now, "--metric=acc").startswith("item '3' is another question on either side")


def test_a_generated_answer_of_0_3_is_its_text(tmp_path: Path) -> None:
    rows = [{"doc_id": 0, "prompt_0": "Q", "logit_0": "<think>\nhm", "truth": "4", "em": "(1, 2)"}]
    with pytest.raises(MeasurementError, match=r"the metric em is '\(1, 2\)', and no number"):
        only(listed(tmp_path / "t_write_out_info.json", rows))
    rows[0]["em"] = "0.5"
    (item,) = only(listed(tmp_path / "t_write_out_info.json", rows)).items
    assert (item.answer, item.open_think) == ("<think>\nhm", True)
    assert shown(only(tmp_path)) == [("0", 0.5)]


def test_a_list_that_ends_too_soon_is_named(tmp_path: Path) -> None:
    path = of_0_3(tmp_path, 0)
    path.write_text(path.read_text(encoding="utf-8")[:-5], encoding="utf-8")
    with pytest.raises(MeasurementError, match=r"arc_easy_write_out_info\.json is no list of lm-eval's samples: Input data was truncated"):
        only(path)
