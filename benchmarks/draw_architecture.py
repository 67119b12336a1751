"""How the rooms use each other, drawn from their imports: `python -m benchmarks.draw_architecture` writes it into docs/architecture.md.

A room is a folder of quantgate/; the modules beside them that rooms use are one node, `shared`; a module there that uses rooms
itself is a node of its own. The order is that of the `layers` contract in pyproject.toml. With --check nothing is written, and
the exit code is 1 where the page is not what would be drawn, or where imports run in a circle.
"""

import argparse
import ast
import graphlib
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import NamedTuple, TypeAlias

ROOT = Path(__file__).parents[1]
PAGE = Path("docs", "architecture.md")
LIBRARY, PYTESTS_SIDE, SHARED = "quantgate", "fixtures", "shared"
COMMAND = "python -m benchmarks.draw_architecture"
DOORS = ("__init__", "__main__")  # of the package itself: they only pass on what other modules have

Graph: TypeAlias = Mapping[str, Set[str]]
"""Node → nodes that its modules import from."""


class Node(NamedTuple):
    """A room, pytest's side, the shared modules, or a module that stands beside the rooms and uses them."""

    name: str
    place: str
    purpose: str
    modules: dict[str, Path]


def read_nodes(root: Path) -> list[Node]:
    """The nodes of the tree at `root`, from the top layer to the bottom; last what the contract does not mention."""
    rooms = [folder for folder in sorted((root / LIBRARY).iterdir()) if (folder / "__init__.py").is_file()]
    found = [_of_folder(root, folder) for folder in (root / PYTESTS_SIDE, *rooms)]
    shared: dict[str, Path] = {}
    for file in sorted((root / LIBRARY).glob("*.py")):
        name = f"{LIBRARY}.{file.stem}"
        if file.stem in DOORS:
            continue
        if any(one.startswith(tuple(f"{LIBRARY}.{room.name}." for room in rooms)) for one in _imports(name, file)):
            found.append(Node(file.stem, f"{LIBRARY}/{file.name}", _purpose(file), {name: file}))
        else:
            shared[name] = file
    told = f"What every room may use: {', '.join(f'`{file.name}`' for file in shared.values())}."
    layers = _layers(root)
    return sorted([*found, Node(SHARED, f"{LIBRARY}/*.py", told, shared)], key=lambda node: (layers.get(node.name, len(layers)), node.name))


def read_graph(nodes: Sequence[Node]) -> dict[str, set[str]]:
    """Who uses whom; imports inside functions and for type checkers count as well."""
    names = {node.name for node in nodes}
    shared = next(node.modules.keys() for node in nodes if node.name == SHARED)

    def owner(imported: str) -> str | None:
        first, second, *_ = [*imported.split("."), ""]
        if first == PYTESTS_SIDE:
            return PYTESTS_SIDE
        if first == LIBRARY and second in names:
            return second
        return SHARED if f"{first}.{second}" in shared else None

    graph: dict[str, set[str]] = {}
    for node in nodes:
        owners = {owner(one) for name, file in node.modules.items() for one in _imports(name, file)}
        graph[node.name] = {one for one in owners if one is not None and one != node.name}
    return graph


def reduced(graph: Graph) -> dict[str, set[str]]:
    """The graph without the arrows that a longer way stands for. Raises graphlib.CycleError where imports run in a circle."""
    below: dict[str, set[str]] = {}
    for name in graphlib.TopologicalSorter(graph).static_order():
        below[name] = {far for near in graph.get(name, ()) for far in (near, *below[near])}
    return {name: {one for one in used if not any(one in below[other] for other in used)} for name, used in graph.items()}


def draw(order: Sequence[str], graph: Graph) -> str:
    """The reduced graph in Mermaid, nodes and arrows in the order of the layers."""
    arrows = reduced(graph)
    lines = [f"    {name}" for name in order]
    lines += [f"    {name} --> {used}" for name in order for used in order if used in arrows[name]]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```"])


def describe(nodes: Sequence[Node], graph: Graph) -> str:
    """Every node with its purpose and all that it uses, as a Markdown table."""
    rows = ["| room | what it is for | uses |", "|---|---|---|"]
    for node in nodes:
        used = ", ".join(one.name for one in nodes if one.name in graph[node.name])
        rows.append(f"| `{node.place}` | {node.purpose} | {used or 'nothing of ours'} |")
    return "\n".join(rows)


def fresh(page: str, root: Path) -> str:
    """The page with both parts made anew. Raises ValueError where a pair of markers is missing."""
    nodes = read_nodes(root)
    graph = read_graph(nodes)
    for part, content in (("picture", draw([node.name for node in nodes], graph)), ("rooms", describe(nodes, graph))):
        begin, end = f"<!-- {part}: {COMMAND} -->", f"<!-- end of {part} -->"
        before, found_begin, rest = page.partition(begin)
        _, found_end, after = rest.partition(end)
        if not (found_begin and found_end):
            raise ValueError(f"it has no lines {begin} and {end}, between which the {part} stands; put them in")
        page = f"{before}{begin}\n{content}\n{end}{after}"
    return page


def _of_folder(root: Path, folder: Path) -> Node:
    modules = {".".join(file.relative_to(root).with_suffix("").parts): file for file in sorted(folder.rglob("*.py"))}
    return Node(folder.name, f"{folder.relative_to(root)}/", _purpose(folder / "__init__.py"), modules)


def _purpose(file: Path) -> str:
    """The first paragraph of a module's docstring, for a cell of a table."""
    said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"), str(file))) or ""
    return " ".join(said.partition("\n\n")[0].split()).replace("|", "\\|")


def _imports(name: str, file: Path) -> Iterator[str]:
    """Dotted names that a module imports; `from a import b` is `a.b`, whether b is a module or stands in one."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(file))):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = name.split(".")[: -node.level] if node.level else []
            yield from (".".join([*above, *filter(None, [node.module]), one.name]) for one in node.names)


def _layers(root: Path) -> dict[str, int]:
    """Node → its line in the contract of the layers, from the top; of several modules in one node the lowest counts."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings.get("tool", {}).get("importlinter", {}).get("contracts", [])
    lines: list[str] = next((one["layers"] for one in contracts if one.get("type") == "layers"), [])
    stated = {name.removeprefix(f"{LIBRARY}."): number for number, line in enumerate(lines) for name in re.split(r"\s*[|:]\s*", line)}
    return {**stated, SHARED: len(lines)}


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description="The picture in docs/architecture.md, from the imports.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the page is stale")
    check = parser.parse_args().check
    file = ROOT / PAGE
    page = file.read_text(encoding="utf-8")
    try:
        drawn = fresh(page, ROOT)
    except graphlib.CycleError as error:
        print(f"{PAGE}: imports run in a circle: {' -> '.join(reversed(error.args[1]))}; move what is needed down", file=sys.stderr)
        return 1
    except (ValueError, SyntaxError) as error:
        print(f"{PAGE} cannot be drawn: {error}", file=sys.stderr)
        return 1
    if drawn == page:
        return 0
    if check:
        print(f"{PAGE} is stale: run {COMMAND}", file=sys.stderr)
        return 1
    file.write_text(drawn, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
