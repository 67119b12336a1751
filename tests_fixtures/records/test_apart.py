"""A baseline's likeliest tokens beside it: read together, written together, and never another's."""

import hashlib
import json
import math
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from quantgate.errors import MeasurementError
from quantgate.records import TextLoss, encode, read_measurement, topk_of, write_apart
from tests_fixtures.doubles.examples import answers, text_loss, topk

ROOT = Path(__file__).parents[2]
BOTH = ["s.json", "s.topk.jsonl"]


def sampled(own: float = 0.5) -> TextLoss:
    sample = [topk(own, {1: 0.5, 2: 0.3}), topk(own, {3: 0.9}, "d1")]
    return msgspec.structs.replace(text_loss(), topk=sample)


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_the_figures_and_the_sample_are_two_files_and_one_measurement(tmp_path: Path) -> None:
    write_apart(tmp_path / "s.json", sampled())
    assert names(tmp_path) == BOTH
    figures, sample = (tmp_path / name for name in BOTH)
    assert "topk" not in json.loads(figures.read_bytes())
    assert json.loads(figures.read_bytes())["topk_sha256"] == hashlib.sha256(sample.read_bytes()).hexdigest()
    assert [json.loads(line)["id"] for line in sample.read_text(encoding="utf-8").splitlines()] == ["d0", "d1"]
    assert read_measurement(figures) == sampled()


def test_a_baseline_of_one_file_is_still_read(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_bytes(encode(sampled()))
    assert read_measurement(tmp_path / "s.json") == sampled()


def test_without_a_sample_there_is_one_file_and_an_old_sample_goes(tmp_path: Path) -> None:
    write_apart(tmp_path / "s.json", sampled())
    write_apart(tmp_path / "s.json", text_loss())
    assert names(tmp_path) == ["s.json"]
    assert read_measurement(tmp_path / "s.json") == text_loss()
    write_apart(tmp_path / "s.json", answers())
    assert read_measurement(tmp_path / "s.json") == answers()


def _missing(sample: Path) -> None:
    sample.unlink()


def _another(sample: Path) -> None:
    sample.write_bytes(sample.read_bytes().replace(b"0.3", b"0.4"))
    write_apart(sample.with_name("other.json"), sampled(0.4))
    topk_of(sample.with_name("other.json")).replace(sample)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_missing, r"s\.topk\.jsonl, which belongs to it, does not lie beside it"),
        (_another, r"s\.topk\.jsonl beside it is another record's \(SHA-256 [0-9a-f]{12}, not [0-9a-f]{12}\)"),
    ],
    ids=["missing", "another"],
)
def test_a_sample_that_is_not_the_record_s_is_told(damage: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    write_apart(tmp_path / "s.json", sampled())
    damage(tmp_path / "s.topk.jsonl")
    with pytest.raises(MeasurementError, match=said):
        read_measurement(tmp_path / "s.json")


def test_a_sample_that_is_not_finite_is_refused_before_either_file_is_written(tmp_path: Path) -> None:
    bad = msgspec.structs.replace(topk(0.5, {1: 0.5}), own=[math.nan])
    with pytest.raises(MeasurementError, match=r"not finite at \.topk\[0\]\.own\[0\]"):
        write_apart(tmp_path / "s.json", msgspec.structs.replace(text_loss(), topk=[bad]))
    assert names(tmp_path) == []


@pytest.mark.parametrize("call", ["fsync", "chmod", "replace"])
@pytest.mark.parametrize("moment", [1, 2])
@pytest.mark.parametrize("before", [True, False], ids=["over-another", "first"])
def test_a_write_that_dies_leaves_both_old_files(
    call: str, moment: int, before: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.json"
    if before:
        write_apart(path, sampled())
    done: list[object] = []
    where: object = Path if call == "replace" else os
    real = getattr(where, call)

    def dies_once(*arguments: object) -> object:
        done.append(arguments)
        if len(done) == moment:
            raise OSError("no space left on device")
        return real(*arguments)

    monkeypatch.setattr(where, call, dies_once)
    with pytest.raises(OSError, match="no space left"):
        write_apart(path, sampled(0.4))
    assert names(tmp_path) == (BOTH if before else [])
    assert not before or read_measurement(path) == sampled()


def test_a_review_shows_a_line_a_document_and_nothing_of_the_sample(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments],  # noqa: S607 (the git that wrote this checkout)
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    (tmp_path / ".gitattributes").write_bytes((ROOT / "quantgate" / "cli" / "project" / "gitattributes").read_bytes())
    git("init", "--quiet")
    write_apart(tmp_path / "s.json", sampled())
    git("add", ".")
    write_apart(tmp_path / "s.json", msgspec.structs.replace(sampled(0.4), documents=text_loss("bf16", [20.5, 31.0]).documents))
    changed = git("diff", "-U0").splitlines()
    assert "Binary files a/s.topk.jsonl and b/s.topk.jsonl differ" in changed
    assert sum('"id":"d0"' in line for line in changed if line.startswith("+")) == 1
    assert max(map(len, changed)) < 200


def test_the_tree_s_own_baselines_have_no_sample_inside() -> None:
    samples = list((ROOT / "baselines").rglob("*.topk.jsonl"))
    assert samples
    for path in (sample.with_name(sample.name.replace(".topk.jsonl", ".json")) for sample in samples):
        read = read_measurement(path)
        assert isinstance(read, TextLoss)
        assert len(read.topk) == 8
    assert not [file for file in (ROOT / "baselines").rglob("*.json") if b'"topk": [' in file.read_bytes()]
    assert (ROOT / ".gitattributes").read_bytes() == (ROOT / "quantgate" / "cli" / "project" / "gitattributes").read_bytes()
