"""The rooms' faces: each names what others may use, sorted, and nobody reaches past one."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = sorted(file.parent for file in (ROOT / "quantgate").rglob("__init__.py") if file.parent != ROOT / "quantgate")
OUTSIDE = ("fixtures", "families", "mutation", "benchmarks", "tests_accuracy", "tests_quant", "tests_throughput")


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


NAMES = {dotted(room): room for room in ROOMS}


def named(room: Path) -> list[str]:
    """What a room's `__all__` says."""
    for statement in ast.parse((room / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            return list(ast.literal_eval(statement.value))
    return []


def past(source: str, reader: str) -> Iterator[str]:
    """Imports and uses in a module of that name that reach past the face of a room that it does not stand in."""
    tree = ast.parse(source)
    rooms: dict[str, str] = {}  # local name -> room
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        for name in (alias.name for alias in node.names):
            if (whole := f"{node.module}.{name}") in NAMES:
                rooms[next(alias.asname or alias.name for alias in node.names if alias.name == name)] = whole
            elif not is_allowed(node.module, name, reader):
                yield f"from {node.module} import {name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in rooms:
            room = rooms[node.value.id]
            if node.attr not in named(NAMES[room]) and not stands_in(reader, room):
                yield f"{room}.{node.attr}"


def is_allowed(module: str, name: str, reader: str) -> bool:
    """Whether `from module import name` stops at a face, or stays in its own room."""
    room = max((one for one in NAMES if module == one or module.startswith(f"{one}.")), key=len, default=None)
    if room is None or stands_in(reader, room):
        return True
    inside = module.removeprefix(room).removeprefix(".")
    return (inside or name) in named(NAMES[room])  # a face may name a whole module, whose names are then public


def stands_in(reader: str, room: str) -> bool:
    return reader.startswith(f"{room}.")


@pytest.mark.parametrize("room", ROOMS, ids=dotted)
def test_a_room_has_one_docstring_and_a_sorted_face(room: Path) -> None:
    tree = ast.parse((room / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    names = named(room)
    assert names
    # As ruff sorts them: CONSTANTS, then Classes, then functions.
    assert names == sorted(names, key=lambda name: (0 if name.isupper() else 1 if name[0].isupper() else 2, name))
    assert len(set(names)) == len(names)


def test_nobody_reaches_past_a_face() -> None:
    readers = [file for folder in ("quantgate", *OUTSIDE) for file in (ROOT / folder).rglob("*.py")]
    assert len(readers) > 150
    found = {dotted(one): list(past(one.read_text(encoding="utf-8"), dotted(one).removesuffix(".__init__") + ".")) for one in readers}
    assert {reader: reaches for reader, reaches in found.items() if reaches} == {}


@pytest.mark.parametrize(
    "source",
    [
        "from quantgate.judgement.rule import decide",
        "from quantgate.judgement import rule",
        "from quantgate import judgement\njudgement.rule.decide()",
        "from quantgate import devices as here\nhere.nvml.read()",
        "def late():\n    from quantgate.measure.load.session import LoadRound",
    ],
)
def test_a_reach_past_a_face_is_seen(source: str) -> None:
    assert len(list(past(source, "fixtures.gate."))) == 1


@pytest.mark.parametrize(
    ("source", "reader"),
    [
        ("from quantgate.judgement import judge_text", "fixtures.gate."),
        ("from quantgate.judgement.rule import decide", "quantgate.judgement.text."),
        ("from quantgate.vllm_plugin.fp4 import decode", "mutation.model."),
        ("from quantgate import stats\nstats.holm([])", "fixtures.gate."),
    ],
)
def test_what_a_face_names_may_be_used_and_a_room_knows_itself(source: str, reader: str) -> None:
    assert list(past(source, reader)) == []
