"""The suite of prose: what it claims of itself."""

import json
from pathlib import Path

from families import smollm2
from quantgate.suites import SUITES, TextSuite

ROOT = Path(__file__).parents[2]


def prose() -> TextSuite:
    found = SUITES["prose-48"][1](None)
    assert isinstance(found, TextSuite)
    return found


def test_it_is_48_paragraphs_of_prose_each_of_about_one_length() -> None:
    documents = prose().documents
    assert len(documents) == len({one.id for one in documents}) == len({one.text for one in documents}) == 48
    words = [len(one.text.split()) for one in documents]
    assert 100 <= min(words) <= max(words) <= 150
    assert [one.id for one in documents if not one.text.isascii() or "\n" in one.text or "  " in one.text] == []


def test_its_fingerprint_stands_or_every_baseline_of_it_is_void() -> None:
    assert prose().fingerprint == "6b0ed891e73d1900"


def test_what_nvfp4_is_calibrated_on_is_other_text() -> None:
    (file,) = smollm2.CALIBRATION.iterdir()
    chats = [json.loads(line)["messages"] for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(chats) == smollm2.ROWS
    assert [[turn["role"] for turn in chat] for chat in chats] == [["user", "assistant"]] * smollm2.ROWS
    seen = {" ".join(words[at : at + 6]) for words in (chat[1]["content"].split() for chat in chats) for at in range(len(words))}
    asked = {" ".join(words[at : at + 6]) for words in (one.text.split() for one in prose().documents) for at in range(len(words) - 5)}
    assert len(asked) > 5000
    assert asked & seen == set()
