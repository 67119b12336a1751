"""Edits of a checkpoint's files: each does what it says."""

import json
from pathlib import Path

from mutation.mutant import make
from tests_fixtures.doubles.mutants import named


def test_a_wrong_rope_theta_stands_under_both_names(tmp_path: Path) -> None:
    config = json.loads((make(named("nvfp4-rope-theta-of-another-model"), tmp_path) / "config.json").read_text(encoding="utf-8"))
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 1e6
