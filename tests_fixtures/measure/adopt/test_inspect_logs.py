"""Inspect's logs, packed and plain: epochs, letters and numbers as scores, endings, errors that are no zeros."""

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import MeasurementError
from quantgate.measure.adopt import Choice, adopt
from tests_fixtures.doubles.adopted import judged, only, refused, shown, write_json

EVAL = {"task": "org/arith", "model": "vllm/m-NVFP4", "model_generate_config": {"temperature": 0.5, "stop_seqs": None}}
HEADER = {"version": 2, "status": "success", "eval": EVAL, "plan": {"config": {"max_tokens": 512, "max_connections": 8}}}


def sample(name: int | str, value: Any, epoch: int = 1, said: Any = "4", stop: str = "stop", **fields: Any) -> dict[str, Any]:
    output = {"choices": [{"message": {"content": said}, "stop_reason": stop}], "usage": {"output_tokens": 2}}
    scores = {"match": {"value": value, "answer": "4"}}
    return {"id": name, "epoch": epoch, "input": f"{name}?", "target": "4", "scores": scores, "output": output, **fields}


SAMPLES = [
    sample(1, "C"),
    sample(1, "N", 2, "hm", "max_tokens", scores={"match": {"value": "N", "answer": None}}),
    sample("b", "C", target=["4", "four"], error={"message": "connection reset"}),
    sample("c", "P", limit={"type": "token", "limit": 512}),
    sample("d", True, scores={}),
    sample("e", "I", limit={"type": "time", "limit": 60}),
]


def log(path: Path, samples: list[dict[str, Any]], **eval_: Any) -> Path:
    """A zip where the name ends in .eval, else one document."""
    header = {**HEADER, "eval": {**EVAL, **eval_}}
    if path.suffix != ".eval":
        return write_json(path, {**header, "samples": samples})
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for one in samples:
            packed.writestr(f"samples/{one['id']}_epoch_{one['epoch']}.json", json.dumps(one))
        packed.writestr("header.json", json.dumps(header))
    return path


def packed_with_zstd(path: Path) -> Path:
    """As Inspect packs its logs since 0.3.200 or so."""
    if sys.version_info >= (3, 14):
        import zipfile as writer
    else:
        from backports.zstd import zipfile as writer
    with zipfile.ZipFile(path) as plain, writer.ZipFile(path.with_suffix(".zst.eval"), "w", writer.ZIP_ZSTANDARD) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    return path.with_suffix(".zst.eval")


def test_a_log_packed_with_zstd_is_read_and_one_that_broke_is_named(tmp_path: Path) -> None:
    path = packed_with_zstd(log(tmp_path / "log.eval", [sample(n, "C") for n in range(60)]))
    assert zipfile.ZipFile(path).infolist()[0].compress_type == 93
    assert len(only(path).items) == 60
    content = path.read_bytes()
    place = content.index(b"samples/7_epoch_1.json") + len(b"samples/7_epoch_1.json")
    path.write_bytes(content[:place] + bytes(60) + content[place + 60 :])
    with pytest.raises(MeasurementError, match=r"samples/7_epoch_1\.json cannot be unpacked \(.*\); fetch it again"):
        only(path)


@pytest.mark.parametrize("name", ["log.eval", "log.json"])
def test_a_log_is_read_packed_and_plain(tmp_path: Path, name: str) -> None:
    run = only(log(tmp_path / name, SAMPLES))
    assert (run.suite, run.model, run.figure) == ("arith", "vllm/m-NVFP4", "scorer match")
    assert run.sent == {"max_tokens": 512, "temperature": 0.5}
    assert [(one.id, one.worth, one.cluster, one.finish_reason, one.parsed, one.completion_tokens) for one in run.items] == [
        ("1", 1.0, "1", "stop", True, 2),
        ("1:2", 0.0, "1", "max_tokens", False, 2),
        ("c", 0.5, "c", "max_tokens", True, 2),
        ("e", 0.0, "e", "time limit", True, 2),
    ]
    assert run.failed == {"b": "connection reset", "d": "not scored"}


def test_a_scorer_is_chosen_by_name_and_of_a_dict_by_its_key(tmp_path: Path) -> None:
    scores = {"match": {"value": "C"}, "grader": {"value": {"style": 0.25, "sense": 1}}}
    path = log(tmp_path / "log.json", [sample(1, "C", scores=scores)])
    assert shown(only(path, metric="grader/style")) == [("1", 0.25)]
    with pytest.raises(MeasurementError, match=r"sample 1 has several metrics \(match, grader/style, grader/sense\): choose"):
        only(path)


