"""Two runs of another harness's: paired by id and content, judged as any two records, with what nobody told told as that."""

import json
from pathlib import Path
from typing import Any

import pytest

from quantgate.cli import main
from quantgate.records import write_record
from tests_fixtures.doubles.adopted import judged, refused, write_json, write_lines
from tests_fixtures.doubles.examples import answers


def rows(right: str, **fields: Any) -> list[dict[str, Any]]:
    """A sample a letter: "+" right, "-" wrong."""
    sample = {"resps": [["4"]], "filtered_resps": ["4"], "metrics": ["acc"], **fields}
    return [{"doc_id": doc, "doc": {"q": f"{doc}?"}, **sample, "acc": float(sign == "+")} for doc, sign in enumerate(right)]


def two(folder: Path, before: list[dict[str, Any]], now: list[dict[str, Any]]) -> tuple[Path, Path]:
    return write_lines(folder / "bf16" / "samples_t.jsonl", before), write_lines(folder / "fp8" / "samples_t.jsonl", now)


def test_two_files_are_judged_pair_by_pair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = two(tmp_path, rows("++++-" * 40), rows("+++--" * 40)[::-1])
    (found,) = judged(capsys, *files)
    assert (found["verdict"], found["suite"], found["n"], found["discordant"]) == ("fail", "t", 200, {"regressed": 40, "improved": 0})
    assert found["drop"] == pytest.approx(20.0)
    assert "lm-eval's metric acc" in found["reason"]
    assert "the baseline's precision is unknown" in found["reason"]
    assert "tokenizer and chat template and checkpoint unknown on both sides" in found["reason"]
    assert "how answers ended was not recorded" in found["reason"]


def test_a_model_under_one_name_on_both_sides_is_no_checkpoint_against_its_own_approval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (found,) = judged(capsys, *two(tmp_path, rows("+++--" * 80), rows("++++-" * 80)))
    assert (found["verdict"], found["against"], found["checkpoint"]) == ("pass", "bf16", "fp8")


def test_the_same_id_with_another_question_is_refused_with_both_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = rows("++++")
    now[2]["doc"] = {"q": "where?"}
    before, after = two(tmp_path, rows("++++"), now)
    said = refused(capsys, before, after)
    assert said.startswith("item '2' is another question on either side: ")
    assert f"2?\"}}' ({before}, line 3)" in said
    assert f"where?\"}}' ({after}, line 3)" in said


def test_the_order_of_a_document_s_keys_is_no_other_question(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, now = rows("++++-" * 8), rows("++++-" * 8)
    for place in range(40):
        before[place]["doc"], now[place]["doc"] = {"a": 1, "b": place}, {"b": place, "a": 1}
    (found,) = judged(capsys, *two(tmp_path, before, now))
    assert (found["verdict"], found["n"]) == ("inconclusive", 40)


def test_another_prompt_of_the_same_question_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, *two(tmp_path, rows("++", prompt_hash="a"), rows("++", prompt_hash="b")))
    assert said.startswith("item '0' was asked in another prompt on either side")


def test_an_item_that_one_side_lacks_is_refused_and_with_common_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = two(tmp_path, rows("++++-" * 20), rows("++++-" * 21)[3:])
    said = refused(capsys, *files)
    assert said.startswith(
        f"item '0' is missing from the candidate ({files[1]}): the candidate lacks 3 that the baseline has, the baseline 5"
    )
    (found,) = judged(capsys, *files, "--common")
    assert found["n"] == 97
    assert "97 items that both sides have: 3 more are missing from the candidate, 5 from the baseline" in found["reason"]


def test_nothing_in_common_is_refused_whatever_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, *two(tmp_path, rows("++"), rows("++++")[2:]), "--common")
    assert said.endswith("share no item (the first are '0' and '2'): these are other items")


def test_without_a_question_items_pair_by_id_alone_which_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sides = [[{key: value for key, value in row.items() if key != "doc"} for row in rows("++++-" * 8)] for _ in range(2)]
    (found,) = judged(capsys, *two(tmp_path, *sides))
    assert "paired by id alone, the files do not tell what was asked" in found["reason"]
    assert "suite and tokenizer" in found["reason"]


def test_a_score_on_one_side_makes_both_graded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = rows("++++-" * 40)
    now[0]["acc"] = 0.5
    (found,) = judged(capsys, *two(tmp_path, rows("++++-" * 40), now))
    assert found["discordant"] is None
    assert found["drop"] == pytest.approx(0.25)
    before = rows("++++-" * 40)
    before[1]["acc"] = 0.5
    (both,) = judged(capsys, *two(tmp_path, before, now))
    assert (both["verdict"], both["drop"]) == ("inconclusive", pytest.approx(0.0))


