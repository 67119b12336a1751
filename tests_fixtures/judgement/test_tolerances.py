"""`compare` takes its tolerances from where pytest takes them, and says which one is nobody's."""

from pathlib import Path

import msgspec
import pytest

from quantgate.errors import ConfigurationError
from quantgate.judgement import compare, sentence
from quantgate.records import write_record
from quantgate.registry import Checkpoint, Family, Registry, Tolerance
from tests_fixtures.doubles.examples import text_loss

LOSSES = [20.0, 31.0, 39.0, 52.0, 58.0, 71.0] * 3
LOST = 0.03


def registry(**tolerance: Tolerance) -> Registry:
    checkpoints = [Checkpoint(name=name, precision=name, path=name, family="reference") for name in ("bf16", "nvfp4")]
    return Registry(family=[Family(name="reference", checkpoint=checkpoints, suites=["reference-text"], tolerance=tolerance)])


@pytest.fixture
def records(tmp_path: Path) -> tuple[Path, Path]:
    lost = [nll + 10 * LOST + 0.05 * (-1) ** place for place, nll in enumerate(LOSSES)]
    write_record(tmp_path, text_loss("bf16", LOSSES))
    write_record(tmp_path, text_loss("nvfp4", lost))
    return tmp_path / "reference" / "bf16" / "reference-text.json", tmp_path / "reference" / "nvfp4" / "reference-text.json"


def test_without_models_toml_the_default_stands_in_the_line(records: tuple[Path, Path]) -> None:
    (judged,) = compare(*records, Tolerance())
    assert judged.verdict == "pass"
    assert "perplexity_ratio = 1.05 is the default, nobody stated one" in sentence(judged)
    (stated,) = compare(*records, Tolerance(perplexity_ratio=1.05))
    assert "default" not in sentence(stated)


def test_a_family_of_models_toml_without_one_is_refused_as_pytest_refuses_it(records: tuple[Path, Path]) -> None:
    with pytest.raises(ConfigurationError, match=r"states no perplexity_ratio for nvfp4 of reference: write tolerance\.nvfp4 = "):
        compare(*records, Tolerance(), registry())
    (judged,) = compare(*records, Tolerance(perplexity_ratio=1.02), registry())
    assert judged.verdict == "fail"


def test_against_its_own_approval_a_checkpoint_is_held_to_bf16_s_as_pytest_holds_it(records: tuple[Path, Path], tmp_path: Path) -> None:
    moved = msgspec.structs.replace(text_loss("bf16", LOSSES), checkpoint="nvfp4", precision="nvfp4")
    write_record(tmp_path / "before", moved)
    before = tmp_path / "before" / "reference" / "nvfp4" / "reference-text.json"
    loose = registry(nvfp4=Tolerance(perplexity_ratio=1.5), bf16=Tolerance(perplexity_ratio=1.01))
    (judged,) = compare(before, records[1], Tolerance(), loose)
    assert (judged.against, judged.verdict) == ("own", "fail")