@pytest.mark.parametrize(
    ("said", "answer", "is_open"),
    [
        ([{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "4"}], "<think>hm</think>4", False),
        ([{"type": "reasoning", "reasoning": "hm"}], "<think>hm", True),
        ([{"type": "text", "text": "4"}, {"type": "image", "image": "x"}], "4", False),
        (None, "", False),
    ],
)
def test_a_text_is_found_in_its_parts(tmp_path: Path, said: Any, answer: str, is_open: bool) -> None:
    (item,) = only(log(tmp_path / "log.json", [sample(1, "C", said=said)])).items
    assert (item.answer, item.open_think) == (answer, is_open)


def test_ids_of_messages_are_no_content_and_another_question_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def side(name: str, number: int, question: str = "one?") -> Path:
        chat = [{"role": "user", "id": f"m{number}", "content": question}]
        return log(tmp_path / name, [sample(n, "C" if n % 4 else "I", input=chat) for n in range(40)], model=name)

    (found,) = judged(capsys, side("a.json", 1), side("b.eval", 2))
    assert (found["n"], found["clusters"], found["checkpoint"]) == (40, None, "b.eval")
    said = refused(capsys, side("a.json", 1), side("b.eval", 2, "two?"))
    assert "item '0' is another question on either side: 'one?'" in said
    assert f"'two?' ({tmp_path / 'b.eval'}, sample 1)" in said


def test_a_file_that_is_no_text_is_known_for_none_and_an_odd_input_is_content(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = [log(tmp_path / f"{name}.json", [sample(1, "C", input=[name])]) for name in "ab"]
    assert "item '1' is another question on either side: \"['a']\"" in refused(capsys, *odd)
    (tmp_path / "c.jsonl").write_bytes(b'{"\xff": 1}\n')
    assert "c.jsonl holds nothing that a reader knows" in refused(capsys, tmp_path / "c.jsonl", tmp_path / "c.jsonl")


def test_a_difference_of_temperature_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sides = [log(tmp_path / f"{t}.json", [sample(1, "C")], model_generate_config={"temperature": t}) for t in (0.0, 1.0)]
    assert judged(capsys, *sides)[0]["reason"] == "the sampling's temperature changed from 0.0 to 1.0: measure both alike again"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("good", "sample 1: the metric match is 'good', and no number"),
        (7, "sample 1: the metric match is 7; what is compared"),
    ],
)
def test_a_score_that_is_none_is_refused(tmp_path: Path, value: Any, said: str) -> None:
    with pytest.raises(MeasurementError, match=said):
        only(log(tmp_path / "log.json", [sample(1, value)]))


def test_what_is_broken_or_stands_twice_is_named(tmp_path: Path) -> None:
    for name in ("a.eval", "b.json"):
        log(tmp_path / "two" / name, [sample(1, "C")])
    with pytest.raises(MeasurementError, match=r"a.eval and .*b.json are both logs of the task arith: name the one file to compare"):
        adopt(tmp_path / "two", Choice())
    path = log(tmp_path / "cut.eval", SAMPLES)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(MeasurementError, match=r"cut.eval cannot be unpacked: File is not a zip file"):
        only(path)
    for number, said in ((1, r"worn.eval cannot be unpacked"), (2, r"worn.eval: samples/2_epoch_1.json cannot be unpacked \(")):
        path = log(tmp_path / "worn.eval", [sample(n, "C", said="4" * 500) for n in (1, 2)])
        content = bytearray(path.read_bytes())
        begin = content.find(b"samples/%d_epoch_1.json" % number) + 30
        content[begin : begin + 30] = bytes(30)
        path.write_bytes(content)
        with pytest.raises(MeasurementError, match=said):
            only(path)
    with pytest.raises(MeasurementError, match=r"samples/1_epoch_1.json is no sample of Inspect's: Expected `int`, got `str`"):
        only(log(tmp_path / "odd.eval", [{**sample(1, "C"), "epoch": "1"}]))
    with pytest.raises(MeasurementError, match="holds no item that was answered: all 1 are errors"):
        only(log(tmp_path / "none.eval", SAMPLES[4:5]))
