"""The stored suites are those that are drawn again."""

from pathlib import Path

from quantgate.suites.reference import make_suites

ROOT = Path(__file__).parents[3]

SUITES = ROOT / "quantgate" / "suites" / "reference"


def test_the_stored_suites_are_those_that_are_drawn_again() -> None:
    drawn = make_suites.files()
    assert set(drawn) == {file.name for file in SUITES.glob("*.jsonl")}
    for name, content in drawn.items():
        assert (SUITES / name).read_text(encoding="utf-8") == content, name
