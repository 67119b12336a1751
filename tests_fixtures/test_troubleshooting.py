"""docs/troubleshooting.md: no sentence that asks something of the user is without a section, and none is told that no code prints."""

import re

import pytest

from benchmarks.draw_troubleshooting import PAGE, TABLE, anchor, drawn, pattern, quoted, section_of, titles
from benchmarks.sentences import INTERNAL, ROOMS, ROOT, SPOKEN, Sentence, asking, kinds_raised, sentences

TEXT = PAGE.read_text(encoding="utf-8")
FOUND = sentences()
TELLING = len("did not boot")
"""Characters of its own that a sentence needs to be known again in another's place."""


def test_the_page_has_every_sentence_as_the_sources_have_it_now() -> None:
    assert drawn(TEXT) == TEXT, "run `python -m benchmarks.draw_troubleshooting`"


def test_no_sentence_is_without_a_section() -> None:
    assert [one for one in FOUND if section_of(one) not in titles(TEXT)] == []
    assert len(FOUND) > 400


def test_no_section_and_no_line_of_the_table_is_idle() -> None:
    assert {section_of(one) for one in FOUND} == set(titles(TEXT))
    idle = [row for row in TABLE if not any(re.search(row[0], one.file) and re.search(row[1], one.text) for one in FOUND)]
    assert idle == []


def test_every_kind_of_error_that_is_raised_is_known_as_spoken_or_internal() -> None:
    raised = {kind for room in ROOMS for file in (ROOT / room).rglob("*.py") for kind in kinds_raised(file.read_text(encoding="utf-8"))}
    assert raised - SPOKEN - INTERNAL == set()
    assert not SPOKEN & INTERNAL


@pytest.mark.parametrize("title", titles(TEXT))
def test_a_section_shows_a_sentence_of_its_own_as_printed(title: str) -> None:
    shown = quoted(TEXT)[title]
    assert shown
    own = [pattern(one.text) for one in FOUND if section_of(one) == title and len(re.sub("<[^<>]*>", "", one.text)) >= TELLING]
    for line in shown:
        assert any(one.search(line) for one in own), line


RAISES = '''
"""Use this: a docstring is none."""
def check(n, more):
    parser.add_argument("--n", help="give a number")
    if n < 0:
        raise ConfigurationError(f"n is {n}; it must be {', '.join(more)} or above")
    if n > 9:
        raise ValueError("n is too large: give a smaller one")
    note = f"{more.name} is old: fetch it again"
    return "a text that asks for nothing"
'''


def test_what_is_raised_and_what_tells_somebody_to_do_something_is_found() -> None:
    assert list(asking(RAISES)) == ["n is <n>; it must be <more> or above", "<name> is old: fetch it again"]
    assert list(asking(RAISES, quiet=True)) == ["n is <n>; it must be <more> or above"]


def test_a_new_sentence_of_an_unknown_place_has_no_section() -> None:
    assert section_of(Sentence("give it up", "quantgate/new_room/new.py")) is None


def test_an_anchor_is_the_site_s() -> None:
    assert anchor("Local data: --data-dir") == "local-data-data-dir"
    assert anchor("A checkpoint's files are unsound") == "a-checkpoints-files-are-unsound"
