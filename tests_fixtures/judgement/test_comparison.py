"""`quantgate compare`: records in, sentences or one JSON document out, an exit code that a script can trust."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from quantgate import stats
from quantgate.cli import main
from quantgate.records import Answers, write_record
from tests_fixtures.doubles.examples import MIXED, answers, text_loss, with_provenance

BF16 = Path(__file__).parents[2] / "fixtures" / "reference" / "bf16"
LOSSES = [20.0, 31.0, 39.0, 52.0, 58.0, 71.0] * 3


def worse(by: float) -> list[float]:
    """The documents of `text_loss`, `by` nats a token worse (one of two a little more, the other a little less)."""
    return [nll + 10 * by + 0.05 * (-1) ** place for place, nll in enumerate(LOSSES)]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.chdir(tmp_path)  # no models.toml beside it
    for name, checkpoint in (("before", "bf16"), ("after", "nvfp4")):
        write_record(tmp_path / name, text_loss(checkpoint, worse(0.01) if name == "after" else LOSSES))
        one = msgspec.structs.replace(answers(MIXED), checkpoint=checkpoint, precision=checkpoint)
        write_record(tmp_path / name, one)
    return tmp_path / "before" / "reference" / "bf16", tmp_path / "after" / "reference" / "nvfp4"


def test_two_folders_are_judged_suite_by_suite(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *map(str, folders), "--accuracy-points=8"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": perp")[0].partition(": 0.00")[0] for line in lines] == [
        "pass: reference/nvfp4 reference-questions",
        "pass: reference/nvfp4 reference-text",
    ]


def test_what_a_harness_wrote_beside_its_record_is_no_record(folders: tuple[Path, Path]) -> None:
    for folder in folders:
        (folder / "sums.harness" / "first").mkdir(parents=True)
        (folder / "sums.harness" / "first" / "told.json").write_text("{}", encoding="utf-8")
    assert main(["compare", *map(str, folders), "--accuracy-points=8"]) == 0


def test_one_json_document_and_exit_1_for_a_fail(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    write_record(folders[1].parents[1], text_loss("nvfp4", worse(0.08)))
    assert main(["compare", *map(str, folders), "--accuracy-points=8", "--json"]) == 1
    out = json.loads(capsys.readouterr().out)
    assert out["verdict"] == "fail"
    text = out["verdicts"][1]
    assert (text["suite"], text["verdict"], text["n"], text["against"]) == ("reference-text", "fail", 18, "bf16")
    assert text["drop"] == pytest.approx(0.08)
    assert text["tolerance"] == pytest.approx(math.log(1.05))
    # Holm over the two suites: the answers show nothing, so this p counts twice.
    assert text["p_value"] == pytest.approx(2 * text["p_value_alone"])


def test_tolerances_come_from_models_toml_by_the_candidate_s_precision(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "models.toml"
    other = f'[[family]]\nname = "other"\nsuites = ["x"]\ncheckpoint = [{{ name = "a", precision = "bf16", path = "{BF16}" }}]\n'
    file.write_text(f"{other}[tolerance]\nnvfp4 = {{ perplexity_ratio = 1.005, accuracy_points = 8.0 }}\n", encoding="utf-8")
    command = ["compare", *map(str, folders), "--json", f"--models={file}"]
    assert main(command) == 1
    assert json.loads(capsys.readouterr().out)["verdicts"][1]["tolerance"] == pytest.approx(math.log(1.005))
    assert main([*command, "--perplexity-ratio=1.05"]) == 0


def test_accuracies_of_other_items_compare_only_when_asked_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def others(right: str) -> Answers:
        one = answers(right)
        return msgspec.structs.replace(one, items=[msgspec.structs.replace(item, id=f"other {item.id}") for item in one.items])

    pair = [str(write_record(tmp_path / name, one)) for name, one in (("a", answers("++++-" * 80)), ("b", others("+++--" * 80)))]
    assert main(["compare", *pair, "--json"]) == 2
    assert "missing from the measurement" in json.loads(capsys.readouterr().out)["verdicts"][0]["reason"]
    assert main(["compare", *pair, "--unpaired", "--json"]) == 1
    got = json.loads(capsys.readouterr().out)["verdicts"][0]
    assert got["drop"] == pytest.approx(20.0)
    assert got["reason"].endswith("unpaired: 400 items against 400 others")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{before}", "{before}/none"], "none does not exist; give two records, or two folders of them"),
        (["{before}", "{before}/reference-text.json"], "one is a file and one a folder; give two of a kind"),
        (["{before}", "{empty}"], "share no record: 2 and 0 files"),
        (["{before}/reference-text.json", "{empty}/../broken.json"], "broken.json is no usable record: JSON is malformed"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence_and_exit_2(
    arguments: list[str], said: str, folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.json").write_text("nonsense", encoding="utf-8")
    places = {"before": folders[0], "empty": tmp_path / "empty"}
    assert main(["compare", *(one.format(**places) for one in arguments), "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("quantgate compare: ")
    assert said in captured.err
    assert captured.err.count("\n") == 1


def test_a_suite_that_the_candidate_lacks_is_named(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    (folders[1] / "reference-text.json").unlink()
    assert main(["compare", *map(str, folders)]) == 2
    assert "nvfp4 lacks reference-text.json, which" in capsys.readouterr().err


def test_a_suite_that_the_baseline_lacks_is_an_error_and_not_left_out(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (folders[0] / "reference-questions.json").unlink()
    assert main(["compare", *map(str, folders), "--json"]) == 2
    found = {one["suite"]: one["verdict"] for one in json.loads(capsys.readouterr().out)["verdicts"]}
    assert found == {"reference-text": "pass", "reference-questions": "error"}


def test_suites_of_one_checkpoint_are_corrected_for_and_other_checkpoints_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fail alone stays one beside nineteen other checkpoints."""
    for number in range(20):
        write_record(tmp_path / "before", msgspec.structs.replace(text_loss("nvfp4", LOSSES), checkpoint=f"one{number}"))
        now = msgspec.structs.replace(text_loss("nvfp4", worse(0.08) if number == 7 else LOSSES), checkpoint=f"one{number}")
        write_record(tmp_path / "after", now)
    assert main(["compare", str(tmp_path / "before"), str(tmp_path / "after"), "--json"]) == 1
    judged = {one["checkpoint"]: one for one in json.loads(capsys.readouterr().out)["verdicts"]}
    assert {name for name, one in judged.items() if one["verdict"] == "fail"} == {"one7"}
    assert judged["one7"]["p_value"] == judged["one7"]["p_value_alone"]


