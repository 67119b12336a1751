"""LiveBench's two means of three made runs of 200 questions in six categories, worked out by hand."""

from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from quantgate.cli import main
from quantgate.errors import MeasurementError
from quantgate.judgement import figure_parts, judge_answers
from quantgate.judgement.wellformed import malformed
from quantgate.measure.adopt import Choice, adopt
from tests_fixtures.doubles.adopted import judged, only, refused, write_lines

# category, task, questions, and of each run the sum of their scores
TASKS = [
    ("coding", "LCB_generation", 30, ("21", "21", "15")),
    ("coding", "coding_completion", 10, ("5", "5", "5")),
    ("math", "AMPS_Hard", 20, ("15", "15", "15")),
    ("math", "math_comp", 12, ("9", "9", "9")),
    ("math", "olympiad", 8, ("2", "0", "2")),
    ("reasoning", "zebra_puzzle", 25, ("10", "10", "10")),
    ("reasoning", "spatial", 15, ("9", "9", "9")),
    ("language", "typos", 20, ("12", "12", "12")),
    ("language", "plot_unscrambling", 10, ("4", "4", "4")),
    ("data_analysis", "tablejoin", 18, ("9", "9", "9")),
    ("data_analysis", "cta", 12, ("9", "9", "9")),
    ("instruction_following", "paraphrase", 11, ("33/4", "33/4", "33/4")),
    ("instruction_following", "summarize", 9, ("9/2", "9/4", "9/2")),
]
RUNS = ("m-bf16", "m-small", "m-large")
"""What the second loses lies in small tasks, what the third loses in the largest."""
# 117.75, 113.5 and 111.75 of 200
BY_QUESTION = dict(zip(RUNS, (Fraction(471, 800), Fraction(227, 400), Fraction(447, 800)), strict=True))
# (3/5 + 7/12 + 1/2 + 1/2 + 5/8 + 5/8)/6; 7/12 and 5/8 are 1/2 each; 3/5 is 1/2
BY_CATEGORY = dict(zip(RUNS, (Fraction(103, 180), Fraction(43, 80), Fraction(5, 9)), strict=True))


@pytest.fixture
def judgments(tmp_path: Path) -> Path:
    rows = []
    for category, task, count, sums in TASKS:
        for model, total in zip(RUNS, map(Fraction, sums), strict=True):
            each = total / count if category == "instruction_following" else None
            rows += [
                {
                    "question_id": f"{task}-{number}",
                    "task": task,
                    "model": model,
                    "score": float(each) if each is not None else float(number < total),
                    "tstamp": 1.0,
                    "category": category,
                    "answer_id": model,
                }
                for number in range(count)
            ]
    assert len(rows) == 3 * 200
    return write_lines(tmp_path / "ground_truth_judgment.jsonl", rows)


@pytest.mark.parametrize("model", RUNS)
def test_both_means_stand_in_the_record(judgments: Path, model: str) -> None:
    record = only(judgments, model=model).record("livebench", model, "")
    assert (record.accuracy, record.category_mean) == pytest.approx((float(BY_QUESTION[model]), float(BY_CATEGORY[model])))
    assert record.figure == record.accuracy
    (chosen,) = adopt(judgments, Choice(model=model, mean="category")).values()
    gated = chosen.record("livebench", model, "")
    assert (gated.mean, gated.figure) == ("category", gated.category_mean)
    _, shown, unit = figure_parts(gated)
    assert shown + unit == f"{float(100 * BY_CATEGORY[model]):.2f} % by category ({float(100 * BY_QUESTION[model]):.2f} % by question)"


