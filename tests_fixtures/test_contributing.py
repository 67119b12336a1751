"""CONTRIBUTING.md points at files that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "CONTRIBUTING.md"
CODE = re.compile(r"`([^`]+)`|\]\(([^)#]+)\)")
PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")
ENDINGS = (".py", ".md", ".toml")
FENCE = "```"


def paths_in(page: str) -> list[str]:
    """What looks like a path: in backticks and links by a slash or an ending of ours, in a block of commands by its ending alone."""
    found, is_block = list[str](), False
    for line in page.splitlines():
        if line.startswith(FENCE):
            is_block = not is_block
        elif is_block:
            words = (word.partition("::")[0] for word in line.partition("#")[0].split())
            found += [word for word in words if PATH.fullmatch(word) and word.endswith(ENDINGS)]
        else:
            spans = (code or link for code, link in CODE.findall(line))
            found += [span for span in spans if PATH.fullmatch(span) and ("/" in span or span.endswith(ENDINGS))]
    return found


def missing_from(page: str, root: Path) -> list[str]:
    """Those of them that are not there; a folder is written with a slash behind it."""
    return [path for path in paths_in(page) if not ((root / path).is_dir() if path.endswith("/") else (root / path).is_file())]


def rows_of(page: str) -> list[str]:
    """The table's rows, without its head."""
    return [line for line in page.splitlines() if line.startswith("| ")][1:]


def test_every_path_is_there() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert len(paths_in(page)) >= 50
    assert missing_from(page, ROOT) == []


def test_the_table_answers_twenty_questions_and_more_each_with_a_path() -> None:
    rows = rows_of(PAGE.read_text(encoding="utf-8"))
    assert len(rows) >= 20
    assert [row for row in rows if not paths_in(row)] == []


@pytest.mark.parametrize(
    ("page", "missing"),
    [
        ("`there/is.py`, `there/` and [there](there/is.py)", []),
        ("| a rule | `there/was.py` |", ["there/was.py"]),
        ("in `gone.toml`", ["gone.toml"]),
        ("a folder `there/is/` and a file `there`", ["there/is/"]),
        ("a file that is a folder: `there/is.py`, `there/folder.py`", ["there/folder.py"]),
        ("see [the page](lost.md)", ["lost.md"]),
        ("```\npytest there/is.py::test_it there/lost.py::test_it # never.py\n```\n`gone.py`", ["there/lost.py", "gone.py"]),
        ("no paths: `--gpu=0`, `a or b.py`, `models`, `1.5`, `<family>/<suite>.md`", []),
    ],
)
def test_a_path_that_is_not_there_is_found(tmp_path: Path, page: str, missing: list[str]) -> None:
    (tmp_path / "there/folder.py").mkdir(parents=True)
    (tmp_path / "there/is.py").touch()
    assert missing_from(page, tmp_path) == missing


def test_a_row_of_the_head_is_no_row() -> None:
    assert rows_of("| question | file |\n|---|---|\n| one | `a.py` |\ntext\n") == ["| one | `a.py` |"]
