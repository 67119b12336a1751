"""The family of SmolLM2 that is asked everything: what it names is there, and has room."""

import shutil
from pathlib import Path

import pytest

from quantgate.registry import Registry, load
from quantgate.suites import Cut, TextSuite, catalogue, why_no_room
from quantgate.suites.kinds import CodeSuite, LoadSuite, QuestionSuite

FILE = Path(__file__).parents[2] / "families" / "smollm2-all.toml"


@pytest.fixture
def loaded(tmp_path: Path) -> Registry:
    """Where `make smollm2` has made the checkpoints."""
    (tmp_path / "families").mkdir()
    for name in ("bf16", "fp8", "nvfp4"):
        (tmp_path / ".quantgate" / "smollm2" / name).mkdir(parents=True)
        (tmp_path / ".quantgate" / "smollm2" / name / "config.json").write_text("{}", encoding="utf-8")
    return load(Path(shutil.copy(FILE, tmp_path / "families")))


def test_its_suites_are_there_one_of_each_kind_at_least(loaded: Registry) -> None:
    known = catalogue(loaded.suite, FILE)
    (family,) = loaded.family
    assert {known[name][0] for name in family.suites} == {TextSuite, QuestionSuite, CodeSuite, LoadSuite}
    assert [one.precision for one in family.checkpoint] == ["bf16", "fp8", "nvfp4"]


def test_its_windows_have_room(loaded: Registry) -> None:
    windows = TextSuite("wikitext2-sliding-8", [], Cut(window=2048, stride=1024))
    for one in loaded.family[0].checkpoint:
        assert why_no_room(windows, one.serve.max_model_len, str(one)) is None
