"""The family of SmolLM2 that is asked everything: what it names is there, and has room."""

from pathlib import Path

from quantgate.registry import load
from quantgate.suites import Cut, TextSuite, catalogue, why_no_room
from quantgate.suites.kinds import CodeSuite, LoadSuite, QuestionSuite

FILE = Path(__file__).parents[2] / "families" / "smollm2-all.toml"


def test_its_suites_are_there_one_of_each_kind_at_least() -> None:
    loaded = load(FILE)
    known = catalogue(loaded.suite, FILE)
    (family,) = loaded.family
    assert {known[name][0] for name in family.suites} == {TextSuite, QuestionSuite, CodeSuite, LoadSuite}
    assert [one.precision for one in family.checkpoint] == ["bf16", "fp8", "nvfp4"]


def test_its_windows_have_room() -> None:
    (family,) = load(FILE).family
    windows = TextSuite("wikitext2-sliding-8", [], Cut(window=2048, stride=1024))
    for one in family.checkpoint:
        assert why_no_room(windows, one.serve.max_model_len, str(one)) is None