@pytest.mark.parametrize(
    ("options", "code"), [([], 0), (["--inconclusive=warn"], 0), (["--inconclusive=pass"], 0), (["--inconclusive=fail"], 1)]
)
def test_what_is_inconclusive_is_a_failure_where_that_is_asked_for(options: list[str], code: int, tmp_path: Path) -> None:
    pair = [str(write_record(tmp_path / name, answers("++++-" * 4))) for name in ("a", "b")]
    assert main(["compare", *pair, *options]) == code


def test_models_toml_is_read_where_it_lies(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = f'[[family]]\nname = "other"\nsuites = ["x"]\ncheckpoint = [{{ name = "a", precision = "bf16", path = "{BF16}" }}]\n'
    text = f"{other}[tolerance]\nnvfp4 = {{ perplexity_ratio = 1.005, accuracy_points = 8.0 }}\n"
    (tmp_path / "models.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["compare", *map(str, folders), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["verdicts"][1]["tolerance"] == pytest.approx(math.log(1.005))


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--perplexity-ratio=5", "tolerance: perplexity_ratio is 5.0; it must lie above 1 and below 2; 1.05 accepts 5 %"),
        ("--accuracy-points=500", "tolerance: accuracy_points is 500.0; it must lie above 0 and below 100"),
        ("--decode-tps-ratio=1.5", "tolerance: decode_tps_ratio is 1.5; it must lie between 0 and 1"),
    ],
)
def test_a_tolerance_has_the_limits_that_models_toml_has(
    option: str, said: str, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *map(str, folders), option]) == 2
    assert capsys.readouterr().err == f"quantgate compare: {said}\n"


def test_unpaired_says_what_stands_in_the_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def reason(baseline: Answers, candidate: Answers) -> str:
        pair = [str(write_record(tmp_path / name, one)) for name, one in (("a", baseline), ("b", candidate))]
        assert main(["compare", *pair, "--unpaired", "--json"]) == 2
        return str(json.loads(capsys.readouterr().out)["verdicts"][0]["reason"])

    one = answers(MIXED)
    assert reason(one, one) == "these 200 items pair, and pairs show far more: leave --unpaired out"
    hot = with_provenance(one, sampling={**one.provenance.sampling, "temperature": 1.0})
    assert reason(one, hot).startswith("the sampling's temperature changed from 0")
    assert reason(one, msgspec.structs.replace(one, suite="another")).startswith(
        "the suite changed from 'reference-questions' to 'another'"
    )
    kin = msgspec.structs.replace(one, items=[msgspec.structs.replace(item, cluster="talk", id=f"x{item.id}") for item in one.items])
    assert "belongs to a cluster ('talk')" in reason(one, kin)


def test_a_folder_of_many_records_is_weighed_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, checkpoint in (("before", "bf16"), ("after", "nvfp4")):
        for number in range(60):
            one = msgspec.structs.replace(text_loss(checkpoint, worse(0.01) if name == "after" else LOSSES), suite=f"text-{number}")
            write_record(tmp_path / name, one)
    seeds = []

    def counted(*columns: Sequence[float], **named: int) -> stats.Estimate:
        seeds.append(1)
        return stats.bootstrap_log_ratio(*columns, **named)  # type: ignore[arg-type]  # three columns, the last of whole numbers

    monkeypatch.setattr("quantgate.judgement.text.bootstrap_log_ratio", counted)
    assert main(["compare", str(tmp_path / "before/reference/bf16"), str(tmp_path / "after/reference/nvfp4"), "--json"]) == 0
    assert len(seeds) == 60


def test_the_length_of_answers_that_think_is_a_line_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def thinking(tokens: int, checkpoint: str) -> Answers:
        one = answers(MIXED, checkpoint)
        items = [
            msgspec.structs.replace(item, completion_tokens=tokens + place % 5, answer="</think> 4") for place, item in enumerate(one.items)
        ]
        return msgspec.structs.replace(one, items=items)

    pair = [str(write_record(tmp_path, thinking(tokens, name))) for tokens, name in ((100, "bf16"), (140, "nvfp4"))]
    assert main(["compare", *pair, "--accuracy-points=8"]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("pass: reference/nvfp4 reference-questions: 0.00 points worse")
    assert second.startswith("fail: reference/nvfp4 reference-questions length: tokens 1.39x of BF16 [1.39, 1.39], at most 1.10x wanted")