def test_what_one_side_alone_tells_of_its_run_is_no_difference_and_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stamp = "2026-01-01T10-00-00.1"
    before = write_lines(tmp_path / "a" / f"samples_t_{stamp}.jsonl", rows("++++-" * 8))
    now = write_lines(tmp_path / "b" / f"samples_t_{stamp}.jsonl", rows("++++-" * 8))
    told = {"model_name": "org/m-FP8", "n-shot": {"t": 5}, "chat_template_sha": "d0"}
    write_json(now.parent / f"results_{stamp}.json", told)
    (found,) = judged(capsys, before, now)
    assert (found["verdict"], found["checkpoint"]) == ("inconclusive", "org/m-FP8")
    assert "told of one side alone, and not compared: num_fewshot, chat template" in found["reason"]
    write_json(before.parent / f"results_{stamp}.json", {**told, "n-shot": {"t": 0}})
    (other,) = judged(capsys, before, now)
    assert other["reason"] == "the sampling's num_fewshot changed from 0 to 5: measure both alike again"


def test_folders_pair_by_suite_and_one_that_is_lacking_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for side in "ab":
        for task in ("t", "u"):
            write_lines(tmp_path / side / f"samples_{task}.jsonl", rows("++++-" * 8))
    assert [one["suite"] for one in judged(capsys, tmp_path / "a", tmp_path / "b")] == ["t", "u"]
    (together,) = judged(capsys, tmp_path / "a", tmp_path / "b", "--suite=both")
    assert (together["suite"], together["n"]) == ("both", 80)
    write_lines(tmp_path / "a" / "samples_v.jsonl", rows("++"))
    assert refused(capsys, tmp_path / "a", tmp_path / "b").startswith(f"{tmp_path / 'b'} lacks v, which the other side has")


def test_a_record_of_ours_and_another_harness_s_file_are_no_pair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours, (theirs, _) = write_record(tmp_path, answers("+-")), two(tmp_path / "x", rows("+-"), [])
    for pair in ((ours, theirs), (theirs, ours)):
        assert refused(capsys, *pair) == f"{theirs} is another harness's, and {ours} is not: give two of a kind"


def test_items_that_are_other_ones_compare_unpaired_when_that_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, now = rows("++++-" * 80), rows("+++--" * 80)
    for row in now:
        row["doc_id"] += 1000
    assert main(["compare", *map(str, two(tmp_path, before, now)), "--unpaired", "--json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)["verdicts"]
    assert found["drop"] == pytest.approx(20.0)


def test_what_was_sent_on_one_side_alone_is_told_and_another_figure_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = rows("++++-" * 8, arguments={"gen_args_0": {"arg_0": "0?", "arg_1": {"temperature": 0.7}}})
    (found,) = judged(capsys, *two(tmp_path, rows("++++-" * 8), now))
    assert "told of one side alone, and not compared: temperature" in found["reason"]
    other = [{**row, "metrics": ["f1"], "f1": 1.0} for row in now]
    before, after = two(tmp_path, rows("++++-" * 8), other)
    said = refused(capsys, before, after)
    assert said == f"{before} has metric acc, {after} metric f1: choose one that both have (--filter, --metric)"


def test_another_harness_on_either_side_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, _ = two(tmp_path, rows("+-"), [])
    review = {"index": 0, "sample_score": {"score": {"value": {"acc": 1.0}}}}
    after = write_lines(tmp_path / "reviews.jsonl", [review])
    assert refused(capsys, before, after) == f"{before} is lm-eval's, {after} evalscope's: give two of a kind"


def test_a_hash_of_the_document_tells_another_question(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hashed = [rows("++", doc_hash=one, target_hash="t") for one in ("a" * 64, "b" * 64)]
    assert ", which differ further on; measure both on the same data" in refused(capsys, *two(tmp_path, *hashed))


def test_one_file_against_itself_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, _ = two(tmp_path, rows("++++-" * 40), [])
    assert "both sides are one and the same record" in judged(capsys, path, path)[0]["reason"]


def test_an_error_on_an_item_that_the_other_side_lacks_is_left_out_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def side(name: str, numbers: range) -> Path:
        return write_lines(tmp_path / name, [{"id": n, "ok": n % 5 > 0, "bad": "timeout" if n in (0, 7) else None} for n in numbers])

    (found,) = judged(capsys, side("a.jsonl", range(40)), side("b.jsonl", range(1, 40)), "--columns=id=id,correct=ok,error=bad", "--common")
    assert found["n"] == 38
    assert "1 of 39 requests failed here (7: timeout); 1 of 39 requests failed of the baseline's (7: timeout)" in found["reason"]


def test_a_stray_file_among_records_of_ours_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for side in "ab":
        write_record(tmp_path / side, answers("++++-" * 8))
        write_lines(tmp_path / side / "samples_t.jsonl", rows("++"))
    found = judged(capsys, tmp_path / "a", tmp_path / "b")
    assert {(one["suite"], one["n"]) for one in found} == {("reference-questions", 40)}


def test_how_many_answers_may_be_none_can_be_stated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    side = rows("++++-" * 40)
    for row in side[4::10]:
        row["filtered_resps"] = ["[invalid]"]
    pair = two(tmp_path, side, side)
    assert "10% of the baseline's answers hold no answer that can be read, 5% may" in judged(capsys, *pair)[0]["reason"]
    (found,) = judged(capsys, *pair, "--unanswered=0.1", "--accuracy-points=8")
    assert found["verdict"] == "pass"
