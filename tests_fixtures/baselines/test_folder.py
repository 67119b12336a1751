"""Baselines read back: as they were approved, from their own place, or refused by name."""

import math
from pathlib import Path

import pytest

from quantgate.baselines import BaselineFolder, place_of
from quantgate.errors import BaselineError
from quantgate.records import write_record
from tests_fixtures.doubles.examples import PROVENANCE, answers, text_loss


def test_a_figure_edited_by_hand_is_found(tmp_path: Path) -> None:
    file = write_record(tmp_path / "cpu", text_loss())
    file.write_text(file.read_text(encoding="utf-8").replace('"perplexity": 91.5', '"perplexity": 81.5'), encoding="utf-8")
    with pytest.raises(BaselineError, match=r"was not written by a measurement: its perplexity is 81\.52\d+, and its items make 91\.52\d+"):
        BaselineFolder(tmp_path).load("cpu", "reference", "bf16", "reference-text")


def test_a_baseline_is_read_back_as_it_was_approved(tmp_path: Path) -> None:
    write_record(tmp_path / "cpu", answers())
    assert BaselineFolder(tmp_path).load("cpu", "reference", "bf16", "reference-questions") == answers()
    assert BaselineFolder(tmp_path).load("cpu", "reference", "nvfp4", "reference-questions") is None
    assert BaselineFolder(tmp_path).load("NVIDIA H200", "reference", "bf16", "reference-questions") is None


def test_a_name_with_a_slash_stays_one_folder() -> None:
    assert place_of("A/B 1g.24gb", "org/model", "fp8", "text") == "A-B 1g.24gb/org-model/fp8/text"


def test_a_broken_baseline_is_named_with_the_way_out(tmp_path: Path) -> None:
    file = write_record(tmp_path / "cpu", text_loss())
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(BaselineError, match=r"reference-text\.json is no usable record: .* restore it from git, or delete it"):
        BaselineFolder(tmp_path).load("cpu", "reference", "bf16", "reference-text")


def test_a_baseline_in_another_splace_of_is_refused(tmp_path: Path) -> None:
    file = write_record(tmp_path / "cpu", text_loss("nvfp4"))
    file.rename(file.parents[1] / "moved.json")
    (tmp_path / "cpu" / "reference" / "bf16").mkdir()
    (file.parents[1] / "moved.json").rename(tmp_path / "cpu" / "reference" / "bf16" / "reference-text.json")
    with pytest.raises(BaselineError, match="holds reference/nvfp4 reference-text, which is not what its place says"):
        BaselineFolder(tmp_path).load("cpu", "reference", "bf16", "reference-text")


def test_a_figure_survives_the_round_trip_to_its_last_digit(tmp_path: Path) -> None:
    measured = text_loss(nll_sums=[math.pi * 100, 10.1 + 0.2], provenance=PROVENANCE)
    write_record(tmp_path / "cpu", measured)
    assert BaselineFolder(tmp_path).load("cpu", "reference", "bf16", "reference-text") == measured
