"""docs/architecture.md shows the imports as they are, and the program that draws them draws what is there."""

import graphlib
from pathlib import Path

import pytest

from benchmarks.draw_architecture import COMMAND, PAGE, ROOT, draw, fresh, read_graph, read_nodes, reduced

MARKED = f"<!-- picture: {COMMAND} -->\n<!-- end of picture -->\n<!-- rooms: {COMMAND} -->\n<!-- end of rooms -->\n"
CONTRACT = """
[[tool.importlinter.contracts]]
type = "layers"
layers = ["fixtures", "quantgate.report | quantgate.notebook", "quantgate.records", "quantgate.errors"]
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A house of two rooms, pytest's side, a shared module, and a module beside the rooms that uses one."""
    for name, content in {
        "pyproject.toml": CONTRACT,
        "quantgate/__init__.py": "from quantgate.notebook import read",
        "quantgate/errors.py": "",
        "quantgate/notebook.py": '"""For a notebook."""\nfrom quantgate.records import read',
        "quantgate/records/__init__.py": '"""What crosses borders.\n\nMore of it."""\nfrom . import files',
        "quantgate/records/files.py": "def read():\n    from quantgate.errors import Error",
        "quantgate/report/__init__.py": '"""A | B."""\nimport quantgate.records\nfrom quantgate import errors, __version__',
        "fixtures/__init__.py": '"""pytest\'s side."""',
        "fixtures/gate.py": "from quantgate.report import show\nfrom quantgate.records import read\nimport pytest",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    return tmp_path


def test_the_page_is_what_would_be_drawn() -> None:
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    assert fresh(page, ROOT) == page, f"{PAGE} is stale: run {COMMAND}"


def test_imports_are_found_wherever_they_stand_and_names_of_the_package_itself_are_none(tree: Path) -> None:
    assert read_graph(read_nodes(tree)) == {
        "fixtures": {"report", "records"},
        "notebook": {"records"},
        "report": {"records", "shared"},
        "records": {"shared"},
        "shared": set(),
    }


def test_nodes_stand_in_the_order_of_the_contract_with_what_it_does_not_mention_last(tree: Path) -> None:
    (tree / "quantgate/annex").mkdir()
    (tree / "quantgate/annex/__init__.py").write_text("", encoding="utf-8")
    assert [node.name for node in read_nodes(tree)] == ["fixtures", "notebook", "report", "records", "shared", "annex"]


def test_an_arrow_that_a_longer_way_stands_for_is_left_out() -> None:
    graph = {"a": {"b", "c", "d"}, "b": {"c"}, "c": {"d"}, "d": set[str]()}
    assert reduced(graph) == {"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": set()}


def test_two_ways_of_one_length_are_both_drawn() -> None:
    graph = {"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set[str]()}
    assert draw(["a", "b", "c", "d"], graph).splitlines()[6:-1] == ["    a --> b", "    a --> c", "    b --> d", "    c --> d"]


def test_a_circle_is_told_and_not_drawn() -> None:
    with pytest.raises(graphlib.CycleError):
        reduced({"a": {"b"}, "b": {"a"}})


def test_a_page_gets_picture_and_table_between_its_markers_and_stays_as_it_is_then(tree: Path) -> None:
    page = fresh(f"before\n{MARKED}after\n", tree)
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "    report --> records\n" in page
    assert "    fixtures --> records\n" not in page
    assert "| `quantgate/records/` | What crosses borders. | shared |" in page
    assert "| `quantgate/report/` | A \\| B. | records, shared |" in page
    assert fresh(page, tree) == page


def test_a_new_import_makes_the_page_stale(tree: Path) -> None:
    page = fresh(MARKED, tree)
    (tree / "fixtures/state.py").write_text("from quantgate import notebook", encoding="utf-8")
    assert fresh(page, tree) != page


def test_a_page_without_markers_is_refused(tree: Path) -> None:
    with pytest.raises(ValueError, match="it has no lines <!-- picture: "):
        fresh("nothing here\n", tree)