@pytest.mark.parametrize(
    ("candidate", "mean", "drop"),
    [
        ("m-small", "question", Fraction(17, 8)),
        ("m-small", "category", Fraction(125, 36)),
        ("m-large", "question", Fraction(3)),
        ("m-large", "category", Fraction(5, 3)),
    ],
)
def test_the_declared_mean_is_judged_and_the_line_has_both(
    judgments: Path, candidate: str, mean: str, drop: Fraction, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--model=m-bf16", f"--model={candidate}", f"--mean={mean}")
    (found,) = judged(capsys, judgments, judgments, *options)
    assert (found["n"], found["drop"]) == (200, pytest.approx(float(drop)))
    low, high = found["interval"]
    assert low < float(drop) < high
    by = {one["name"]: one for one in found["means"]}
    assert {name: one["gated"] for name, one in by.items()} == {"question": mean == "question", "category": mean == "category"}
    for name, held in (("question", BY_QUESTION), ("category", BY_CATEGORY)):
        assert by[name]["before"] == pytest.approx(float(100 * held["m-bf16"]))
        assert by[name]["now"] == pytest.approx(float(100 * held[candidate]))
    assert by[mean]["interval"] == found["interval"]
    main(["compare", str(judgments), str(judgments), *options])
    line = capsys.readouterr().out
    assert f"{float(drop):.2f} points worse by {mean} [" in line
    for name, held in (("question", BY_QUESTION), ("category", BY_CATEGORY)):
        before, now = (float(100 * held[model]) for model in ("m-bf16", candidate))
        assert f"by {name} {before:.2f} to {now:.2f} % (drop {before - now:.2f} [" in line


def test_judgments_without_categories_have_one_mean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "out.log"
    path.write_text("".join(f"question: q{n}, turn: 1, model: m, score: {n % 2}, \n" for n in range(40)), encoding="utf-8")
    assert only(path).record("livebench", "m", "").category_mean is None
    assert refused(capsys, path, path, "--mean=category") == (
        f"{path} does not tell a category and a task of each item: it has the mean by question alone"
    )


def test_a_category_of_few_questions_clears_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"question_id": f"{task}{n}", "task": task, "model": "m", "score": float(n % 4 > 0), "category": task, "answer_id": "a"}
        for task, count in (("x", 300), ("y", 3))
        for n in range(count)
    ]
    path = write_lines(tmp_path / "a.jsonl", rows)
    (found,) = judged(capsys, path, path, "--mean=category", "--accuracy-points=90")
    assert found["verdict"] == "inconclusive"
    # 1/(1/4/300 + 1/4/3) = 11.9
    assert found["reason"].startswith("303 items count as 11.9 of one weight in the mean by category, and below 15 no loss can")


def test_two_sides_that_are_judged_by_another_mean_are_refused(judgments: Path) -> None:
    sides = []
    for mean in ("question", "category"):
        (run,) = adopt(judgments, Choice(model="m-bf16", mean=mean)).values()
        sides.append(run.record("livebench", "m-bf16", ""))
    found = judge_answers(sides[1], sides[0], accuracy_points=2.0)
    assert (found.verdict, found.reason) == (
        "error",
        "the mean that is judged changed from 'question' to 'category': measure both alike again",
    )


def test_what_counts_alone_know_is_not_said_of_the_mean_by_category(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"question_id": f"{task}{n}", "task": task, "model": side, "score": float(n % every > 0), "category": "c", "answer_id": "a"}
        for side, every in (("a", 5), ("b", 4))
        for task, count in (("x", 60), ("y", 20))
        for n in range(count)
    ]
    path = write_lines(tmp_path / "a.jsonl", rows)
    sides = (path, path, "--model=a", "--model=b")
    (question,), (category,) = (judged(capsys, *sides, f"--mean={mean}") for mean in ("question", "category"))
    assert question["p_value_mid"] is not None
    assert category["p_value_mid"] is None
    assert category["mde"] > question["mde"]
    (unpaired,) = judged(capsys, *sides, "--mean=category", "--unpaired")
    assert unpaired["reason"] == "the mean by category is compared in pairs only"


def test_an_item_of_another_task_does_not_pair(judgments: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other" / judgments.name
    other.parent.mkdir()
    other.write_text(judgments.read_text(encoding="utf-8").replace('"task": "cta"', '"task": "tablejoin"'), encoding="utf-8")
    (found,) = judged(capsys, judgments, other, "--model=m-bf16")
    assert found["reason"] == "item 'cta-0' is of task 'tablejoin', in the baseline of 'cta': measure both alike again"


def test_a_mean_that_its_items_do_not_make_was_not_measured(judgments: Path) -> None:
    record = only(judgments, model="m-bf16").record("livebench", "m", "")
    assert malformed(record) is None
    wrong = str(malformed(msgspec.structs.replace(record, category_mean=0.5)))
    assert wrong.startswith("its category_mean is 0.5, and its items make 0.57")
    assert malformed(msgspec.structs.replace(record, category_mean=None, mean="category")) == (
        "it is judged by its mean over categories, and has none"
    )
    with pytest.raises(MeasurementError, match="choose one a side"):
        only(judgments)
