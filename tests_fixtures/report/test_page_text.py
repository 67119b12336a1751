"""What a model answered is text, in HTML, Markdown and pictures; what is secret is in none."""

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from quantgate.records import write_record
from quantgate.report.page import Page, build, html, markdown, write_page
from tests_fixtures.doubles.examples import answers
from tests_fixtures.doubles.reported import HOSTILE, NOW, Reported, answered, three_ways, worse

FETCHES = {"src", "href", "srcset", "action", "data", "poster", "background", "formaction", "xlink:href", "xmlns", "style", "ping"}


class Read(HTMLParser):
    """Elements, attributes and text of a page."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.text = ""
        self.feed(document)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attributes if name in FETCHES]
        self.handlers += [name for name, _ in attributes if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile_page(root: Path, text: str = HOSTILE) -> Page:
    made = three_ways(root, text, prompts=(text,))
    flipped = answered("-" * 6 + "++++-" * 7 + "++++", "fp8", text, (text,))
    named = [msgspec.structs.replace(item, id=f"{item.id} {text[:200]}", group=text[:100], extracted=text[:100]) for item in flipped.items]
    other = msgspec.structs.replace(flipped, suite="hostile", items=named)
    was = [msgspec.structs.replace(item, correct=True, prompt=None) for item in named]
    write_record(made.records, other)
    made.approve(msgspec.structs.replace(other, checkpoint="bf16", precision="bf16", items=was, accuracy=1.0))
    return build(made.records, baselines=made.baselines, now=NOW, title=text[:300])


def test_the_page_fetches_nothing_and_runs_only_its_own_script(tmp_path: Path) -> None:
    document = html(hostile_page(tmp_path))
    read = Read(document)
    assert read.tags.count("script") == 1
    assert read.tags.count("style") == 1
    assert not {"link", "img", "iframe", "object", "embed", "base"} & set(read.tags)
    assert read.handlers == []
    assert [link for link in read.links if not link.startswith("#")] == []
    assert not re.search(r"https?:|url\(|@import", document)


def test_hostile_text_is_shown_as_text(tmp_path: Path) -> None:
    document = html(hostile_page(tmp_path))
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7*7 }} {% raw %} ␛[31mred␛[0m ⟨U+202E⟩gnp.exe⟨U+202C⟩ [bold]rich[/bold]" in document
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", document)


def test_a_long_line_is_cut_with_a_note_and_the_page_stays_small(tmp_path: Path) -> None:
    made, line = Reported(tmp_path), "x" * 1_000_000
    right, wrong = answered("++++", "bf16"), answered("-+++", "fp8")
    long = msgspec.structs.replace(wrong.items[0], answer=line, prompt=line, group=line, extracted=line)
    write_record(made.records, msgspec.structs.replace(wrong, items=[long, *wrong.items[1:]]))
    made.approve(right)
    page = build(made.records, baselines=made.baselines, now=NOW)
    document = html(page)
    assert len(page.flips) == 1
    assert "994,000 more characters are in the record" in document
    assert len(document) < 200_000
    assert len(markdown(page)) < 10_000


def test_markdown_is_one_table_a_section_and_nothing_in_a_cell_leaves_it(tmp_path: Path) -> None:
    page = hostile_page(tmp_path)
    row = msgspec.structs.replace(page.rows[0], reason=HOSTILE, suite=HOSTILE, commands=[f"quantgate compare '{HOSTILE}'"])
    said = markdown(msgspec.structs.replace(page, rows=[row, *page.rows[1:]]))
    assert "<script>" not in re.sub(r"(`+)(?!`).*?\1", "", said)
    assert "\x1b" not in said
    assert "@all" not in re.sub(r"(`+)(?!`).*?\1", "", said)
    table = [line for line in said.splitlines() if line.startswith("| 🟥")]
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in table] == [9]


SECRET = "q7-planted-secret-94b1"  # noqa: S105 (planted)


@pytest.mark.parametrize("name", ["QUANTGATE_API_KEY", "HF_TOKEN"])
def test_a_planted_secret_is_in_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, SECRET)
    planted = f"the key is {SECRET}; Authorization: Bearer abcdef123456; token hf_{'a' * 30}"
    written = write_page(hostile_page(tmp_path, planted), tmp_path / "report")
    for file in written:
        content = file.read_bytes()
        assert [one for one in (SECRET.encode(), b"abcdef123456", b"hf_aaaa") if one in content] == []
    assert "the key is (secret)" in written[0].read_text(encoding="utf-8")


def test_pictures_stand_beside_the_page(tmp_path: Path) -> None:
    made = three_ways(tmp_path)
    written = write_page(build(made.records, baselines=made.baselines, now=NOW), tmp_path / "report")
    names = [str(file.relative_to(tmp_path / "report")) for file in written]
    assert names[:4] == ["index.html", "report.md", "charts/forest.svg", "charts/forest.png"]
    assert written[3].read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert (tmp_path / "report").stat().st_mode & 0o777 == 0o700  # prompts and answers lie in it


def test_a_prompt_stays_out_of_a_baseline() -> None:
    from quantgate.baselines import approval_of, is_unchanged, with_history

    asked = answered("++-", prompts=("What is 2 + 2?",))
    stored = with_history(asked, None, approval_of(asked, None, "Ada", NOW))
    assert [item.prompt for item in stored.items] == [None] * 3  # type: ignore[union-attr]
    assert is_unchanged(stored, asked)
    assert answers().items[0].prompt is None


def test_a_page_without_items_is_small(tmp_path: Path) -> None:
    made = Reported(tmp_path)
    made.judged(*worse(3.0))
    assert len(html(build(made.records, baselines=made.baselines, now=NOW))) < 100_000
