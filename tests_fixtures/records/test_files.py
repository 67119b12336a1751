"""Records: whole or not at all, finite, and readable by those who know fewer keys."""

import json
import math
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest

from quantgate.errors import MeasurementError
from quantgate.judgement import judge_text
from quantgate.records import encode, files, read_measurement
from quantgate.records.files import write_record
from quantgate.records.measurements import Measurement, TextLoss
from quantgate.records.verdict import Verdict
from tests_fixtures.doubles.examples import answers, text_loss


def names(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


def _refuse(*_: object) -> NoReturn:
    raise OSError("no space left on device")


@pytest.mark.parametrize("dies_in", ["fsync", "chmod", "replace"])
def test_a_write_that_dies_leaves_the_old_file_and_nothing_beside_it(dies_in: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one.json"
    path.write_bytes(b"old")
    if dies_in == "replace":
        monkeypatch.setattr(Path, "replace", _refuse)
        monkeypatch.setattr(os, "replace", _refuse)
    else:
        monkeypatch.setattr(os, dies_in, _refuse)
    with pytest.raises(OSError, match="no space left"):
        files.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["one.json"]


def test_a_write_makes_its_folders_and_a_file_that_others_may_read(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "one.json"
    files.write_whole(path, b"first")
    files.write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert names(path.parent) == ["one.json"]


@pytest.mark.parametrize("measured", [text_loss(), answers()], ids=["text_loss", "answers"])
def test_a_record_comes_back_as_it_was_written_and_as_its_kind(measured: Measurement, tmp_path: Path) -> None:
    path = files.write_record(tmp_path, measured)
    assert path == tmp_path / "reference" / "bf16" / f"{measured.suite}.json"
    read = read_measurement(path)
    assert type(read) is type(measured)
    assert read == measured


def test_the_kind_decides_what_a_record_is_not_its_fields() -> None:
    raw = json.loads(files.encode(answers()))
    assert raw["kind"] == "answers"
    raw["kind"] = "text_loss"
    with pytest.raises(MeasurementError, match=r"here is no usable record: .*`documents`"):
        files.decode(json.dumps(raw).encode(), Measurement, "here")  # type: ignore[arg-type]  # a union is no type to mypy
    raw["kind"] = "smells"
    with pytest.raises(MeasurementError, match=r"here is no usable record: .*'smells'"):
        files.decode(json.dumps(raw).encode(), Measurement, "here")  # type: ignore[arg-type]  # as above


def test_readers_ignore_keys_that_they_do_not_know() -> None:
    raw = json.loads(files.encode(text_loss()))
    raw["mood"] = raw["provenance"]["moon"] = raw["documents"][0]["top_k"] = {"new": [1]}
    assert files.decode(json.dumps(raw).encode(), TextLoss, "here") == text_loss()


def test_a_verdict_lies_beside_its_record(tmp_path: Path) -> None:
    verdict = Verdict(
        verdict="pass", family="f", checkpoint="c", suite="s", unit="points", reason="good", interval=(-1.0, 0.5), tolerance=2.0
    )
    path = files.write_record(tmp_path, verdict)
    assert path == tmp_path / "f" / "c" / "s.verdict.json"
    assert files.decode(path.read_bytes(), Verdict, "here") == verdict


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused_with_its_place(bad: float, tmp_path: Path) -> None:
    measured = text_loss(nll_sums=[20.0, 30.0, bad])
    with pytest.raises(MeasurementError, match=r"not finite at \.documents\[2\]\.nll_sum is not written"):
        files.write_record(tmp_path, measured)
    assert names(tmp_path) == []


def test_the_first_place_that_is_not_finite_is_found_in_a_table_as_well() -> None:
    measured = msgspec.structs.replace(answers(), by_group={"add": 0.5, "count": math.nan})
    with pytest.raises(MeasurementError, match=r"\.by_group\.count"):
        files.encode(measured)


def test_a_record_is_laid_out_for_review_an_entry_a_line() -> None:
    lines = files.encode(answers("+-")).decode().splitlines()
    assert sum('"id":"q' in line.replace(" ", "") for line in lines) == 2
    assert lines[0] == "{"
    assert lines[-1] == "}"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"kind": "answers"}'])
def test_a_broken_file_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(MeasurementError, match=r"broken\.json is no usable record"):
        read_measurement(path)


def test_a_new_measurement_takes_the_old_one_s_verdicts_away(tmp_path: Path) -> None:
    measured = text_loss()
    write_record(tmp_path, measured)
    verdicts = [write_record(tmp_path, judge_text(measured, measured, perplexity_ratio=1.01), drift=drift) for drift in (False, True)]
    assert all(file.exists() for file in verdicts)
    assert write_record(tmp_path, measured).exists()
    assert not any(file.exists() for file in verdicts)


ROOT = Path(__file__).parents[2]

KILLED = """
import itertools, pathlib, sys
sys.path.insert(0, {root!r})
from quantgate.records import write_record
from tests_fixtures.doubles.examples import text_loss
both = [text_loss("bf16", [20.0 + place + new for place in range(2000)]) for new in (0, 1)]
write_record(pathlib.Path({folder!r}), both[0])
print("written", flush=True)
for one in itertools.cycle(both):
    write_record(pathlib.Path({folder!r}), one)
"""


def test_a_writer_killed_at_any_moment_leaves_the_old_baseline_or_the_new_one(tmp_path: Path) -> None:
    whole = {encode(text_loss("bf16", [20.0 + place + new for place in range(2000)])) for new in (0, 1)}
    for moment in range(8):
        writer = subprocess.Popen([sys.executable, "-c", KILLED.format(root=str(ROOT), folder=str(tmp_path))], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        with writer.stdout:
            assert writer.stdout.readline() == b"written\n"
            time.sleep(0.003 * moment)
            writer.kill()
            writer.wait()
        assert (tmp_path / "reference" / "bf16" / "reference-text.json").read_bytes() in whole
