"""Public data sets: the same rows from the hub's files and from people's own, and one sentence where there are none."""

from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import ConfigurationError
from quantgate.suites import public
from quantgate.suites.texts import wikitext2_50

HEADING, SHORT = " = Robert Boulter = ", " Too short . "
LONG = [f" Paragraph {number} is as long as a paragraph has to be so that it is kept , which is 64 characters . " for number in range(3)]
LINES = [HEADING, LONG[0], SHORT, "", LONG[1], "x" * 901, LONG[2]]


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A --data-dir with WikiText-2 in it, as people keep it."""
    file = tmp_path / public.WIKITEXT2.local
    file.parent.mkdir()
    file.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return tmp_path


def test_paragraphs_are_kept_by_their_length_and_headings_are_not(local: Path) -> None:
    assert [document.text for document in wikitext2_50(local).documents] == [line.strip() for line in LONG]


def test_the_hub_s_files_give_the_same_suite(local: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets import Dataset

    snapshot = tmp_path / "snapshot"
    (snapshot / "wikitext-2-raw-v1").mkdir(parents=True)
    Dataset.from_dict({"text": [f"{line}\n" if line else "" for line in LINES]}).to_parquet(
        snapshot / "wikitext-2-raw-v1" / "test-00000-of-00001.parquet"
    )
    asked: list[Any] = []

    def fetch(*given: Any, **named: Any) -> Path:
        asked.append((given, named))
        return snapshot

    monkeypatch.setattr(public, "fetch", fetch)
    assert wikitext2_50(None).fingerprint == wikitext2_50(local).fingerprint
    ((name, revision, _), named) = asked[0]
    assert (name, revision) == ("Salesforce/wikitext", public.WIKITEXT2.revision)
    assert named == {"kind": "dataset", "only": ["wikitext-2-raw-v1/test-*.parquet"]}


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        wikitext2_50(tmp_path)
    assert str(error.value) == f"--data-dir={tmp_path}: suite wikitext2-50 needs wikitext2_raw/wiki.test.raw in it, which is not there"


def test_a_file_that_is_no_text_is_named_with_the_reason(local: Path) -> None:
    (local / public.WIKITEXT2.local).write_bytes(b"\xff\xfe\x00 not UTF-8 \xc3\x28" * 20)
    with pytest.raises(ConfigurationError, match=r"raw is no text that `datasets` reads \(.*'utf-8' codec.*\); fetch it again$"):
        wikitext2_50(local)


def test_a_snapshot_without_the_split_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public, "fetch", lambda *_, **__: tmp_path)
    with pytest.raises(ConfigurationError, match=r"at b08601e04326 has no wikitext-2-raw-v1/test-\*\.parquet; name a folder"):
        wikitext2_50(None)
